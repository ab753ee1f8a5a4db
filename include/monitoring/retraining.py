"""Whether drift is worth a training."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa

from include.declare import UseCase
from include.monitoring.monitor import STAGE
from include.monitoring.persistence import lasting
from include.warehouse.silences import silenced
from include.warehouse.stages import done_days
from include.warehouse.tables import stage_runs
from include.workspace import Workspace

TRAINING = "train"
"""The stage of trainings, whose module this does not import: it is heavy, and a night is short."""

KIND = "drift"
"""The kind of incident that drift is; its cause is empty."""

LONGEST_TRAINING = timedelta(days=1)
"""A training that says it has been running for longer is one whose process died."""


def wanted(workspace: Workspace, use_case: UseCase, day: date) -> str | None:
    """Return in words why a model should be trained after the night of `day`, or None.

    One is wanted when the use case declares it, drift has lasted (`persistence.lasting`) up to
    this night, no newer night has been monitored (an old night repeated says nothing about the
    present), nobody has acknowledged the drift, and no training has succeeded within the declared
    cool-down or is still running.
    """
    if not use_case.retraining.on_drift:
        return None
    with workspace.warehouse.reading() as connection:
        monitored = done_days(connection, STAGE, use_case.name)
        if day not in monitored or max(monitored) > day:
            return None
        drifted = lasting(connection, use_case, day)
        if not drifted or _silenced(connection, workspace, use_case):
            return None
        if _trained_lately(connection, workspace, use_case):
            return None
    among = use_case.monitoring.persistence[1]
    nights = "night" if among == 1 else f"of the last {among} nights"
    return f"{len(drifted)} {nights} drifted, newest {drifted[-1].data_day}, {drifted[-1].words}"


def _silenced(connection: sa.Connection, workspace: Workspace, use_case: UseCase) -> bool:
    return silenced(connection, use_case.name, KIND, "", workspace.now)


def _trained_lately(connection: sa.Connection, workspace: Workspace, use_case: UseCase) -> bool:
    runs, now = stage_runs.c, workspace.now
    finished = runs.status.in_(("done", "unchanged"))
    cooling = sa.and_(finished, runs.started_at > now - use_case.retraining.cool_down)
    running = sa.and_(runs.status == "running", runs.started_at > now - LONGEST_TRAINING)
    query = sa.select(sa.func.count()).where(
        runs.stage == TRAINING, runs.subject == use_case.name, sa.or_(cooling, running)
    )
    return bool(connection.execute(query).scalar_one())
