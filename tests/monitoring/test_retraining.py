"""A drifted night is worth a training: when, and when not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.declare_model import Retraining
from include.monitoring import retraining
from include.monitoring.monitor import STAGE
from include.monitoring.retraining import wanted
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.days import DayState, write_days
from include.warehouse.runs import close_run, open_run
from include.warehouse.tables import drift_metrics
from include.window import Window
from include.workspace import Workspace

NIGHT = date(2013, 10, 7)
WEEK = timedelta(days=7)
CASE: UseCase = replace(USE_CASE, retraining=Retraining(on_drift=True, cool_down=WEEK))


def monitored(workspace: Workspace, day: date, moved: int, of: int = 4) -> None:
    """Record a night of which so many feature columns moved; half of them is drift."""
    row = {"use_case": CASE.name, "data_day": day, "kind": "feature", "method": "psi"}
    row |= {"threshold": 0.1, "reference_id": "r", "importance": 0.1}
    at = datetime(2013, 10, 8, tzinfo=UTC)
    with workspace.warehouse.transaction() as connection:
        connection.execute(
            sa.insert(drift_metrics),
            [
                {
                    **row,
                    "column_name": f"feature_{place}",
                    "value": 0.5 if place < moved else 0.01,
                    "drifted": place < moved,
                }
                for place in range(of)
            ],
        )
        write_days(connection, STAGE, CASE.name, [DayState(day, "done", "a run", "i", "o", at)])


def trained(workspace: Workspace, ago: timedelta, status: str, stage: str = "train") -> None:
    """Record a training that started so long ago."""
    context = replace(workspace.context, now=workspace.now - ago)
    with workspace.warehouse.transaction() as connection:
        run_id = f"{stage} {ago}"
        open_run(connection, run_id, stage, CASE.name, Window.night(NIGHT), context)
        if status != "running":
            close_run(connection, run_id, workspace.now, status=status)


def test_a_drifted_night_wants_a_training_and_says_why(workspace: Workspace) -> None:
    monitored(workspace, NIGHT, moved=3)
    assert wanted(workspace, CASE, NIGHT) == (
        "night of 2013-10-07, drift: 3 of 4 columns moved (drift from 50%), first "
        "feature_0 (0.50 above 0.10), feature_1 (0.50 above 0.10), feature_2 (0.50 above 0.10)"
    )


def test_a_night_without_drift_or_not_monitored_wants_none(workspace: Workspace) -> None:
    monitored(workspace, NIGHT, moved=1)
    assert wanted(workspace, CASE, NIGHT) is None
    assert wanted(workspace, CASE, date(2013, 10, 6)) is None


def test_a_use_case_may_declare_that_drift_asks_for_nothing(workspace: Workspace) -> None:
    monitored(workspace, NIGHT, moved=4)
    silent = replace(CASE, retraining=Retraining(on_drift=False))
    assert wanted(workspace, silent, NIGHT) is None


@pytest.mark.parametrize("status", ["done", "unchanged"])
@pytest.mark.parametrize(
    ("ago", "asks"), [(WEEK - timedelta(minutes=1), False), (WEEK + timedelta(minutes=1), True)]
)
def test_a_training_is_followed_by_a_cool_down(
    workspace: Workspace, ago: timedelta, asks: bool, status: str
) -> None:
    monitored(workspace, NIGHT, moved=4)
    trained(workspace, ago, status)
    assert (wanted(workspace, CASE, NIGHT) is not None) is asks


@pytest.mark.parametrize("status", ["failed", "crashed"])
def test_a_training_that_failed_does_not_silence_the_next_night(
    workspace: Workspace, status: str
) -> None:
    monitored(workspace, NIGHT, moved=4)
    trained(workspace, timedelta(hours=5), status)
    assert wanted(workspace, CASE, NIGHT) is not None


@pytest.mark.parametrize(
    ("ago", "asks"), [(timedelta(hours=23), False), (timedelta(hours=25), True)]
)
def test_a_training_that_runs_is_waited_for_unless_it_must_have_died(
    workspace: Workspace, ago: timedelta, asks: bool
) -> None:
    monitored(workspace, NIGHT, moved=4)
    eager = replace(CASE, retraining=Retraining(cool_down=timedelta(0)))
    trained(workspace, ago, "running")
    assert (wanted(workspace, eager, NIGHT) is not None) is asks


def test_runs_of_other_stages_are_no_trainings(workspace: Workspace) -> None:
    from include.training import train

    monitored(workspace, NIGHT, moved=4)
    trained(workspace, timedelta(hours=1), "done", stage="score")
    assert wanted(workspace, CASE, NIGHT) is not None
    assert retraining.TRAINING == train.STAGE


def test_an_old_night_that_is_repeated_wants_none(workspace: Workspace) -> None:
    monitored(workspace, NIGHT, moved=4)
    monitored(workspace, NIGHT + timedelta(days=1), moved=0)
    assert wanted(workspace, CASE, NIGHT) is None
