"""Runs that failed and were not repaired by a retry, and runs that do not end."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from include.warehouse.tables import stage_runs
from include.workspace import Workspace
from tests.incidents.troubles import DATASET, USE_CASE, days, found, kinds, run

FAILED = (DATASET.name, "stage_failed", "ingest")


def test_a_failure_is_news_when_its_retries_are_over(workspace: Workspace) -> None:
    run(workspace, "ingest", "failed", minutes_ago=10, error="no answer")
    assert found(workspace) == []
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.delete(stage_runs))
    run(workspace, "ingest", "failed", minutes_ago=16, error="no answer")
    (incident,) = found(workspace)
    assert (incident.key, incident.severity) == (FAILED, "critical")
    assert incident.detail == "ingest of nyc_flights failed on 2014-05-31: no answer"


def test_a_known_failure_does_not_flap_while_it_is_tried_again(workspace: Workspace) -> None:
    run(workspace, "ingest", "failed", minutes_ago=60, error="first")
    (known,) = found(workspace)
    run(workspace, "ingest", "failed", minutes_ago=5, error="second")
    (same,) = found(workspace)
    assert same.number == known.number and same.detail.endswith(": second")
    run(workspace, "ingest", "running", minutes_ago=1)
    assert [it.number for it in found(workspace)] == [known.number]
    run(workspace, "ingest", "unchanged", minutes_ago=0.5)
    assert found(workspace) == []


@pytest.mark.parametrize("status", ["done", "unchanged", "waiting", "stopped"])
def test_a_newer_run_that_did_not_fail_is_the_end_of_it(workspace: Workspace, status: str) -> None:
    run(workspace, "ingest", "failed", minutes_ago=60)
    run(workspace, "ingest", status, minutes_ago=30)
    assert found(workspace) == []


def test_stages_fail_each_for_themselves(workspace: Workspace) -> None:
    run(workspace, "ingest", "crashed", minutes_ago=60)
    run(workspace, "features", "done", minutes_ago=50)
    run(workspace, "train", "failed", minutes_ago=40, subject=USE_CASE.name)
    run(workspace, "housekeeping", "failed", minutes_ago=40, subject="nightshift")
    incidents = {it.key: it for it in found(workspace)}
    assert sorted(incidents) == [
        (USE_CASE.name, "stage_failed", "train"),
        ("nightshift", "stage_failed", "housekeeping"),
        FAILED,
    ]
    assert "was killed" in incidents[FAILED].detail
    assert incidents[USE_CASE.name, "stage_failed", "train"].severity == "warning"


@pytest.mark.parametrize(
    ("minutes", "nights", "hangs"),
    [
        (179, 1, False),
        (181, 1, True),
        (181, 30, False),
        (781, 30, True),
    ],
)
def test_a_run_hangs_past_the_longest_night_or_window(
    workspace: Workspace, minutes: float, nights: int, hangs: bool
) -> None:
    run(workspace, "ingest", "running", minutes_ago=minutes, first=days(nights)[0])
    assert kinds(found(workspace)) == [(DATASET.name, "stage_hangs", "ingest")] * hangs


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("ArrowInvalid: N123AB is not a number", "ArrowInvalid; the log of the run has its text"),
        ("OSError: [Errno 28]", "OSError; the log of the run has its text"),
        ("nyc_flights: 3 rows were lost", "nyc_flights: 3 rows were lost"),
        ("MLflow cannot be reached: refused", "MLflow cannot be reached: refused"),
    ],
)
def test_what_a_library_says_of_rows_does_not_leave_the_house(
    workspace: Workspace, error: str, told: str
) -> None:
    run(workspace, "ingest", "failed", minutes_ago=60, error=error)
    (incident,) = found(workspace)
    assert incident.detail == f"ingest of nyc_flights failed on 2014-05-31: {told}"
