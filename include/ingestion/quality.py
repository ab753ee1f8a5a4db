"""The quality stage: volume, missing values and freshness of landed days beside what is usual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from itertools import groupby

import sqlalchemy as sa

from include import healing
from include.declare import Dataset
from include.ingestion import usual
from include.ingestion.reading import event_tables
from include.ingestion.usual import Measure
from include.lake import fingerprint
from include.lake.schema import DATA_DAY
from include.warehouse.monitoring_tables import data_quality
from include.warehouse.replace import replace_days
from include.warehouse.stages import Commit, DayState, StageResult, day_states, stage_run
from include.window import Window
from include.workspace import Workspace

STAGE = "quality"
MOST_NOTES = 10

GRACE = timedelta(days=1)
"""How long after giving up a landing still tells of the source: the next night heals the day. A
day that comes later was fetched by somebody, and how long that took says nothing."""


def measure_quality(
    workspace: Workspace, dataset: Dataset, window: Window, heal_days: int = 0
) -> StageResult:
    """Measure landed days that are due, beside what the days before them make usual.

    A day is due when it was never measured, or when it or a day it is compared with has landed
    with other rows since. What is unusual is recorded and noted; it stops nothing. Tables that
    hold a state are left out: of what they were on a day nothing is kept. A day that has stopped
    since keeps what was measured of its last good landing.

    How long a day took to land is what its first measurement found. It is empty for a day that
    came later than the night after it would have healed it, such as a day of a backfill.

    Raises:
        StorageUnavailable: a lake table cannot be read.
        UsageError: the window is not one of the dataset.
    """
    reached = healing.reach(dataset, window, heal_days, workspace.now)
    with stage_run(workspace.warehouse, STAGE, dataset.name, window, workspace.context) as run:
        with workspace.warehouse.reading() as connection:
            landing = day_states(connection, "ingest", dataset.name)
            before = _hours_before(connection, dataset)
        landed = {day: state for day, state in landing.items() if state.state == "done"}
        inputs = _inputs(dataset, reached, landed)
        due = run.due(inputs)
        run.begin(due)
        found: list[Measure] = []
        if due:
            hours = _hours_to_land(dataset, due, landed, before)
            found = usual.compare(workspace.lake, dataset, set(due), landed, hours)
        with run.commit() as commit:
            _record(dataset, commit, found, {day: inputs[day] for day in due}, run.states)
        return run.result


def _inputs(dataset: Dataset, reached: Window, landed: Mapping[date, DayState]) -> dict[date, str]:
    """Return day → fingerprint of the landings that what is said of it depends on."""
    declared = fingerprint.of_values(
        asdict(dataset.quality),
        [
            (table.name, [(column.name, column.nullable) for column in table.columns])
            for table in event_tables(dataset)
        ],
    )
    back = dataset.quality.lookback_days
    contents = {day: state.output_hash for day, state in landed.items()}
    return {
        day: fingerprint.of_values(
            declared, [contents.get(day - timedelta(days=n)) for n in range(back + 1)]
        )
        for day in reached
        if day in landed
    }


def _hours_before(connection: sa.Connection, dataset: Dataset) -> dict[date, float | None]:
    """Return day → hours to land, of the days that were measured before."""
    table = data_quality.c
    query = sa.select(table.data_day, table.value).where(
        table.dataset == dataset.name, table.metric == "hours_to_land"
    )
    return {row.data_day: row.value for row in connection.execute(query)}


def _hours_to_land(
    dataset: Dataset,
    due: Iterable[date],
    landed: Mapping[date, DayState],
    before: Mapping[date, float | None],
) -> dict[date, float]:
    """Return day → hours from its end to its first landing, where that tells of the source.

    A day that lands again has another time in `stage_days`; what was found first stays.
    """
    found = dict(before)
    for day in due:
        if day not in before:
            took = landed[day].at - dataset.ends_at(day)
            usable = dataset.ends_at(day) + took <= dataset.gives_up_at(day) + GRACE
            found[day] = round(took / timedelta(hours=1), 3) if usable else None
    return {day: hours for day, hours in found.items() if hours is not None}


def _record(
    dataset: Dataset,
    commit: Commit,
    found: Sequence[Measure],
    inputs: Mapping[date, str],
    before: Mapping[date, DayState],
) -> None:
    """Replace the days that differ from before; say what is done and what is unusual."""
    by_day = {day: list(it) for day, it in groupby(found, key=lambda measure: measure.data_day)}
    hashes = {day: fingerprint.of_values([asdict(it) for it in by_day[day]]) for day in inputs}
    changed = [day for day in inputs if day not in before or before[day].output_hash != hashes[day]]
    scope = {"dataset": dataset.name}
    rows = [
        {**scope, **asdict(measure), "run_id": commit.run_id}
        for day in changed
        for measure in by_day[day]
    ]
    replace_days(commit.connection, data_quality, DATA_DAY, changed, rows, scope)
    commit.count(rows_in=_rows(found), rows_out=_rows(found))
    for day, input_hash in inputs.items():
        commit.done(day, input_hash, hashes[day])
    for line in notes(found):
        commit.note(line)


def notes(found: Sequence[Measure]) -> list[str]:
    """Return what is unusual in words, newest first; a long window only the beginning of it."""
    unusual = sorted((it for it in found if it.unusual), key=lambda it: it.data_day, reverse=True)
    told = [f"unusual: {it.words()}" for it in unusual[:MOST_NOTES]]
    if len(unusual) > MOST_NOTES:
        days = len({it.data_day for it in unusual})
        told.append(
            f"{len(unusual)} values of {days} days are unusual in all; the table data_quality "
            "has them"
        )
    return told


def _rows(found: Iterable[Measure]) -> int:
    return round(sum(it.value or 0 for it in found if it.metric == "rows"))
