"""The scoring stage: the champion's predictions of everything due, with reasons.

Features are read at the cut-off of each data day, whatever the day it is scored on. What was
scored is kept in the lake beside its prediction, for monitoring and for questions asked later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from include import healing
from include.declare import UseCase
from include.errors import NoChampion, RowsLost
from include.features import retrieval
from include.lake import fingerprint, names
from include.lake.schema import ARROW_TYPES
from include.scoring.reasons import explain
from include.training import ledger, model
from include.training.encoding import numbers
from include.training.ledger import Champion
from include.training.model import Model
from include.warehouse.replace import replace_scores
from include.warehouse.stages import (
    Commit,
    DayState,
    StageResult,
    StageRun,
    day_states,
    stage_run,
)
from include.warehouse.tables import score_runs
from include.warehouse.use_cases import use_case_tables
from include.window import Window, describe_days
from include.workspace import Workspace

STAGE = "score"


def score(
    workspace: Workspace, use_case: UseCase, window: Window, heal_days: int = 0
) -> StageResult:
    """Score the days of `window` that are due, and due days up to `heal_days` before it.

    A night (`heal_days` above 0) scores days never scored since the use case went into
    service, the day after its first champion's as-of day, and scores a published day again
    only while it is at most `restate_days` old. An explicit window scores every day whose
    features changed or whose scores are another model's than the champion's.

    Raises:
        NoChampion: nothing has been promoted.
        DaysStopped: days asked for have no features; the others are scored.
        RowsLost: entities due and scores differ in number; nothing was written.
        DataError: the champion's file is not the one that was promoted.
    """
    reached = healing.reach(use_case.dataset, window, heal_days, workspace.now)
    with stage_run(workspace.warehouse, STAGE, use_case.name, window, workspace.context) as run:
        champion, service_begins = _champion(workspace, use_case)
        nightly = heal_days > 0
        days = [day for day in reached if day in window or (nightly and day >= service_begins)]
        ready = _readiness(workspace, use_case, days)
        due = _due(workspace, use_case, run, ready.inputs, champion, nightly)
        scored = None
        if due:
            scored = _score(workspace, use_case, champion, due)
            run.begin(due)
            workspace.lake.replace_days(names.scored(use_case), scored.lake_rows, due, widen=True)
        with run.commit() as commit:
            if scored is not None:
                _record(workspace, use_case, commit, champion, scored, due, ready.inputs)
            _report_unready(commit, run, ready)
        return run.result.or_raise()


@dataclass(frozen=True)
class _Readiness:
    """Data day → input hash of the days that can be scored, and why others cannot."""

    inputs: Mapping[date, str]
    waiting: Mapping[date, str]
    absent: Mapping[date, str]


@dataclass(frozen=True)
class _Scored:
    """Scores of some days, ready to be written."""

    rows: pd.DataFrame
    lake_rows: pa.Table
    lake_versions: Mapping[str, int]
    rows_due: int


def _champion(workspace: Workspace, use_case: UseCase) -> tuple[Champion, date]:
    """Return the champion and the first data day that is in service."""
    with workspace.warehouse.reading() as connection:
        champion = ledger.champion(connection, use_case.name)
        first = ledger.first_promotion(connection, use_case.name)
    if champion is None or first is None or first.as_of is None:
        raise NoChampion(
            f"{use_case.name} has no champion to score with; run ./nightshift train "
            f"{use_case.name} --as-of DAY --promote, or trigger {use_case.name}_train"
        )
    return champion, first.as_of + timedelta(days=1)


def _readiness(workspace: Workspace, use_case: UseCase, days: Sequence[date]) -> _Readiness:
    dataset = use_case.dataset
    with workspace.warehouse.reading() as connection:
        landing = day_states(connection, "ingest", dataset.name, days)
        building = day_states(connection, "features", dataset.name, days)
    constant = fingerprint.of_values(
        use_case.feature_service,
        use_case.training.schedule_features,
        use_case.horizons,
        use_case.scoring.exact_reasons,
        [column.name for column in (*use_case.entity_keys, *use_case.score_columns)],
        (use_case.folder / "entities.sql").read_text(encoding="utf-8"),
    )
    inputs, waiting, absent = {}, {}, {}
    for day in days:
        landed, built = landing.get(day), building.get(day)
        if landed is not None and landed.state == "absent":
            absent[day] = f"the source does not have the day ({landed.reason})"
        elif landed is None or landed.state != "done":
            waiting[day] = f"the day has not landed ({_state(landed)})"
        elif built is None or built.state != "done":
            waiting[day] = f"its features are not built ({_state(built)})"
        else:
            inputs[day] = fingerprint.of_values(constant, landed.output_hash, built.output_hash)
    return _Readiness(inputs, waiting, absent)


def _state(state: DayState | None) -> str:
    if state is None:
        return "not there"
    return f"{state.state}: {state.reason}" if state.reason else state.state


def _due(
    workspace: Workspace,
    use_case: UseCase,
    run: StageRun,
    inputs: Mapping[date, str],
    champion: Champion,
    nightly: bool,
) -> list[date]:
    if nightly:
        oldest = run.window.end - timedelta(days=use_case.scoring.restate_days)
        return run.due(inputs, restate=lambda day: day >= oldest)
    scores = use_case_tables(use_case).scores.c
    stale = (
        sa.select(scores.data_day)
        .distinct()
        .where(
            scores.data_day.between(run.window.start, run.window.end),
            scores.model_version != champion.model_version,
        )
    )
    with workspace.warehouse.reading() as connection:
        other_model = set(connection.execute(stale).scalars())
    return sorted({*run.due(inputs), *(day for day in inputs if day in other_model)})


def _score(
    workspace: Workspace, use_case: UseCase, champion: Champion, days: Sequence[date]
) -> _Scored:
    """Predict and explain everything due on `days`; writes nothing."""
    serving = model.load(champion.artifact_uri, champion.sha256)
    due = retrieval.entity_frame(workspace, use_case, days)
    versions = retrieval.lake_versions(workspace, use_case)
    frame = retrieval.add_features(workspace, use_case, due) if len(due) else due
    keys = ["data_day", "target_date", *use_case.key_names]
    if not len(due):
        frame = due.reindex(columns=list(dict.fromkeys([*due.columns, *serving.facts.features])))
    if len(frame) != len(due) or not frame[keys].reset_index(drop=True).equals(
        due[keys].reset_index(drop=True)
    ):
        raise RowsLost(
            f"{use_case.name}: {len(due)} entities are due on {describe_days(days)} and "
            f"{len(frame)} came back from the feature store, or not the same; nothing was written"
        )
    predictions = serving.predict(frame)
    reasons = explain(
        serving, frame, predictions, use_case.key_names, use_case.scoring.exact_reasons
    )
    columns = [*keys, *(column.name for column in use_case.score_columns)]
    rows = pd.concat([frame[list(dict.fromkeys(columns))], reasons], axis=1).assign(
        prediction=predictions,
        decision=predictions >= serving.facts.threshold,
        threshold=serving.facts.threshold,
        model_version=champion.model_version,
    )
    lake_rows = _lake_rows(use_case, serving, champion, frame, predictions)
    return _Scored(rows, lake_rows, versions, len(due))


def _lake_rows(
    use_case: UseCase,
    serving: Model,
    champion: Champion,
    frame: pd.DataFrame,
    predictions: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> pa.Table:
    """Return what was scored: keys, features as the model saw them, prediction, model."""
    columns: dict[str, pa.Array] = {
        "data_day": pa.array(frame["data_day"], pa.date32()),
        "target_date": pa.array(frame["target_date"], pa.date32()),
    }
    for column in use_case.entity_keys:
        columns[column.name] = pa.array(
            frame[column.name], ARROW_TYPES[column.type], from_pandas=True
        )
    for name in serving.facts.features:
        if name in columns:
            continue
        if name in serving.facts.categories:
            columns[name] = pa.array(frame[name], pa.string(), from_pandas=True)
        else:
            columns[name] = pa.array(numbers(frame[name]), pa.float64(), from_pandas=True)
    columns["prediction"] = pa.array(predictions, pa.float64())
    columns["model_version"] = pa.array([champion.model_version] * len(frame), pa.string())
    return pa.table(columns)


def _record(
    workspace: Workspace,
    use_case: UseCase,
    commit: Commit,
    champion: Champion,
    scored: _Scored,
    due: Sequence[date],
    inputs: Mapping[date, str],
) -> None:
    """Write scores, lineage and days into the one transaction that makes them true."""
    if len(scored.rows) != scored.rows_due:
        raise RowsLost(f"{use_case.name}: {scored.rows_due} due, {len(scored.rows)} scored")
    tables = use_case_tables(use_case)
    change = replace_scores(commit.connection, tables, due, scored.rows, commit.run_id, commit.at)
    commit.connection.execute(
        sa.insert(score_runs).values(
            run_id=commit.run_id,
            use_case=use_case.name,
            model_version=champion.model_version,
            model_sha256=champion.sha256,
            feature_service=use_case.feature_service,
            lake_versions=dict(scored.lake_versions),
            rows_due=scored.rows_due,
            rows_scored=len(scored.rows),
            rows_changed=change.rows_changed,
            content_hash=change.content_hash,
            code_revision=workspace.context.code_revision,
            data_days=[day.isoformat() for day in due],
        )
    )
    commit.count(rows_in=scored.rows_due, rows_out=len(scored.rows))
    written = workspace.lake.versions([names.scored(use_case)])
    commit.versions(inputs=scored.lake_versions, outputs=written)
    if change.removed or change.updated:
        commit.note(f"{change.removed + change.updated} published score(s) were restated")
    for day in due:
        commit.done(day, inputs[day], change.day_hashes[day])


def _report_unready(commit: Commit, run: StageRun, ready: _Readiness) -> None:
    """Say which days cannot be scored: as outcomes if asked for, else in a note.

    A published day keeps its scores and its state, whatever has become of its inputs.
    """
    older = []
    for day, why in sorted({**ready.waiting, **ready.absent}.items()):
        before = run.states.get(day)
        if before is not None and before.state == "done":
            commit.note(f"{day} keeps its scores, though {why}")
        elif day not in run.window:
            older.append(day)
        elif day in ready.absent:
            commit.absent(day, why)
        else:
            commit.stopped(day, None, why)
    if older:
        commit.note(f"{len(older)} earlier day(s) cannot be scored yet: {describe_days(older)}")
