"""Everybody is told once of what is new and of what is over, on every channel that works."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.incidents.acknowledgement import acknowledge
from include.settings import Settings
from include.warehouse.migrate import upgrade
from include.warehouse.monitoring_tables import incidents
from include.workspace import open_workspace
from tests import children
from tests.incidents import killed
from tests.incidents.troubles import (
    DATASET,
    NOON,
    TODAY,
    USE_CASE,
    Channel,
    days,
    look,
    run,
    say,
)

HOUR = timedelta(hours=1)


@pytest.fixture
def stopped(warehouse_settings: Settings) -> Settings:
    """An installation in which the newest day stopped at its landing."""
    with open_workspace(warehouse_settings, now=NOON) as workspace:
        say(workspace, "ingest", "done", days(40))
        say(workspace, "ingest", "stopped")
    return warehouse_settings


def repair(settings: Settings) -> None:
    with open_workspace(settings, now=NOON) as workspace:
        say(workspace, "ingest", "done")


def number(settings: Settings) -> int:
    with open_workspace(settings) as workspace, workspace.warehouse.reading() as connection:
        return connection.execute(sa.select(sa.func.max(incidents.c.incident))).scalar_one()


def silence(settings: Settings, until: date | None, at: timedelta = timedelta(0)) -> None:
    with open_workspace(settings, now=NOON + at) as workspace:
        acknowledge(workspace, number(settings), actor="ada", reason="known", until=until)


def test_it_is_told_once_that_it_began_and_once_that_it_is_over(stopped: Settings) -> None:
    people = Channel()
    for hour in range(3):
        look(stopped, NOON + hour * HOUR, people=people)
    assert people.events() == [("opened", "stage_stopped")]
    repair(stopped)
    for hour in range(3, 6):
        look(stopped, NOON + hour * HOUR, people=people)
    assert people.events() == [("over", "stage_stopped")]


def test_a_channel_that_fails_is_asked_again_and_keeps_no_other_from_telling(
    stopped: Settings,
) -> None:
    mail, hook = Channel(broken=True), Channel()
    failed = look(stopped, NOON, mail=mail, hook=hook)
    assert failed == {"mail": "ConnectionError: nobody is at home"}
    assert hook.events() == [("opened", "stage_stopped")]
    mail.broken = False
    assert look(stopped, NOON + HOUR, mail=mail, hook=hook) == {}
    assert mail.events() == [("opened", "stage_stopped")]
    assert hook.events() == []


def test_what_was_over_before_a_channel_could_tell_is_told_for_a_day(stopped: Settings) -> None:
    mail = Channel(broken=True)
    look(stopped, NOON, mail=mail)
    repair(stopped)
    look(stopped, NOON + HOUR, mail=mail)
    mail.broken = False
    look(stopped, NOON + 2 * HOUR, mail=mail)
    assert mail.events() == [("over", "stage_stopped")]
    later = Channel()
    look(stopped, NOON + 26 * HOUR, later=later)
    assert later.messages == [], "a new channel is not told history"


def test_a_newer_day_of_the_same_incident_is_told_and_an_older_one_is_not(
    stopped: Settings,
) -> None:
    people = Channel()
    look(stopped, NOON, people=people)
    people.messages.clear()
    with open_workspace(stopped, now=NOON) as workspace:
        say(workspace, "ingest", "stopped", [TODAY - timedelta(days=9)])
    look(stopped, NOON + HOUR, people=people)
    assert people.messages == []
    with open_workspace(stopped, now=NOON) as workspace:
        say(workspace, "ingest", "stopped", [TODAY + timedelta(days=1)])
    look(stopped, NOON + 24 * HOUR, people=people)
    (message,) = people.messages
    assert message.title == "critical, still: nyc_flights, ingest stopped"
    assert people.events() == [("again", "stage_stopped")]


def test_silence_is_kept_and_ends(stopped: Settings) -> None:
    people = Channel()
    look(stopped, NOON, people=people)
    people.messages.clear()
    silence(stopped, until=date(2014, 6, 3))
    with open_workspace(stopped, now=NOON) as workspace:
        say(workspace, "ingest", "stopped", [TODAY + timedelta(days=1)])
    look(stopped, NOON + 24 * HOUR, people=people)
    assert people.messages == []
    for hours in (36, 37):
        look(stopped, NOON + hours * HOUR, people=people)
    assert people.events() == [("again", "stage_stopped")]


def test_what_was_silenced_before_it_was_told_is_told_when_silence_ends(
    stopped: Settings,
) -> None:
    look(stopped, NOON)
    silence(stopped, until=date(2014, 6, 2))
    people = Channel()
    look(stopped, NOON + HOUR, people=people)
    assert people.messages == []
    look(stopped, NOON + 12 * HOUR, people=people)
    assert people.events() == [("opened", "stage_stopped")]


def test_people_who_were_told_hear_that_a_silent_incident_is_over_and_others_do_not(
    stopped: Settings,
) -> None:
    told, untold = Channel(), Channel()
    look(stopped, NOON, told=told)
    told.messages.clear()
    silence(stopped, until=None)
    look(stopped, NOON + 100 * HOUR, told=told, untold=untold)
    assert ("again", "stage_stopped") not in told.events()
    repair(stopped)
    look(stopped, NOON + 101 * HOUR, told=told, untold=untold)
    assert ("over", "stage_stopped") in told.events()
    assert not any(kind == "stage_stopped" for _, kind in untold.events())


def test_many_at_once_are_one_summary_the_worst_first(stopped: Settings) -> None:
    people = Channel()
    with open_workspace(stopped, now=NOON) as workspace:
        for stage in ("train", "outcomes", "monitor", "shadow"):
            run(workspace, stage, "failed", minutes_ago=60, subject=USE_CASE.name, error="x" * 900)
    look(stopped, NOON, people=people)
    (message,) = people.messages
    assert message.title == "critical: 5 new (flight_delay, nyc_flights)"
    assert len(message.events) == 5
    lines = message.text.splitlines()
    assert lines[0].startswith("critical: nyc_flights, ingest stopped (incident ")
    assert all(line.startswith("warning: flight_delay, ") for line in lines[1:5])
    assert max(map(len, lines)) < 300
    assert "runbook: docs/runbook.md#stage_failed" in lines
    assert "./nightshift incidents" in message.text


def test_a_process_killed_after_it_told_tells_again(settings: Settings, tmp_path: Path) -> None:
    with open_workspace(settings, now=NOON) as workspace:
        upgrade(workspace.warehouse)
        say(workspace, "ingest", "stopped")
    marker = tmp_path / "told"
    assert children.killed(killed.run, settings.home, marker)
    assert DATASET.name in marker.read_text()
    people = Channel()
    look(settings, NOON + HOUR, people=people)
    assert people.events() == [("opened", "stage_stopped")]
