"""Runs nights on the sample data as the DAGs do, and reads what a reader can see afterwards."""

from __future__ import annotations

from datetime import date
from typing import Any

from include.window import Window
from include.workspace import Workspace
from tests.night import stages
from tests.night.stages import landing_stages, scoring_stages
from tests.planted import PLANTED, PLANTED_USE_CASE

DAYS = Window(date(2013, 10, 1), date(2013, 10, 7))
STAGES = landing_stages(PLANTED) | scoring_stages(PLANTED_USE_CASE)


def night(workspace: Workspace, day: date) -> None:
    """Run one night: every stage for its key, healing what is due before it."""
    for stage in STAGES.values():
        stage(workspace, Window.night(day), PLANTED.heal_days)


def visible(workspace: Workspace) -> dict[str, Any]:
    """Return everything a reader can see, run ids and times aside, in a comparable form."""
    return stages.visible(workspace, PLANTED, (PLANTED_USE_CASE,))


def everything(workspace: Workspace) -> dict[str, Any]:
    """Return all rows of all tables but `stage_runs`, whole, and the lake's versions."""
    return stages.everything(workspace, PLANTED, (PLANTED_USE_CASE,))
