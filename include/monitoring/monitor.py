"""The monitoring stage: how far each scored night is from what the model was trained on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import sqlalchemy as sa

from include import healing
from include.declare import UseCase
from include.errors import DataError
from include.lake import fingerprint, names
from include.monitoring import report
from include.monitoring.drift import Drift, Verdict, judge, measure
from include.training import ledger, model, reference
from include.training.model import REFERENCE, Facts
from include.training.reference import Reference
from include.training.split import as_days
from include.warehouse.replace import replace_days
from include.warehouse.stages import (
    Commit,
    DayState,
    StageResult,
    StageRun,
    day_states,
    stage_run,
)
from include.warehouse.tables import drift_metrics
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from include.workspace import Workspace

STAGE = "monitor"
MOST_NOTES = 14
MOST_REPORTS = 7
"""Reports one run writes, newest nights first; each takes seconds, and a backfill has many."""

_log = logging.getLogger(__name__)


def monitor(
    workspace: Workspace, use_case: UseCase, window: Window, heal_days: int = 0
) -> StageResult:
    """Measure the drift of scored days that are due: numbers, verdicts, reports.

    Each day is compared with the reference of the model that scored it. The verdicts are the
    notes of the result; `verdicts` reads them from the warehouse.

    Raises:
        DaysStopped: days asked for have no scores; the others are measured.
        DataError: a model or its reference is not the one that was registered.
    """
    reached = healing.reach(use_case.dataset, window, heal_days, workspace.now)
    with stage_run(workspace.warehouse, STAGE, use_case.name, window, workspace.context) as run:
        with workspace.warehouse.reading() as connection:
            scoring = day_states(connection, "score", use_case.name, reached.days)
        settings = asdict(use_case.monitoring)
        inputs = {
            day: fingerprint.of_values(settings, state.output_hash)
            for day, state in scoring.items()
            if state.state == "done"
        }
        due = run.due(inputs)
        nights = _measure(workspace, use_case, due)
        run.begin(due)
        pages, failures = _write_reports(workspace, use_case, nights)
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
    table = drift_metrics.c
    query = (
        sa.select(drift_metrics)
        .where(table.use_case == use_case.name, table.data_day.in_(list(days)))
        .order_by(table.data_day, table.kind, table.column_name)
    )
    found = [
        Drift(
            row.data_day,
            row.column_name,
            row.kind,
            row.method,
            row.value,
            row.threshold,
            row.drifted,
            row.importance,
        )
        for row in connection.execute(query)
    ]
    return judge(found, use_case.monitoring, {})


@dataclass(frozen=True)
class _Night:
    """One measured day; without rows it has no verdict."""

    day: date
    version: str
    rows: pd.DataFrame
    drifts: tuple[Drift, ...]
    reference: Reference | None
    verdict: Verdict | None


def _measure(workspace: Workspace, use_case: UseCase, days: Sequence[date]) -> list[_Night]:
    """Measure days, all those that one model scored in one pass."""
    if not days:
        return []
    frame = workspace.lake.read(names.scored(use_case), days).to_pandas()
    nights = []
    for version, rows in frame.groupby("model_version", sort=True):
        nights += _measure_version(workspace, use_case, str(version), rows)
    empty = set(days) - {night.day for night in nights}
    nights += [_Night(day, "", frame.iloc[:0], (), None, None) for day in empty]
    return sorted(nights, key=lambda night: night.day)


def _measure_version(
    workspace: Workspace, use_case: UseCase, version: str, rows: pd.DataFrame
) -> list[_Night]:
    facts, profile = _profile(workspace, use_case, version)
    scored = as_days(rows["data_day"])
    found, blocks = np.unique(scored, return_inverse=True)
    days = [day.item() for day in found]
    drifts = measure(profile, rows, days, blocks, facts.importance)
    judged = judge(drifts, use_case.monitoring, facts.words)
    return [
        _Night(
            day=day,
            version=version,
            rows=rows[blocks == place],
            drifts=tuple(drift for drift in drifts if drift.data_day == day),
            reference=profile,
            verdict=verdict,
        )
        for place, (day, verdict) in enumerate(zip(days, judged, strict=True))
    ]


def _profile(workspace: Workspace, use_case: UseCase, version: str) -> tuple[Facts, Reference]:
    with workspace.warehouse.reading() as connection:
        entry = ledger.registration(connection, use_case.name, version)
    if entry is None:
        raise DataError(
            f"{use_case.name}: scores name model version {version}, which the ledger does not "
            "know; score those days again"
        )
    facts = model.load(entry.artifact_uri, entry.sha256).facts
    with model.local_folder(entry.artifact_uri) as folder:
        return facts, reference.load(folder / REFERENCE, facts.reference_id)


def _write_reports(
    workspace: Workspace, use_case: UseCase, nights: Sequence[_Night]
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
    use_case: UseCase, commit: Commit, nights: Sequence[_Night], inputs: Mapping[date, str]
) -> None:
    """Write numbers, notes and days into the one transaction that makes them true."""
    rows = [
        {
            "use_case": use_case.name,
            "data_day": drift.data_day,
            "column_name": drift.column,
            "kind": drift.kind,
            "method": drift.method,
            "value": drift.value,
            "threshold": drift.threshold,
            "drifted": drift.drifted,
            "reference_id": night.reference.id,
            "importance": drift.importance,
            "run_id": commit.run_id,
        }
        for night in nights
        if night.reference is not None
        for drift in night.drifts
    ]
    days = [night.day for night in nights]
    mine = {"use_case": use_case.name}
    replace_days(commit.connection, drift_metrics, "data_day", days, rows, mine)
    commit.count(rows_in=sum(len(night.rows) for night in nights), rows_out=len(rows))
    for night in nights:
        identity = None if night.reference is None else night.reference.id
        content = fingerprint.of_values(identity, [asdict(drift) for drift in night.drifts])
        commit.done(night.day, inputs[night.day], content)
    _note_verdicts(commit, nights)


def _note_verdicts(commit: Commit, nights: Sequence[_Night]) -> None:
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
