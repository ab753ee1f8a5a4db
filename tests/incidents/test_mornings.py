"""Scores that are late: a night that never started is told, and a failed stage is told once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.settings import Settings
from include.workspace import Workspace, open_workspace
from tests.incidents.troubles import (
    DATASET,
    NOON,
    TODAY,
    USE_CASE,
    Channel,
    days,
    found,
    kinds,
    look,
    promote,
    run,
    say,
)

LATE = (USE_CASE.name, "scores_late", "")
DUE = datetime(2014, 6, 1, 10, tzinfo=UTC)
"""Six o'clock in New York on the day after."""


def test_a_night_that_never_started_is_told_when_its_time_has_come_and_again_when_it_is_over(
    warehouse_settings: Settings,
) -> None:
    people = Channel()
    with open_workspace(warehouse_settings, now=NOON) as workspace:
        promote(workspace, TODAY - timedelta(days=1))
    look(warehouse_settings, DUE - timedelta(minutes=1), people=people)
    assert people.messages == []

    look(warehouse_settings, DUE, people=people)
    (message,) = people.messages
    assert message.title == "critical: flight_delay, scores are late"
    assert (
        "what: the scores about 2014-06-01 are late; those about 2014-06-01 were due by "
        "2014-06-01 10:00 UTC: ingest of nyc_flights has not run for it" in message.text
    )
    assert "since: 2014-06-01 10:00 UTC" in message.text
    assert "how bad: critical" in message.text
    assert "./nightshift readiness flight_delay" in message.text
    assert "runbook: docs/runbook.md#scores_late" in message.text
    people.messages.clear()

    with open_workspace(warehouse_settings, now=NOON) as workspace:
        for stage in ("ingest", "features", "score"):
            say(workspace, stage, "done")
    look(warehouse_settings, NOON, people=people)
    assert people.messages[0].title == "over: flight_delay, scores are late"
    assert people.events() == [("over", "scores_late")]


def test_every_late_morning_is_told_once(warehouse_settings: Settings) -> None:
    people = Channel()
    with open_workspace(warehouse_settings, now=NOON) as workspace:
        promote(workspace, TODAY - timedelta(days=1))
    looks = [DUE + timedelta(hours=hour) for hour in range(0, 72, 6)]
    told = []
    for at in looks:
        look(warehouse_settings, at, people=people)
        told += people.events()
    assert told == [("opened", "scores_late"), ("again", "scores_late"), ("again", "scores_late")]


def test_a_stage_that_failed_explains_late_scores(workspace: Workspace) -> None:
    promote(workspace, TODAY - timedelta(days=1))
    assert kinds(found(workspace)) == [LATE]
    run(workspace, "features", "failed", minutes_ago=60)
    assert kinds(found(workspace)) == [(DATASET.name, "stage_failed", "features")]


def test_a_model_in_training_that_failed_explains_nothing(workspace: Workspace) -> None:
    promote(workspace, TODAY - timedelta(days=1))
    run(workspace, "train", "failed", minutes_ago=60, subject=USE_CASE.name)
    assert kinds(found(workspace)) == [LATE, (USE_CASE.name, "stage_failed", "train")]


def test_a_stopped_day_makes_no_late_scores(workspace: Workspace) -> None:
    promote(workspace, TODAY - timedelta(days=1))
    say(workspace, "ingest", "done", days(40, TODAY - timedelta(days=1)))
    say(workspace, "ingest", "stopped")
    assert kinds(found(workspace)) == [(DATASET.name, "stage_stopped", "ingest")]
