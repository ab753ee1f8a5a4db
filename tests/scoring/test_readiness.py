"""May the scores be used: said truly of nights that ran, failed or never began."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from include import catalog
from include.declare import UseCase
from include.errors import ConfigurationError
from include.overview import mornings
from include.scoring import holds, readiness
from include.scoring.readiness import Readiness, refresh
from include.settings import Settings
from include.training import ledger
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse import tables
from include.warehouse.days import DayState, State, write_days
from include.workspace import Workspace, open_workspace

DATASET = USE_CASE.dataset
CASE = replace(USE_CASE, dataset=replace(DATASET, heal_days=3))
DAY = date(2013, 10, 7)
MORNING = DAY + timedelta(days=1)
PROMISED = datetime(2013, 10, 8, 10, tzinfo=UTC)
"""Six o'clock in New York, in summer time."""
AT = datetime(2013, 10, 8, 5, tzinfo=UTC)


@contextmanager
def opened(settings: Settings, now: datetime) -> Iterator[Workspace]:
    with open_workspace(settings, now=now) as workspace:
        yield workspace


@pytest.fixture
def settings(warehouse_settings: Settings) -> Settings:
    """An installation in which the use case has a champion trained as of 2013-09-30."""
    with opened(warehouse_settings, AT) as workspace:
        promote(workspace, CASE.name, date(2013, 9, 30))
    return warehouse_settings


def promote(workspace: Workspace, name: str, as_of: date) -> None:
    with workspace.warehouse.transaction() as connection:
        ledger.append(
            connection,
            use_case=name,
            model_version="1",
            sha256="0" * 64,
            event="promoted",
            actor="test",
            reason="for a test",
            evidence={},
            artifact_uri="file:///nowhere",
            as_of=as_of,
            at=AT,
        )


def say(workspace: Workspace, stage: str, state: State, day: date = DAY, **more: Any) -> None:
    """Let a stage say what became of a day."""
    said = {"run_id": "r1", "input_hash": "in", "output_hash": "out", "at": AT, **more}
    subject = CASE.name if stage == "score" else DATASET.name
    with workspace.warehouse.transaction() as connection:
        write_days(connection, stage, subject, [DayState(day, state, **said)])


def run(workspace: Workspace, stage: str, status: str, error: str | None, day: date = DAY) -> None:
    subject = CASE.name if stage == "score" else DATASET.name
    with workspace.warehouse.transaction() as connection:
        connection.execute(
            sa.insert(tables.stage_runs).values(
                run_id=f"{stage} {status}",
                stage=stage,
                subject=subject,
                window_start=day,
                window_end=day,
                status=status,
                rows_in=0,
                rows_out=0,
                rows_held=0,
                started_at=AT,
                error=error,
            )
        )


def prepared(workspace: Workspace, *days: date) -> None:
    for day in days or (DAY,):
        say(workspace, "ingest", "done", day)
        say(workspace, "features", "done", day)


def hold(workspace: Workspace, at: datetime = AT, **more: Any) -> None:
    said = {"model_version": "1", "input_hash": "in", "findings": ["a", "b"], "run_id": "r1"}
    with workspace.warehouse.transaction() as connection:
        holds.hold(connection, CASE, DAY, **{**said, "at": at, **more})


def told(workspace: Workspace, case: UseCase = CASE) -> dict[date, Readiness]:
    """Refresh, and return target date → row."""
    refresh(workspace, case)
    with workspace.warehouse.reading() as connection:
        return {row.target_date: row for row in readiness.stored(connection, case.name)}


def test_a_night_that_never_started_waits_and_is_late_when_its_time_has_come(
    settings: Settings,
) -> None:
    with opened(settings, PROMISED - timedelta(minutes=5)) as workspace:
        row = told(workspace)[MORNING]
    assert row == Readiness(
        CASE.name,
        MORNING,
        DAY,
        PROMISED,
        "waiting",
        None,
        "ingest of nyc_flights has not run for it",
    )
    with opened(settings, PROMISED) as workspace:
        assert told(workspace)[MORNING] == replace(row, state="late")


def test_it_is_said_of_all_days_a_night_would_heal_since_the_first_champion(
    settings: Settings,
) -> None:
    with opened(settings, PROMISED) as workspace:
        assert list(told(workspace)) == [MORNING - timedelta(days=age) for age in (3, 2, 1, 0)]
    with opened(settings, PROMISED - timedelta(days=6)) as workspace:
        newest = workspace.now.date()
        rows = readiness.assess(workspace.warehouse.engine.connect(), CASE, workspace.now)
    assert [row.target_date for row in rows] == [newest], "the champion is as of 2013-09-30"


def test_nothing_is_said_before_there_is_a_champion(workspace: Workspace) -> None:
    assert refresh(workspace, CASE) == []


def test_a_scored_night_is_ready_since_it_was_published(settings: Settings) -> None:
    with opened(settings, PROMISED) as workspace:
        say(workspace, "score", "done")
        row = told(workspace)[MORNING]
    assert (row.state, row.ready_at, row.reason) == ("ready", AT, None)


