"""Telling people that nothing can be seen: the warehouse is down, or its disk is full.

Incidents are kept in the warehouse, so this is remembered beside it: empty files below
`$NIGHTSHIFT_HOME/alerts`, which a full disk still takes; their times say since when, and when
whom.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from include.errors import NightshiftError
from include.incidents.message import Message, link
from include.incidents.telling import Send
from include.settings import Settings
from include.warehouse import runs

_log = logging.getLogger(__name__)

KIND = "watch_blind"
PATIENCE = timedelta(minutes=15)
"""What passes within so long is no news."""

AGAIN_AFTER = timedelta(hours=6)
"""How often people are told while it lasts."""


def tell_blind(
    settings: Settings, channels: Mapping[str, Send], error: BaseException, now: datetime
) -> None:
    """Tell people that a look failed as a whole, once it has lasted; fails for no channel."""
    folder = settings.home / "alerts"
    since = _time_of(folder / "blind")
    if since is None:
        since = _set(folder / "blind", now)
    if now - since < PATIENCE:
        return
    why = runs.one_line(error) if isinstance(error, NightshiftError) else type(error).__name__
    for channel, send in channels.items():
        told = _time_of(folder / f"told-{channel}")
        untold = told is None or now - told >= AGAIN_AFTER
        if untold and _try(channel, send, _message(settings, why, since)):
            _set(folder / f"told-{channel}", now)


def tell_seen(settings: Settings, channels: Mapping[str, Send], now: datetime) -> None:
    """Tell those who were told that looking works again; fails for no channel.

    A channel that fails is asked again by the next look: until it is told, its mark stays, and
    says since when.
    """
    folder = settings.home / "alerts"
    since = _time_of(folder / "blind")
    for channel, send in channels.items():
        mark = folder / f"told-{channel}"
        told = _time_of(mark)
        if told is None:
            continue
        if _try(channel, send, _over(since or told, now)):
            mark.unlink(missing_ok=True)
        else:
            _set(mark, since or told)
    (folder / "blind").unlink(missing_ok=True)


def _message(settings: Settings, why: str, since: datetime) -> Message:
    text = (
        f"what: {why}\nsince: {_instant(since)}\nhow bad: critical: nothing is known of last "
        "night, and nobody is told what else is wrong\nwhat to do: repair what it names; the "
        f"next look tells what it finds\nrunbook: {link(KIND, settings.runbook)}"
    )
    title = "critical: nightshift, nothing can be seen"
    return Message(title, text, "critical", _events("opened", why))


def _over(since: datetime, now: datetime) -> Message:
    text = f"nothing could be looked at since {_instant(since)}; at {_instant(now)} it could again"
    return Message("over: nightshift, nothing can be seen", text, "info", _events("over", text))


def _events(event: str, what: str) -> tuple[dict[str, str], ...]:
    return ({"event": event, "subject": "nightshift", "kind": KIND, "what": what},)


def _try(channel: str, send: Send, message: Message) -> bool:
    """Send a message; returns whether it is out of our hands."""
    try:
        send(message)
    except Exception as error:
        _log.error("alerts by %s failed: %s", channel, error)
        return False
    return True


def _time_of(mark: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(mark.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _set(mark: Path, at: datetime) -> datetime:
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    os.utime(mark, (at.timestamp(), at.timestamp()))
    return at


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
