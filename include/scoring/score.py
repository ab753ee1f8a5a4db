"""The scoring stage: predictions of everything due, with reasons, by the models in charge.

What was scored is kept in the lake beside its prediction, for monitoring and for questions
asked later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta

import sqlalchemy as sa

from include import healing
from include.declare import UseCase
from include.declare_model import ModelPolicy
from include.scoring import assignment, holds, readiness
from include.scoring.assignment import Assignment
from include.scoring.frame import Inputs, inputs
from include.scoring.prediction import predicted
from include.scoring.publication import Publication
from include.training import ledger
from include.training.ledger import Entry
from include.warehouse.stages import Commit, StageResult, StageRun, stage_run
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
        DaysStopped: days asked for have no features or no model, or are held for predictions
            outside their bounds; the others are scored.
        RowsLost: entities due and scores differ in number; nothing was written.
        DataError: a model's file is not the one that was registered, or a prediction is not a
            number; nothing was written.
    """
    reached = healing.reach(use_case.dataset, window, heal_days, workspace.now)
    nightly = heal_days > 0
    chosen, version = assignment.choose(use_case, nightly, policy, pinned)
    with stage_run(workspace.warehouse, STAGE, use_case.name, window, workspace.context) as run:
        with workspace.warehouse.reading() as connection:
            first = ledger.first_promotion(connection, use_case.name) if nightly else None
            days = [day for day in reached if day in window or _in_service(day, first)]
            models = assignment.assign(connection, use_case, days, chosen, version)
        found = inputs(workspace, use_case, days).without(models.without)
        if due := _due(workspace, use_case, run, found.hashes, models, nightly):
            with predicted(workspace, use_case, models, due, run.run_id) as said:
                publication = Publication(workspace, use_case, run, models, found.hashes, said)
                refused = publication.refused()
                if good := [day for day in due if day not in refused]:
                    publication.write_lake(good)
                with run.commit(on=said.staging.connection) as commit:
                    publication.publish(commit, good)
                    publication.hold(commit, refused)
                    _conclude(commit, use_case, run, found)
        else:
            with run.commit() as commit:
                _conclude(commit, use_case, run, found)
        readiness.refresh(workspace, use_case)
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


def _conclude(commit: Commit, use_case: UseCase, run: StageRun, found: Inputs) -> None:
    """Drop holds that no longer hold anything, and say which days could not be scored."""
    holds.forget_outdated(commit.connection, use_case, found.hashes)
    _report_unready(commit, run, found)


def _report_unready(commit: Commit, run: StageRun, found: Inputs) -> None:
    """Say which days cannot be scored: as outcomes if asked for, else in a note.

    A published day keeps its scores and its state, whatever has become of its inputs.
    """
    older, kept = [], defaultdict(list)
    for day, why in sorted({**found.waiting, **found.absent}.items()):
        before = run.states.get(day)
        if before is not None and before.state == "done":
            kept[why].append(day)
        elif day not in run.window:
            older.append(day)
        elif day in found.absent:
            commit.absent(day, why)
        else:
            commit.stopped(day, None, why)
    for why, days in kept.items():
        subject = f"{days[0]} keeps its" if len(days) == 1 else f"{describe_days(days)} keep their"
        commit.note(f"{subject} scores, though {why}")
    if older:
        commit.note(f"{len(older)} earlier day(s) cannot be scored yet: {describe_days(older)}")