def test_an_older_night_scored_by_a_window_is_ready_too(settings: Settings) -> None:
    old = DAY - timedelta(days=90)
    with opened(settings, PROMISED) as workspace:
        say(workspace, "score", "done", old)
        assert told(workspace)[old + timedelta(days=1)].state == "ready"


def test_the_first_stage_that_is_missing_is_named(settings: Settings) -> None:
    with opened(settings, PROMISED) as workspace:

        def reason() -> str | None:
            row = told(workspace)[MORNING]
            assert row.state == "late"
            return row.reason

        run(workspace, "ingest", "waiting", "2013-10-07 is not there yet")
        assert reason() == (
            "ingest of nyc_flights has not done it: its last run waits: 2013-10-07 is not there yet"
        )
        say(workspace, "ingest", "done")
        assert reason() == "features of nyc_flights has not run for it"
        say(workspace, "features", "writing")
        assert reason() == "features of nyc_flights was interrupted; its next run does it again"
        run(workspace, "features", "running", None)
        assert reason() == "features of nyc_flights is running, or was killed"
        say(workspace, "features", "done")
        run(workspace, "score", "failed", "the disk is full")
        assert reason() == (
            "score of flight_delay has not done it: its last run failed: the disk is full"
        )


@pytest.mark.parametrize(
    ("stage", "state", "said"),
    [
        ("ingest", "stopped", "ingest of nyc_flights stopped 2013-10-07: 12 flights"),
        ("ingest", "absent", "the source does not have 2013-10-07: 12 flights"),
        ("features", "stopped", "features of nyc_flights stopped 2013-10-07: 12 flights"),
        ("score", "stopped", "score of flight_delay stopped 2013-10-07: 12 flights"),
    ],
)
def test_a_stage_that_stopped_the_day_has_failed_before_it_is_late(
    settings: Settings, stage: str, state: State, said: str
) -> None:
    with opened(settings, PROMISED - timedelta(hours=1)) as workspace:
        prepared(workspace)
        say(workspace, stage, state, reason="12 flights")
        row = told(workspace)[MORNING]
    assert (row.state, row.reason) == ("failed", said)


def test_published_scores_stay_ready_whatever_becomes_of_their_input(settings: Settings) -> None:
    with opened(settings, PROMISED) as workspace:
        say(workspace, "score", "done")
        say(workspace, "ingest", "stopped", reason="landed again, and bad")
        assert told(workspace)[MORNING].state == "ready"


def test_a_held_night_says_what_was_found_and_how_to_release_it(settings: Settings) -> None:
    with opened(settings, PROMISED) as workspace:
        prepared(workspace)
        say(workspace, "score", "stopped", reason="held: a; b")
        hold(workspace)
        row = told(workspace)[MORNING]
        assert (row.state, row.ready_at) == ("held", None)
        assert row.reason == (
            "a; b; to publish them all the same: ./nightshift release flight_delay 2013-10-07 "
            "--reason TEXT"
        )
        holds.release(workspace, CASE, DAY, actor="ada", reason="a strike")
        row = told(workspace)[MORNING]
        assert (row.state, row.reason) == (
            "late",
            "ada released its scores (a strike), and they are not published yet; run ./nightshift "
            "score flight_delay --from 2013-10-07 --to 2013-10-07",
        )
        say(workspace, "score", "done")
        assert told(workspace)[MORNING].state == "ready"


def test_a_held_restatement_says_that_the_older_scores_stand(settings: Settings) -> None:
    with opened(settings, PROMISED) as workspace:
        say(workspace, "score", "done")
        hold(workspace, at=AT + timedelta(hours=1))
        row = told(workspace)[MORNING]
        assert row.state == "held"
        assert "; the scores published 2013-10-08 05:00 UTC stand; to publish" in str(row.reason)
        say(workspace, "score", "done", at=AT + timedelta(hours=2))
        assert told(workspace)[MORNING].state == "ready", "published since"


def test_a_released_hold_does_not_hide_why_the_day_was_stopped_later(settings: Settings) -> None:
    with opened(settings, PROMISED) as workspace:
        prepared(workspace)
        hold(workspace)
        holds.release(workspace, CASE, DAY, actor="ada", reason="a strike")
        say(workspace, "score", "stopped", input_hash="other", reason="no model")
        assert told(workspace)[MORNING].state == "failed"


