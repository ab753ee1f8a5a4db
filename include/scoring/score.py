"""The scoring stage: predictions of everything due, with reasons, by the models in charge.

What was scored is kept in the lake beside its prediction, for monitoring and for questions
asked later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from include import healing
from include.declare import UseCase
from include.declare_model import ModelPolicy
from include.errors import RowsLost
from include.lake import names
from include.scoring import assignment
from include.scoring.assignment import Assignment
from include.scoring.batch import Batch, score_days
from include.scoring.frame import Readiness, assemble, readiness
from include.training import ledger
from include.training.ledger import Entry
from include.warehouse.replace import Restatement, ScoreChange, replace_scores
from include.warehouse.stages import Commit, StageResult, StageRun, stage_run
from include.warehouse.tables import score_runs
from include.warehouse.use_cases import use_case_tables
from include.window import Window, describe_days
from include.workspace import Workspace

STAGE = "score"


def score(
    workspace: Workspace,
    use_case: UseCase,
    window: Window,
    heal_days: int = 0,
    policy: ModelPolicy | None = None,
    pinned: str | None = None,
) -> StageResult:
    """Score the days of `window` that are due, and due days up to `heal_days` before it.

    A night (`heal_days` above 0) scores days never scored since the use case went into
    service, the day after its first champion's as-of day, and scores a published day again
    only while it is at most `restate_days` old. An explicit window scores every day whose
    features changed or whose scores are another model's than its policy gives.

    Args:
        workspace: lake, warehouse and time.
        use_case: whose entities are scored.
        window: data days.
        heal_days: how far before the window a night looks; 0 for an explicit window.
        policy: which model scores a window's days, see `assignment`; as declared when None.
        pinned: the version of the policy `pinned`.

    Raises:
        NoChampion: nothing has been promoted.
        UsageError: the policy does not fit, or the pinned version is unknown.
        DaysStopped: days asked for have no features or no model; the others are scored.
        RowsLost: entities due and scores differ in number; nothing was written.
        DataError: a model's file is not the one that was registered.
    """
    reached = healing.reach(use_case.dataset, window, heal_days, workspace.now)
    nightly = heal_days > 0
    chosen, version = assignment.choose(use_case, nightly, policy, pinned)
    with stage_run(workspace.warehouse, STAGE, use_case.name, window, workspace.context) as run:
        with workspace.warehouse.reading() as connection:
            first = ledger.first_promotion(connection, use_case.name) if nightly else None
            days = [day for day in reached if day in window or _in_service(day, first)]
            models = assignment.assign(connection, use_case, days, chosen, version)
        ready = readiness(workspace, use_case, days).without(models.without)
        due = _due(workspace, use_case, run, ready.inputs, models, nightly)
        batches = _score(workspace, use_case, models, due) if due else []
        if due:
            run.begin(due)
            kept = pa.concat_tables([it.lake_rows for it in batches], promote_options="default")
            workspace.lake.replace_days(names.scored(use_case), kept, due, widen=True)
        with run.commit() as commit:
            if due:
                _record(workspace, use_case, commit, batches, models.policy, ready.inputs)
            _report_unready(commit, run, ready)
        return run.result.or_raise()


def _in_service(day: date, first: Entry | None) -> bool:
    """Return whether a day comes after the as-of day of the first champion."""
    return first is not None and first.as_of is not None and day > first.as_of


def _due(
    workspace: Workspace,
    use_case: UseCase,
    run: StageRun,
    inputs: Mapping[date, str],
    models: Assignment,
    nightly: bool,
) -> list[date]:
    if nightly:
        oldest = run.window.end - timedelta(days=use_case.scoring.restate_days)
        return run.due(inputs, restate=lambda day: day >= oldest)
    scores = use_case_tables(use_case).scores.c
    scored = (
        sa.select(scores.data_day, scores.model_version)
        .distinct()
        .where(scores.data_day.between(run.window.start, run.window.end))
    )
    with workspace.warehouse.reading() as connection:
        others = {
            day
            for day, version in connection.execute(scored)
            if day in inputs and version != models.of[day].model_version
        }
    return sorted({*run.due(inputs), *others})


def _score(
    workspace: Workspace, use_case: UseCase, models: Assignment, due: Sequence[date]
) -> list[Batch]:
    """Return the scores of `due`, model by model; writes nothing."""
    frame = assemble(workspace, use_case, due)
    batches = [score_days(use_case, entry, frame, days) for entry, days in models.groups(due)]
    scored = sum(len(batch.rows) for batch in batches)
    if scored != len(frame.rows):
        raise RowsLost(f"{use_case.name}: {len(frame.rows)} due, {scored} scored")
    return batches


def _record(
    workspace: Workspace,
    use_case: UseCase,
    commit: Commit,
    batches: Sequence[Batch],
    policy: ModelPolicy,
    inputs: Mapping[date, str],
) -> None:
    """Write scores, lineage and days into the one transaction that makes them true."""
    tables = use_case_tables(use_case)
    restated = Restatement()
    for batch in batches:
        change = replace_scores(
            commit.connection, tables, batch.days, batch.rows, commit.run_id, commit.at
        )
        lineage = _lineage(workspace, use_case, batch, change)
        values = {**lineage, "run_id": commit.run_id, "model_policy": policy}
        commit.connection.execute(sa.insert(score_runs).values(**values))
        commit.count(rows_in=batch.rows_due, rows_out=len(batch.rows))
        commit.versions(inputs=batch.lake_versions)
        for day in batch.days:
            commit.done(day, inputs[day], change.day_hashes[day])
        restated += change.restated
    commit.versions(outputs=workspace.lake.versions([names.scored(use_case)]))
    if restated:
        commit.note(str(restated))


def _lineage(
    workspace: Workspace, use_case: UseCase, batch: Batch, change: ScoreChange
) -> dict[str, Any]:
    return {
        "use_case": use_case.name,
        "model_version": batch.entry.model_version,
        "model_sha256": batch.entry.sha256,
        "feature_service": use_case.feature_service,
        "lake_versions": dict(batch.lake_versions),
        "rows_due": batch.rows_due,
        "rows_scored": len(batch.rows),
        "rows_changed": change.rows_changed,
        "content_hash": change.content_hash,
        "code_revision": workspace.context.code_revision,
        "data_days": [day.isoformat() for day in batch.days],
    }


def _report_unready(commit: Commit, run: StageRun, ready: Readiness) -> None:
    """Say which days cannot be scored: as outcomes if asked for, else in a note.

    A published day keeps its scores and its state, whatever has become of its inputs.
    """
    older, kept = [], defaultdict(list)
    for day, why in sorted({**ready.waiting, **ready.absent}.items()):
        before = run.states.get(day)
        if before is not None and before.state == "done":
            kept[why].append(day)
        elif day not in run.window:
            older.append(day)
        elif day in ready.absent:
            commit.absent(day, why)
        else:
            commit.stopped(day, None, why)
    for why, days in kept.items():
        subject = f"{days[0]} keeps its" if len(days) == 1 else f"{describe_days(days)} keep their"
        commit.note(f"{subject} scores, though {why}")
    if older:
        commit.note(f"{len(older)} earlier day(s) cannot be scored yet: {describe_days(older)}")
