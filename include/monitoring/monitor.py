"""The monitoring stage: how far each scored night is from what the model was trained on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from include import healing
from include.declare import UseCase
from include.lake import fingerprint
from include.monitoring import report
from include.monitoring.labels import matured
from include.monitoring.nights import Night, measure_nights
from include.monitoring.verdict import Verdict
from include.warehouse.monitoring_tables import drift_metrics, drift_verdicts
from include.warehouse.replace import replace_days
from include.warehouse.stages import (
    Commit,
    DayState,
    StageResult,
    StageRun,
    day_states,
    stage_run,
)
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from include.workspace import Workspace

STAGE = "monitor"
MOST_NOTES = 14
MOST_REPORTS = 7
"""Reports one run writes, newest nights first; each takes seconds, and a backfill has many."""

_log = logging.getLogger(__name__)


def monitor(
    workspace: Workspace,
    use_case: UseCase,
    window: Window,
    heal_days: int = 0,
    reports: bool = True,
) -> StageResult:
    """Measure the drift of scored days that are due: numbers, verdicts and, if asked for, reports.

    Each day is compared with the reference of the model that scored it. It is due again once
    the outcomes of all its target dates are mature, and its labels with them. The verdicts are
    the notes of the result; `verdicts` reads them from the warehouse.

    Raises:
        DaysStopped: days asked for have no scores; the others are measured.
        DataError: a model or its reference is not the one that was registered.
    """
    reached = healing.reach(use_case.dataset, window, heal_days, workspace.now)
    with stage_run(workspace.warehouse, STAGE, use_case.name, window, workspace.context) as run:
        with workspace.warehouse.reading() as connection:
            scoring = day_states(connection, "score", use_case.name, reached.days)
            mature = matured(connection, use_case, reached.days)
        settings = asdict(use_case.monitoring)
        inputs = {
            day: fingerprint.of_values(settings, state.output_hash, *mature.get(day, ()))
            for day, state in scoring.items()
            if state.state == "done"
        }
        due = run.due(inputs)
        nights = measure_nights(workspace, use_case, due, mature)
        run.begin(due)
        pages, failures = _write_reports(workspace, use_case, nights if reports else [])
        with run.commit() as commit:
            if due:
                _record(use_case, commit, nights, inputs)
            if pages:
                commit.note(f"{len(pages)} report(s) in {pages[0].parent}")
            for failure in failures:
                commit.note(failure)
            _report_unscored(commit, run, scoring)
        return run.result.or_raise()


def verdicts(connection: sa.Connection, use_case: UseCase, days: Sequence[date]) -> list[Verdict]:
    """Return the verdict of each monitored day of `days`, oldest first, from the warehouse."""
    table = drift_verdicts.c
    query = (
        sa.select(
            table.data_day,
            table.drifted,
            table.notable,
            table.moved,
            table.watched,
            table.words,
            table.weight,
        )
        .where(table.use_case == use_case.name, table.data_day.in_(list(days)))
        .order_by(table.data_day)
    )
    return [Verdict(*row) for row in connection.execute(query)]


def _write_reports(
    workspace: Workspace, use_case: UseCase, nights: Sequence[Night]
) -> tuple[list[Path], list[str]]:
    """Write the pages of nights worth reading: notable ones, and a model's first.

    Returns the pages, and in words those that failed: a page is a convenience, and the
    numbers must not wait for it.
    """
    if not nights:
        return [], []
    first = _first_nights(workspace, use_case)
    worth = [
        night
        for night in nights
        if night.verdict and (night.verdict.notable or first.get(night.version) == night.day)
    ]
    pages, failures = [], []
    for night in worth[-MOST_REPORTS:]:
        assert night.reference is not None, "a night with a verdict has a reference"
        path = report.path_of(workspace.settings.home, use_case.name, night.day)
        try:
            report.write(path, night.reference, night.rows, use_case.monitoring.drifted_share)
        except Exception as error:
            _log.warning("the report of %s could not be written", night.day, exc_info=True)
            failures.append(f"the report of {night.day} could not be written: {error}")
        else:
            pages.append(path)
    if len(worth) > MOST_REPORTS:
        _log.info("%d older nights worth reading got no page", len(worth) - MOST_REPORTS)
    return pages, failures


def _first_nights(workspace: Workspace, use_case: UseCase) -> dict[str, date]:
    scores = use_case_tables(use_case).scores.c
    query = sa.select(scores.model_version, sa.func.min(scores.data_day)).group_by(
        scores.model_version
    )
    with workspace.warehouse.reading() as connection:
        return {version: day for version, day in connection.execute(query)}


def _record(
    use_case: UseCase, commit: Commit, nights: Sequence[Night], inputs: Mapping[date, str]
) -> None:
    """Write numbers, verdicts, notes and days into the one transaction that makes them true."""
    days = [night.day for night in nights]
    mine = {"use_case": use_case.name}
    run = {**mine, "run_id": commit.run_id}
    numbers = [{**run, **row} for night in nights for row in _numbers(night)]
    judged = [{**run, **row} for night in nights for row in _verdict(night)]
    replace_days(commit.connection, drift_metrics, "data_day", days, numbers, mine)
    replace_days(commit.connection, drift_verdicts, "data_day", days, judged, mine)
    commit.count(rows_in=sum(len(night.rows) for night in nights), rows_out=len(numbers))
    for night in nights:
        identity = None if night.reference is None else night.reference.id
        verdict = None if night.verdict is None else asdict(night.verdict)
        drifts = [asdict(drift) for drift in night.drifts]
        commit.done(night.day, inputs[night.day], fingerprint.of_values(identity, drifts, verdict))
    _note_verdicts(commit, nights)


def _numbers(night: Night) -> Iterator[dict[str, Any]]:
    """Return the rows of `drift_metrics` of a night."""
    if night.reference is None:
        return
    for drift in night.drifts:
        row = asdict(drift)
        yield {**row, "column_name": row.pop("column"), "reference_id": night.reference.id}


def _verdict(night: Night) -> Iterator[dict[str, Any]]:
    """Return the row of `drift_verdicts` of a night, if it was judged."""
    if night.verdict is None:
        return
    row = asdict(night.verdict)
    yield {**row, "watched": row.pop("columns"), "model_version": night.version}


def _note_verdicts(commit: Commit, nights: Sequence[Night]) -> None:
    judged = [night.verdict for night in nights if night.verdict is not None]
    shown = judged
    if len(judged) > MOST_NOTES:
        drifted = sum(verdict.drifted for verdict in judged)
        commit.note(f"{drifted} of {len(judged)} nights drifted")
        shown = [verdict for verdict in judged if verdict.notable][-MOST_NOTES:]
    for verdict in shown:
        commit.note(f"{verdict.data_day}: {verdict.words}")


def _report_unscored(commit: Commit, run: StageRun, scoring: Mapping[date, DayState]) -> None:
    """Say which days asked for have no scores; days measured before keep their numbers."""
    for day in run.window:
        state, before = scoring.get(day), run.states.get(day)
        if state is not None and state.state == "done":
            continue
        if before is not None and before.state == "done":
            continue
        if state is not None and state.state == "absent":
            commit.absent(day, f"there is nothing to score ({state.reason})")
        else:
            why = "not there" if state is None else state.reason or state.state
            commit.stopped(day, None, f"the day has no scores ({why})")