@pytest.mark.parametrize(
    ("day", "at", "expected"),
    [
        (date(2013, 10, 6), time(6), datetime(2013, 10, 7, 10)),
        (date(2013, 11, 2), time(6), datetime(2013, 11, 3, 11)),
        (date(2013, 3, 9), time(6), datetime(2013, 3, 10, 10)),
        # 02:30 does not exist on 10 March, and 01:30 is there twice on 3 November.
        (date(2013, 3, 9), time(2, 30), datetime(2013, 3, 10, 7, 30)),
        (date(2013, 11, 2), time(1, 30), datetime(2013, 11, 3, 5, 30)),
        (date(2013, 11, 3), time(1, 30), datetime(2013, 11, 4, 6, 30)),
    ],
)
def test_due_times_follow_the_datasets_clock(day: date, at: time, expected: datetime) -> None:
    case = replace(CASE, scoring=replace(CASE.scoring, due_by=at))
    assert readiness.due_by(case, day) == expected.replace(tzinfo=UTC)


def test_a_day_of_25_hours_becomes_late_by_its_own_clock(settings: Settings) -> None:
    target = date(2013, 11, 3)
    for minutes, state in ((-1, "waiting"), (0, "late")):
        now = datetime(2013, 11, 3, 11, tzinfo=UTC) + timedelta(minutes=minutes)
        with opened(settings, now) as workspace:
            row = told(workspace)[target]
        assert (row.due_by.hour, row.state) == (11, state)


def test_several_horizons_take_the_newest_data_day_due_for_a_date(settings: Settings) -> None:
    case = replace(CASE, horizons=(2, 3))
    with opened(settings, PROMISED) as workspace:
        rows = told(workspace, case)
    assert max(rows) == DAY + timedelta(days=2)
    assert {target - row.data_day for target, row in rows.items()} == {timedelta(days=2)}


def test_rows_that_would_say_the_same_are_not_touched(settings: Settings) -> None:
    with opened(settings, PROMISED) as workspace:
        assert len(refresh(workspace, CASE)) == 4
        assert refresh(workspace, CASE) == []
        say(workspace, "score", "done")
        assert [row.target_date for row in refresh(workspace, CASE)] == [MORNING]
        assert refresh(workspace, CASE) == []


def test_rows_that_fell_out_of_reach_are_left(settings: Settings) -> None:
    with opened(settings, PROMISED) as workspace:
        before = told(workspace)
    with opened(settings, PROMISED + timedelta(days=30)) as workspace:
        after = told(workspace)
    assert {target: after[target] for target in before} == before


def test_a_use_case_says_nothing_of_another(settings: Settings) -> None:
    other = replace(CASE, name="another")
    with opened(settings, PROMISED) as workspace:
        promote(workspace, other.name, DAY - timedelta(days=1))
        say(workspace, "score", "done")
        assert told(workspace)[MORNING].state == "ready"
        assert {target: row.state for target, row in told(workspace, other).items()} == {
            MORNING: "late"
        }
        assert told(workspace)[MORNING].state == "ready"
        with workspace.warehouse.reading() as connection:
            assert len(readiness.stored(connection)) == 5
            assert [it.target_date for it in readiness.stored(connection, newest=1)] == [
                MORNING
            ] * 2


def test_a_broken_use_case_does_not_hide_the_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def declared(name: str) -> UseCase:
        if name == "broken":
            raise TypeError("a typo in its declaration")
        return CASE

    monkeypatch.setattr(catalog, "use_case", declared)
    with opened(settings, PROMISED) as workspace:
        failed = readiness.refresh_all(workspace, ["broken", CASE.name])
        with workspace.warehouse.reading() as connection:
            assert len(readiness.stored(connection, CASE.name)) == 4
    assert failed == {"broken": "TypeError: a typo in its declaration"}


def test_status_says_it_of_the_newest_morning(settings: Settings) -> None:
    with opened(settings, PROMISED) as workspace:
        (line,) = mornings(workspace.warehouse, workspace.now)
        assert line == (
            "flight_delay: the scores about 2013-10-08 are late: ingest of nyc_flights has not run "
            "for it"
        )
        say(workspace, "score", "done")
        (line,) = mornings(workspace.warehouse, workspace.now, CASE.name)
        assert line.endswith("are ready since 2013-10-08 05:00 UTC")
        assert list(mornings(workspace.warehouse, workspace.now, "nyc_flights")) == []


def test_an_installation_without_tables_says_what_to_run(empty_settings: Settings) -> None:
    with (
        opened(empty_settings, PROMISED) as workspace,
        pytest.raises(ConfigurationError, match=r"\./nightshift init"),
    ):
        refresh(workspace, CASE)


def test_a_morning_that_was_ready_stays_ready_since_then_when_it_is_restated(
    settings: Settings,
) -> None:
    with opened(settings, PROMISED) as workspace:
        prepared(workspace)
        say(workspace, "score", "done")
        assert told(workspace)[MORNING].ready_at == AT
        say(workspace, "score", "done", at=AT + timedelta(days=1), output_hash="other")
        assert told(workspace)[MORNING].ready_at == AT
        hold(workspace, at=AT + timedelta(days=2))
        assert told(workspace)[MORNING].ready_at is None
        say(workspace, "score", "done", at=AT + timedelta(days=3), output_hash="released")
        assert told(workspace)[MORNING].ready_at == AT + timedelta(days=3)
