"""Drift that lasts is worth a training: when, and when not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.declare_model import Monitoring, Retraining
from include.monitoring import retraining
from include.monitoring.monitor import STAGE
from include.monitoring.retraining import wanted
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.days import DayState, write_days
from include.warehouse.monitoring_tables import acknowledgements, drift_verdicts, incidents
from include.warehouse.runs import close_run, open_run
from include.window import Window
from include.workspace import Workspace

NIGHT = date(2013, 10, 7)
WEEK = timedelta(days=7)
CASE: UseCase = replace(USE_CASE, retraining=Retraining(on_drift=True, cool_down=WEEK))


def monitored(workspace: Workspace, *drifted: bool, last: date = NIGHT) -> None:
    """Record nights up to the last one, and whether each drifted."""
    at = datetime(2013, 10, 8, tzinfo=UTC)
    days = [last - timedelta(days=ago) for ago in range(len(drifted))][::-1]
    rows = [
        {
            "use_case": CASE.name,
            "data_day": day,
            "model_version": "1",
            "drifted": moved,
            "notable": moved,
            "moved": 20 * moved,
            "watched": 38,
            "weight": 0.6 * moved,
            "words": "drift: 20 of 38 columns moved" if moved else "no drift",
        }
        for day, moved in zip(days, drifted, strict=True)
    ]
    done = [DayState(day, "done", "a run", "i", "o", at) for day in days]
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.insert(drift_verdicts), rows)
        write_days(connection, STAGE, CASE.name, done)


def trained(workspace: Workspace, ago: timedelta, status: str, stage: str = "train") -> None:
    """Record a training that started so long ago."""
    context = replace(workspace.context, now=workspace.now - ago)
    with workspace.warehouse.transaction() as connection:
        run_id = f"{stage} {ago}"
        open_run(connection, run_id, stage, CASE.name, Window.night(NIGHT), context)
        if status != "running":
            close_run(connection, run_id, workspace.now, status=status)


def acknowledged(workspace: Workspace, kind: str = "drift", until: datetime | None = None) -> None:
    """Record an open incident that somebody has silenced."""
    opened = {"subject": CASE.name, "kind": kind, "cause": "", "severity": "warning"}
    opened |= {"detail": "drift", "since": workspace.now, "last_seen": workspace.now}
    with workspace.warehouse.transaction() as connection:
        made = connection.execute(sa.insert(incidents).values(**opened))
        (incident,) = made.inserted_primary_key or (None,)
        said = {"incident": incident, "actor": "kim", "reason": "new terminal"}
        connection.execute(
            sa.insert(acknowledgements).values(**said, at=workspace.now, until=until)
        )


def test_drift_that_lasts_wants_a_training_and_says_why(workspace: Workspace) -> None:
    monitored(workspace, True, False, True)
    assert wanted(workspace, CASE, NIGHT) == (
        "2 of the last 3 nights drifted, newest 2013-10-07, drift: 20 of 38 columns moved"
    )


def test_a_use_case_may_ask_after_a_single_night(workspace: Workspace) -> None:
    monitored(workspace, False, True)
    eager = replace(CASE, monitoring=Monitoring(persistence=(1, 1)))
    assert wanted(workspace, eager, NIGHT) == (
        "1 night drifted, newest 2013-10-07, drift: 20 of 38 columns moved"
    )


def test_one_drifted_night_or_one_not_monitored_wants_none(workspace: Workspace) -> None:
    monitored(workspace, False, False, True)
    assert wanted(workspace, CASE, NIGHT) is None
    assert wanted(workspace, CASE, NIGHT + timedelta(days=1)) is None


def test_acknowledged_drift_asks_for_nothing_until_its_date(workspace: Workspace) -> None:
    monitored(workspace, True, True)
    acknowledged(workspace, until=workspace.now + timedelta(hours=1))
    assert wanted(workspace, CASE, NIGHT) is None
    later = workspace.now + timedelta(hours=2)
    awake = replace(workspace, context=replace(workspace.context, now=later))
    assert wanted(awake, CASE, NIGHT) is not None


def test_what_else_is_acknowledged_silences_no_drift(workspace: Workspace) -> None:
    monitored(workspace, True, True)
    acknowledged(workspace, kind="stopped")
    assert wanted(workspace, CASE, NIGHT) is not None


def test_a_use_case_may_declare_that_drift_asks_for_nothing(workspace: Workspace) -> None:
    monitored(workspace, True, True)
    silent = replace(CASE, retraining=Retraining(on_drift=False))
    assert wanted(workspace, silent, NIGHT) is None


@pytest.mark.parametrize("status", ["done", "unchanged"])
@pytest.mark.parametrize(
    ("ago", "asks"), [(WEEK - timedelta(minutes=1), False), (WEEK + timedelta(minutes=1), True)]
)
def test_a_training_is_followed_by_a_cool_down(
    workspace: Workspace, ago: timedelta, asks: bool, status: str
) -> None:
    monitored(workspace, True, True)
    trained(workspace, ago, status)
    assert (wanted(workspace, CASE, NIGHT) is not None) is asks


@pytest.mark.parametrize("status", ["failed", "crashed"])
def test_a_training_that_failed_does_not_silence_the_next_night(
    workspace: Workspace, status: str
) -> None:
    monitored(workspace, True, True)
    trained(workspace, timedelta(hours=5), status)
    assert wanted(workspace, CASE, NIGHT) is not None


@pytest.mark.parametrize(
    ("ago", "asks"), [(timedelta(hours=23), False), (timedelta(hours=25), True)]
)
def test_a_training_that_runs_is_waited_for_unless_it_must_have_died(
    workspace: Workspace, ago: timedelta, asks: bool
) -> None:
    monitored(workspace, True, True)
    eager = replace(CASE, retraining=Retraining(cool_down=timedelta(0)))
    trained(workspace, ago, "running")
    assert (wanted(workspace, eager, NIGHT) is not None) is asks


def test_runs_of_other_stages_are_no_trainings(workspace: Workspace) -> None:
    from include.training import train

    monitored(workspace, True, True)
    trained(workspace, timedelta(hours=1), "done", stage="score")
    assert wanted(workspace, CASE, NIGHT) is not None
    assert retraining.TRAINING == train.STAGE


def test_an_old_night_that_is_repeated_wants_none(workspace: Workspace) -> None:
    monitored(workspace, True, True)
    monitored(workspace, False, last=NIGHT + timedelta(days=1))
    assert wanted(workspace, CASE, NIGHT) is None
