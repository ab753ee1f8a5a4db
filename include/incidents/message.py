"""What people are told: a short title, plain text, and the same as values for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten
from typing import Any, Literal

from include.incidents.book import Incident
from include.incidents.cause import KINDS

Event = Literal["opened", "again", "over"]
"""Opened: it is new. Again: a newer day joined, or its silence ended. Over: it is no longer so."""

SPELT_OUT = 3
"""With more news than this, each gets a line and no paragraph."""

MOST_LINES = 30
LINE_CHARACTERS = 200
"""A summary's lines, and how much of each incident's detail."""

HOW_BAD = {
    "critical": "critical: scores are missing, late or in doubt",
    "warning": "warning: nothing is missing this morning, and it may be soon",
    "info": "info",
}


@dataclass(frozen=True)
class News:
    """What has to be said of one incident, as it was when it was read."""

    incident: Incident
    event: Event


@dataclass(frozen=True)
class Message:
    """One message to people.

    Attributes:
        title: a short line.
        text: plain, in lines.
        severity: the worst of what is new; info when all is over.
        events: the news as values, for machines.
    """

    title: str
    text: str
    severity: str
    events: tuple[Mapping[str, Any], ...]


def compose(news: Sequence[News], runbook: str) -> Message:
    """Return one message about all the news, a summary when there are many.

    Args:
        news: at least one, the worst first.
        runbook: where the runbook is; links add the kind.
    """
    severity = next((it.incident.severity for it in news if it.event != "over"), "info")
    few = len(news) <= SPELT_OUT
    text = "\n\n".join(_paragraph(it, runbook) for it in news) if few else _summary(news, runbook)
    events = tuple(_values(it, runbook) for it in news)
    return Message(_title(news, severity), text, severity, events)


def link(kind: str, runbook: str) -> str:
    """Return where the runbook speaks of a kind of incident."""
    return f"{runbook}#{kind}"


def _title(news: Sequence[News], severity: str) -> str:
    if len(news) == 1:
        return _headline(news[0])
    counts = Counter(it.event for it in news)
    words: dict[Event, str] = {"opened": "new", "again": "still open", "over": "over"}
    told = ", ".join(f"{counts[event]} {word}" for event, word in words.items() if counts[event])
    subjects = ", ".join(sorted({it.incident.subject for it in news}))
    prefix = "" if severity == "info" else f"{severity}: "
    return f"{prefix}{told} ({subjects})"


def _headline(it: News) -> str:
    incident = it.incident
    kind = KINDS.get(incident.kind)
    what = kind.title.format(cause=incident.cause) if kind else incident.kind
    state = {"opened": incident.severity, "again": f"{incident.severity}, still", "over": "over"}
    return f"{state[it.event]}: {incident.subject}, {what}"


def _paragraph(it: News, runbook: str) -> str:
    return "\n".join((_headline(it), *(f"  {line}" for line in _lines(it, runbook))))


def _lines(it: News, runbook: str) -> Iterator[str]:
    incident = it.incident
    yield f"what: {incident.detail}"
    yield f"since: {_instant(incident.since)}"
    if incident.resolved_at is not None:
        yield f"over since: {_instant(incident.resolved_at)}"
        return
    yield f"how bad: {HOW_BAD[incident.severity]}"
    yield f"what to do: {to_do(incident)}"
    yield f"runbook: {link(incident.kind, runbook)}"
    yield (
        f"silence it: ./nightshift acknowledge {incident.number} --until YYYY-MM-DD --reason TEXT"
    )


def _summary(news: Sequence[News], runbook: str) -> str:
    lines = [
        f"{_headline(it)} (incident {it.incident.number}): "
        f"{shorten(it.incident.detail, LINE_CHARACTERS, placeholder=' …')}"
        for it in news
    ]
    rest = len(lines) - MOST_LINES
    more = [f"and {rest} more"] if rest > 0 else []
    kinds = sorted({it.incident.kind for it in news if it.event != "over"})
    links = [f"runbook: {link(kind, runbook)}" for kind in kinds]
    where = "everything that is open, and its numbers: ./nightshift incidents"
    return "\n".join([*lines[:MOST_LINES], *more, "", where, *links])


def _values(it: News, runbook: str) -> dict[str, Any]:
    incident = it.incident
    over = incident.resolved_at
    return {
        "event": it.event,
        "incident": incident.number,
        "subject": incident.subject,
        "kind": incident.kind,
        "cause": incident.cause,
        "severity": incident.severity,
        "what": incident.detail,
        "since": incident.since.isoformat(timespec="seconds"),
        "over_since": over.isoformat(timespec="seconds") if over else None,
        "first_day": incident.first_day.isoformat() if incident.first_day else None,
        "last_day": incident.data_day.isoformat() if incident.data_day else None,
        "what_to_do": to_do(incident),
        "runbook": link(incident.kind, runbook),
    }


def to_do(incident: Incident) -> str:
    """Return the first thing to do about an incident."""
    kind = KINDS.get(incident.kind)
    if kind is None:
        return "./nightshift incidents"
    return kind.to_do.format(subject=incident.subject, cause=incident.cause)


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
