"""Whether a drifted night is worth a training."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa

from include.declare import UseCase
from include.monitoring.monitor import STAGE, verdicts
from include.warehouse.stages import done_days
from include.warehouse.tables import stage_runs
from include.workspace import Workspace

TRAINING = "train"
"""The stage of trainings, whose module this does not import: it is heavy, and a night is short."""

LONGEST_TRAINING = timedelta(days=1)
"""A training that says it has been running for longer is one whose process died."""


def wanted(workspace: Workspace, use_case: UseCase, day: date) -> str | None:
    """Return in words why a model should be trained after the night of `day`, or None.

    One is wanted when the use case declares it, the night drifted, no newer night has been
    monitored (an old night repeated says nothing about the present), and no training has
    succeeded within the declared cool-down or is still running.
    """
    if not use_case.retraining.on_drift:
        return None
    with workspace.warehouse.reading() as connection:
        drifted = [it for it in verdicts(connection, use_case, [day]) if it.drifted]
        if not drifted:
            return None
        if max(done_days(connection, STAGE, use_case.name), default=day) > day:
            return None
        if _trained_lately(connection, workspace, use_case):
            return None
    return f"night of {day}, {drifted[0].words}"


def _trained_lately(connection: sa.Connection, workspace: Workspace, use_case: UseCase) -> bool:
    runs, now = stage_runs.c, workspace.now
    finished = runs.status.in_(("done", "unchanged"))
    cooling = sa.and_(finished, runs.started_at > now - use_case.retraining.cool_down)
    running = sa.and_(runs.status == "running", runs.started_at > now - LONGEST_TRAINING)
    query = sa.select(sa.func.count()).where(
        runs.stage == TRAINING, runs.subject == use_case.name, sa.or_(cooling, running)
    )
    return bool(connection.execute(query).scalar_one())
