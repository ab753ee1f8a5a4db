"""Days that a stage stopped, that the source lacks, or that nobody ever asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from include import healing
from include.declare import Dataset, UseCase
from include.incidents.cause import (
    DAY_ABSENT,
    DAYS_MISSING,
    STAGE_STOPPED,
    Cause,
    Kind,
    Severity,
)
from include.incidents.look import Look
from include.warehouse.days import day_states
from include.warehouse.tables import score_holds, stage_days
from include.window import Window, describe_days

LATELY = timedelta(days=7)
"""A day further back than nights heal is told of when it stopped within so long: a backfill."""

UPSTREAM: Mapping[str, tuple[str, ...]] = {
    "quality": ("ingest",),
    "features": ("ingest",),
    "online": ("ingest", "features"),
    "score": ("ingest", "features"),
    "shadow": ("ingest", "features"),
    "monitor": ("ingest", "features", "score"),
    "performance": ("outcomes",),
}
"""Stage → those whose trouble with a day explains its own; all of a stage's days are of a kind."""

OF_DATASETS = frozenset({"ingest", "quality", "features", "online"})
NIGHTLY = frozenset({"ingest", "features", "score"})
"""Stages without which there are no scores in the morning."""

KINDS: Mapping[str, Kind] = {"stopped": STAGE_STOPPED, "absent": DAY_ABSENT}

_Days = Mapping[tuple[str, str], Mapping[date, sa.Row[Any]]]


def of_dataset(connection: sa.Connection, dataset: Dataset, look: Look) -> Iterator[Cause]:
    """Yield what is wrong with the days of a dataset's stages."""
    yield from _undone(connection, dataset, dataset.name, look)
    if (cause := _gap(connection, dataset, look)) is not None:
        yield cause


def of_use_case(connection: sa.Connection, use_case: UseCase, look: Look) -> Iterator[Cause]:
    """Yield what is wrong with the days of a use case's own stages; held scores are not."""
    yield from _undone(connection, use_case.dataset, use_case.name, look)


def _undone(
    connection: sa.Connection, dataset: Dataset, subject: str, look: Look
) -> Iterator[Cause]:
    """Yield a cause per stage and state, of days that nothing before the stage explains."""
    found = _not_done(connection, {dataset.name, subject})
    held = _held(connection, subject)
    for (stage, owner), days in sorted(found.items()):
        if owner != subject:
            continue
        for state, kind in KINDS.items():
            since = look.open.get((subject, kind.name, stage)) if state == "stopped" else None
            told = [
                row
                for day, row in sorted(days.items())
                if row.state == state
                and _in_reach(row, dataset, look, since)
                and not _explained(found, stage, subject, dataset, day)
                and not (stage == "score" and day in held)
            ]
            if told:
                yield _cause(kind, stage, subject, told, look.newest(dataset))


def _not_done(connection: sa.Connection, subjects: set[str]) -> _Days:
    """Return stage and subject → day → its row, of days that are not done."""
    table = stage_days.c
    query = sa.select(stage_days).where(table.subject.in_(subjects), table.state != "done")
    found: dict[tuple[str, str], dict[date, sa.Row[Any]]] = {}
    for row in connection.execute(query):
        found.setdefault((row.stage, row.subject), {})[row.data_day] = row
    return found


def _held(connection: sa.Connection, use_case: str) -> set[date]:
    query = sa.select(score_holds.c.data_day).where(score_holds.c.use_case == use_case)
    return set(connection.scalars(query))


def _in_reach(row: sa.Row[Any], dataset: Dataset, look: Look, since: date | None) -> bool:
    """Return whether people want to hear of a day.

    A day that was told of is, until it is repaired: growing old repairs nothing.
    """
    return (
        row.data_day >= look.healed_from(dataset)
        or row.at >= look.now - LATELY
        or (since is not None and row.data_day >= since)
    )


def _explained(found: _Days, stage: str, subject: str, dataset: Dataset, day: date) -> bool:
    return any(
        day in found.get((before, dataset.name if before in OF_DATASETS else subject), {})
        for before in UPSTREAM.get(stage, ())
    )


def _cause(
    kind: Kind, stage: str, subject: str, rows: list[sa.Row[Any]], newest_day: date
) -> Cause:
    days = [row.data_day for row in rows]
    newest = rows[-1]
    verb = "stopped" if kind is STAGE_STOPPED else "has nothing for"
    why = newest.reason or "it did not say why"
    count = "" if len(days) == 1 else f" {len(days)} days:"
    told = f"{stage} of {subject} {verb}{count} {describe_days(days)}"
    others = len({row.reason for row in rows}) - 1
    more = f" (and {others} other reason(s) on older days)" if others else ""
    severity: Severity = "critical" if stage in NIGHTLY and days[-1] >= newest_day else "warning"
    return Cause(
        subject=subject,
        kind=kind,
        severity=severity,
        detail=f"{told}; {newest.data_day}: {why}{more}",
        cause=stage,
        first_day=days[0],
        last_day=days[-1],
    )


def _gap(connection: sa.Connection, dataset: Dataset, look: Look) -> Cause | None:
    """Return that days further back than a night heals were never asked for, or None."""
    known = day_states(connection, "ingest", dataset.name)
    newest = look.newest(dataset)
    if not known or newest < dataset.first_day:
        return None
    reached = Window(look.healed_from(dataset), newest)
    note = healing.gap_note(dataset, known, reached, f"{dataset.name}_backfill")
    if note is None:
        return None
    return Cause(
        subject=dataset.name,
        kind=DAYS_MISSING,
        severity="warning",
        detail=note,
        last_day=reached.start - timedelta(days=1),
    )
