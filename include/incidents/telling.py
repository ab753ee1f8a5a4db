"""Who has to be told of what, and that it was told: at least once, on every channel.

A delivery is written after its channel has returned, in a transaction of its own. A process
that dies in between tells again; a channel that fails is asked again at the next look, and
keeps no other from telling.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from include.incidents import book
from include.incidents.book import Incident
from include.incidents.cause import KINDS
from include.incidents.message import Event, Message, News, compose
from include.warehouse import runs
from include.warehouse.locks import lock
from include.warehouse.monitoring_tables import incident_deliveries, incidents
from include.warehouse.silences import Silence, silences
from include.workspace import Workspace

_log = logging.getLogger(__name__)

Send = Callable[[Message], None]
"""Tells people; returns when the message is out of our hands, and raises when it is not."""

STILL_NEWS = timedelta(days=1)
"""An incident that was over before a channel could tell of it is told of for so long."""


def tell(workspace: Workspace, channels: Mapping[str, Send]) -> dict[str, str]:
    """Tell every channel what it has not told, in one message each.

    Returns channel → why it failed, of those that failed; they are asked again next time.

    Raises:
        LockHeld: somebody else is telling and does not end.
        StorageUnavailable: the warehouse cannot be used.
    """
    failed = {}
    with lock(workspace.warehouse, "incidents", "telling"):
        for channel, send in channels.items():
            now = workspace.context.instant()
            with workspace.warehouse.reading() as connection:
                found = news(connection, channel, now)
            if not found:
                continue
            try:
                send(compose(found, workspace.settings.runbook))
            except Exception as error:  # a broken channel must not silence the others
                failed[channel] = runs.one_line(error)
                _log.error("alerts by %s failed, the next look tries again: %s", channel, error)
                continue
            with workspace.warehouse.transaction() as connection:
                mark(connection, channel, found, workspace.context.instant())
    return failed


def news(connection: sa.Connection, channel: str, now: datetime) -> list[News]:
    """Return what a channel has to tell now, what is worst first."""
    told = incident_deliveries.c
    mine = sa.and_(told.incident == incidents.c.incident, told.channel == channel)
    query = sa.select(incidents, told.told_at, told.told_day).join(
        incident_deliveries, mine, isouter=True
    )
    untold = sa.or_(incidents.c.resolved_at.is_(None), told.told_over_at.is_(None))
    silent = silences(connection)
    found = []
    for row in connection.execute(query.where(untold).order_by(incidents.c.since)):
        incident = book.as_incident(row)
        before = None if row.told_at is None else _Told(row.told_at, row.told_day)
        event = _event(incident, before, silent.get(incident.number), now)
        if event is not None:
            found.append(News(incident, event))
    order = {"critical": 0, "warning": 1, "info": 2}
    return sorted(found, key=lambda it: (it.event == "over", order[it.incident.severity]))


def mark(connection: sa.Connection, channel: str, told: Sequence[News], at: datetime) -> None:
    """Write that a channel has told people."""
    rows = list(_deliveries(channel, told, at))
    table = incident_deliveries.c
    connection.execute(
        sa.delete(incident_deliveries).where(
            table.channel == channel, table.incident.in_([row["incident"] for row in rows])
        )
    )
    connection.execute(sa.insert(incident_deliveries), rows)


@dataclass(frozen=True)
class _Told:
    """What a channel said last of an incident while it was open."""

    at: datetime
    day: date | None


def _event(
    incident: Incident, told: _Told | None, silence: Silence | None, now: datetime
) -> Event | None:
    """Return what has to be said of an incident, or None."""
    if incident.resolved_at is not None:
        missed = silence is None and incident.resolved_at > now - STILL_NEWS
        return "over" if told is not None or missed else None
    if silence is not None and silence.holds(now):
        return None
    if told is None:
        return "opened"
    silence_ended = silence is not None and silence.until is not None and told.at < silence.until
    by_day = incident.kind in KINDS and KINDS[incident.kind].by_day
    day = incident.data_day
    newer_day = by_day and day is not None and (told.day is None or day > told.day)
    return "again" if silence_ended or newer_day else None


def _deliveries(channel: str, told: Sequence[News], at: datetime) -> Iterator[dict[str, Any]]:
    for it in told:
        yield {
            "incident": it.incident.number,
            "channel": channel,
            "told_at": at,
            "told_day": it.incident.data_day,
            "told_over_at": at if it.event == "over" else None,
        }
