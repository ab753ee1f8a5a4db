"""Days that stopped or are missing become one incident per stage, whatever else they cause."""

from __future__ import annotations

from datetime import date, timedelta

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
    hold,
    kinds,
    look,
    promote,
    say,
)

STOPPED_INGEST = (DATASET.name, "stage_stopped", "ingest")


def test_an_installation_in_which_nothing_ran_has_no_incidents(workspace: Workspace) -> None:
    assert found(workspace) == []


def test_a_stopped_day_is_one_incident_although_every_stage_after_it_stops(
    workspace: Workspace,
) -> None:
    promote(workspace, date(2014, 5, 1))
    say(workspace, "ingest", "done", days(36))
    say(workspace, "score", "done", days(36))
    say(workspace, "ingest", "stopped", [TODAY], "flights: 3 rows without a carrier")
    for stage in ("features", "score", "monitor"):
        say(workspace, stage, "stopped", [TODAY], "the day is not there")

    (incident,) = found(workspace)

    assert incident.key == STOPPED_INGEST
    assert incident.severity == "critical", "this morning's scores hang on it"
    assert (incident.first_day, incident.data_day) == (TODAY, TODAY)
    assert incident.detail == (
        "ingest of nyc_flights stopped 2014-05-31; 2014-05-31: flights: 3 rows without a carrier"
    )


def test_an_older_day_that_stopped_is_a_warning_and_lists_its_days(workspace: Workspace) -> None:
    older = days(3, TODAY - timedelta(days=5))
    say(workspace, "ingest", "done", days(40))
    say(workspace, "features", "stopped", older[:2], "a view does not run")
    say(workspace, "features", "stopped", older[2:], "another view does not run")

    (incident,) = found(workspace)

    assert (incident.severity, incident.cause) == ("warning", "features")
    assert incident.detail == (
        "features of nyc_flights stopped 3 days: 2014-05-24, 2014-05-25, 2014-05-26; "
        "2014-05-26: another view does not run (and 1 other reason(s) on older days)"
    )


def test_a_day_the_source_lacks_is_an_incident_of_its_own_kind(workspace: Workspace) -> None:
    say(workspace, "ingest", "done", days(40))
    say(workspace, "ingest", "absent", [TODAY], "no file for the day")
    say(workspace, "features", "absent", [TODAY], "it has not landed")
    assert kinds(found(workspace)) == [(DATASET.name, "day_absent", "ingest")]


def test_held_scores_are_not_a_stopped_stage(workspace: Workspace) -> None:
    promote(workspace, TODAY - timedelta(days=1))
    for stage in ("ingest", "features"):
        say(workspace, stage, "done", days(40))
    hold(workspace)
    (incident,) = found(workspace)
    assert incident.key == (USE_CASE.name, "scores_held", "")
    assert "the mean moved by 9" in incident.detail
    assert "./nightshift release flight_delay 2014-05-31 --reason" in incident.detail


def test_a_backfill_of_many_stopped_days_is_told_once_and_stays_until_repaired(
    warehouse_settings: Settings,
) -> None:
    people, old = Channel(), days(30, date(2013, 6, 30))
    with open_workspace(warehouse_settings, now=NOON) as workspace:
        say(workspace, "ingest", "done", days(365))
        say(workspace, "ingest", "stopped", old)
        say(workspace, "features", "stopped", old, "not landed")
        say(workspace, "score", "stopped", old, "no features")

    look(warehouse_settings, NOON, people=people)

    (message,) = people.messages
    assert message.title == "warning: nyc_flights, ingest stopped"
    assert "stopped 30 days: 2013-06-01, 2013-06-02" in message.text
    assert "and 25 more" in message.text
    people.messages.clear()
    much_later = NOON + timedelta(days=20)
    look(warehouse_settings, much_later, people=people)
    assert people.events() == [], "growing old repairs nothing"

    with open_workspace(warehouse_settings, now=much_later) as workspace:
        for stage in ("ingest", "features", "score"):
            say(workspace, stage, "done", old)
    look(warehouse_settings, much_later, people=people)
    assert ("over", "stage_stopped") in people.events()


def test_days_that_stopped_long_ago_and_were_never_told_are_history(workspace: Workspace) -> None:
    say(workspace, "ingest", "stopped", days(3, date(2013, 6, 30)), at=NOON - timedelta(days=90))
    assert [it.kind for it in found(workspace)] == ["days_missing"]


def test_a_gap_no_night_heals_names_the_backfill(workspace: Workspace) -> None:
    say(workspace, "ingest", "done", days(10, date(2014, 4, 10)))
    (incident,) = found(workspace)
    assert incident.key == (DATASET.name, "days_missing", "")
    assert incident.detail == (
        "15 day(s) after 2014-04-10 are missing and further back than a night heals; trigger "
        "nyc_flights_backfill with first day 2014-04-11 and last day 2014-04-25"
    )
