"""Stage state: due days, the commit point, crashes, and runs that change nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from include.errors import (
    ConfigurationError,
    DaysStopped,
    LockHeld,
    SourceNotReady,
    StorageUnavailable,
)
from include.settings import Settings
from include.warehouse import monitoring_tables, tables
from include.warehouse.engine import Warehouse
from include.warehouse.locks import lock
from include.warehouse.stages import (
    RunContext,
    StageResult,
    day_states,
    done_days,
    stage_run,
)
from include.window import Window

NOW = datetime(2013, 10, 8, 6, 0, tzinfo=UTC)
CONTEXT = RunContext(now=NOW, code_revision="abc", airflow_dag_id="dag", lock_timeout=0.3)
FIRST, SECOND, THIRD = (date(2013, 10, day) for day in (5, 6, 7))
WINDOW = Window(FIRST, THIRD)


def ingest(warehouse: Warehouse, hashes: dict[date, str], window: Window = WINDOW) -> StageResult:
    """Run a stage that accepts what is due; a hash that starts with 'bad' stops its day."""
    with stage_run(warehouse, "ingest", "nyc_flights", window, CONTEXT) as run:
        due = run.due(hashes)
        if due:
            run.begin(due)
            with run.commit() as commit:
                for day in due:
                    if hashes[day].startswith("bad"):
                        commit.stopped(day, hashes[day], "too few rows")
                    elif hashes[day] == "gone":
                        commit.absent(day, "the source does not have it")
                    else:
                        commit.done(day, hashes[day], f"out of {hashes[day]}")
                        commit.count(rows_in=10, rows_out=9, rows_held=1)
    return run.result


def snapshot(warehouse: Warehouse) -> dict[str, list[sa.Row[tuple[object, ...]]]]:
    """Return every row of every fixed table but `stage_runs`."""
    with warehouse.reading() as connection:
        return {
            name: list(connection.execute(sa.select(table).order_by(*table.primary_key.columns)))
            for name, table in tables.metadata.tables.items()
            if name != "stage_runs"
        }


def runs(warehouse: Warehouse) -> list[sa.Row[tuple[object, ...]]]:
    with warehouse.reading() as connection:
        query = sa.select(tables.stage_runs).order_by(tables.stage_runs.c.started_at)
        return list(connection.execute(query))


def states(warehouse: Warehouse) -> dict[date, str]:
    with warehouse.reading() as connection:
        found = day_states(connection, "ingest", "nyc_flights")
        return {day: it.state for day, it in found.items()}


def test_a_run_records_days_counts_and_where_it_came_from(warehouse: Warehouse) -> None:
    result = ingest(warehouse, {FIRST: "a", SECOND: "bad", THIRD: "gone"})
    assert states(warehouse) == {FIRST: "done", SECOND: "stopped", THIRD: "absent"}
    assert result.done == (FIRST,)
    assert result.stopped == {SECOND: "too few rows"}
    assert result.absent == {THIRD: "the source does not have it"}
    assert result.changed
    (row,) = runs(warehouse)
    assert (row.run_id, row.status) == (result.run_id, "stopped")
    assert (row.rows_in, row.rows_out, row.rows_held) == (10, 9, 1)
    assert (row.code_revision, row.airflow_dag_id, row.airflow_run_id) == ("abc", "dag", None)
    assert NOW <= row.started_at <= row.finished_at
    assert (row.window_start, row.window_end) == (FIRST, THIRD)


def test_running_again_writes_one_run_and_nothing_else(warehouse: Warehouse) -> None:
    hashes = {FIRST: "a", SECOND: "b"}
    ingest(warehouse, hashes)
    before = snapshot(warehouse)
    again = ingest(warehouse, hashes)
    assert snapshot(warehouse) == before
    assert not again.changed and again.done == ()
    assert [row.status for row in runs(warehouse)] == ["done", "unchanged"]
    assert again.summary() == "ingest nyc_flights 2013-10-05 … 2013-10-07: nothing was due"


def test_stopped_and_absent_days_are_tried_again_and_keep_their_rows(warehouse: Warehouse) -> None:
    hashes = {FIRST: "a", SECOND: "bad", THIRD: "gone"}
    ingest(warehouse, hashes)
    before = snapshot(warehouse)
    again = ingest(warehouse, hashes)
    assert again.stopped and again.absent and not again.changed
    assert snapshot(warehouse) == before
    ingest(warehouse, hashes | {SECOND: "good"})
    assert states(warehouse)[SECOND] == "done"


def test_only_a_stop_inside_the_window_makes_a_stopped_run(warehouse: Warehouse) -> None:
    result = ingest(warehouse, {FIRST: "bad", THIRD: "a"}, Window.night(THIRD))
    assert result.status == "done"
    assert result.stopped == {FIRST: "too few rows"}


def test_a_changed_input_is_due_again_unless_it_may_not_be_restated(warehouse: Warehouse) -> None:
    ingest(warehouse, {FIRST: "a", SECOND: "bad"})
    with stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT) as run:
        changed = {THIRD: "c", SECOND: "bad", FIRST: "a2"}
        assert run.due(changed) == [FIRST, SECOND, THIRD]
        assert run.due(changed, restate=lambda day: day > FIRST) == [SECOND, THIRD]
        assert run.due({FIRST: "a"}) == []


def test_two_outcomes_that_say_the_same_as_before_keep_the_old_row(warehouse: Warehouse) -> None:
    first = ingest(warehouse, {FIRST: "a"})
    with stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT) as run:
        run.begin([FIRST])
        with run.commit() as commit:
            commit.done(FIRST, "a", "out of a")
    assert not run.result.changed and run.result.done == (FIRST,)
    with warehouse.reading() as connection:
        assert day_states(connection, "ingest", "nyc_flights")[FIRST].run_id == first.run_id


def test_done_days_are_the_ones_to_read(warehouse: Warehouse) -> None:
    ingest(warehouse, {FIRST: "a", SECOND: "bad", THIRD: "c"})
    with warehouse.reading() as connection:
        assert done_days(connection, "ingest", "nyc_flights") == {
            FIRST: "out of a",
            THIRD: "out of c",
        }
        assert done_days(connection, "ingest", "nyc_flights", [THIRD]) == {THIRD: "out of c"}
        assert done_days(connection, "ingest", "nyc_flights", []) == {}
        assert done_days(connection, "features", "nyc_flights") == {}


def test_an_error_rolls_back_and_leaves_begun_days_unreadable(warehouse: Warehouse) -> None:
    ingest(warehouse, {FIRST: "a"})
    with (
        pytest.raises(ZeroDivisionError),
        stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT) as run,
    ):
        run.begin([FIRST, SECOND])
        with run.commit() as commit:
            commit.done(FIRST, "a2", "x")
            commit.connection.execute(sa.insert(monitoring_tables.incidents).values(**INCIDENT))
            raise ZeroDivisionError("a\nlong  story")
    assert states(warehouse) == {FIRST: "writing", SECOND: "writing"}
    assert snapshot(warehouse)["incidents"] == []
    row = runs(warehouse)[-1]
    assert (row.status, row.error) == ("failed", "ZeroDivisionError: a long story")
    with warehouse.reading() as connection:
        kept = day_states(connection, "ingest", "nyc_flights")[FIRST]
    assert (kept.input_hash, kept.output_hash) == ("a", "out of a")
    assert ingest(warehouse, {FIRST: "a", SECOND: "b"}).done == (FIRST, SECOND)


INCIDENT = {
    **{"subject": "s", "kind": "k", "cause": "", "severity": "warning", "detail": "d"},
    **{"since": NOW, "last_seen": NOW},
}


def test_results_days_and_run_are_committed_together(warehouse: Warehouse) -> None:
    with stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT) as run:
        run.begin([FIRST])
        with run.commit() as commit:
            commit.connection.execute(sa.insert(monitoring_tables.incidents).values(**INCIDENT))
            commit.done(FIRST, "a", "x")
            commit.versions({"flights": 3}, {"carrier_history": 4})
            commit.note("a quiet night")
            assert states(warehouse) == {FIRST: "writing"}
    assert states(warehouse) == {FIRST: "done"}
    (row,) = runs(warehouse)
    assert row.input_versions == {"flights": 3}
    assert row.output_versions == {"carrier_history": 4}
    assert row.notes == ["a quiet night"] and run.result.notes == ("a quiet night",)


def test_a_source_that_is_not_ready_makes_a_waiting_run(warehouse: Warehouse) -> None:
    with (
        pytest.raises(SourceNotReady),
        stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT),
    ):
        raise SourceNotReady(THIRD, NOW + timedelta(hours=1), "not there before 02:00")
    (row,) = runs(warehouse)
    assert (row.status, row.error) == ("waiting", "not there before 02:00")
    assert states(warehouse) == {}


def test_stopped_days_raised_after_the_commit_keep_what_was_committed(warehouse: Warehouse) -> None:
    with (
        pytest.raises(DaysStopped),
        stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT) as run,
    ):
        with run.commit() as commit:
            commit.done(FIRST, "a", "x")
            commit.stopped(SECOND, "b", "too few rows")
            commit.count(rows_in=7)
        raise DaysStopped("ingest", "nyc_flights", run.result.stopped)
    (row,) = runs(warehouse)
    assert (row.status, row.rows_in) == ("stopped", 7)
    assert "too few rows" in row.error
    assert states(warehouse) == {FIRST: "done", SECOND: "stopped"}


def test_error_texts_are_cut(warehouse: Warehouse) -> None:
    with (
        pytest.raises(RuntimeError),
        stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT),
    ):
        raise RuntimeError("x" * 5000)
    assert len(runs(warehouse)[0].error) == 2000


def test_a_begun_day_without_an_outcome_is_a_mistake_that_commits_nothing(
    warehouse: Warehouse,
) -> None:
    with (
        pytest.raises(RuntimeError, match="begun and have no outcome: 2013-10-06"),
        stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT) as run,
    ):
        run.begin([FIRST, SECOND])
        with run.commit() as commit:
            commit.done(FIRST, "a", "x")
    assert states(warehouse) == {FIRST: "writing", SECOND: "writing"}


def test_a_run_cannot_finish_twice_or_be_read_before(warehouse: Warehouse) -> None:
    with stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT) as run:
        with pytest.raises(RuntimeError, match="not finished"):
            _ = run.result
        run.finish("nothing new")
        with pytest.raises(RuntimeError, match="already finished"), run.commit():
            pass
    assert run.result.status == "unchanged"


def test_another_run_of_the_same_stage_and_subject_is_refused(warehouse: Warehouse) -> None:
    with (
        lock(warehouse, "ingest", "nyc_flights"),
        pytest.raises(LockHeld),
        stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT),
    ):
        pytest.fail("two runs at once")
    assert runs(warehouse) == []


def test_a_warehouse_without_tables_is_refused(empty_warehouse: Warehouse) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"\./nightshift init"),
        stage_run(empty_warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT),
    ):
        pytest.fail("ran without tables")


def test_a_lost_lock_commits_nothing(warehouse: Warehouse) -> None:
    if warehouse.is_sqlite:
        pytest.skip("a file lock is not lost while its process lives")
    kill = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with (
        pytest.raises(LockHeld, match="lost"),
        stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT) as run,
        run.commit() as commit,
    ):
        commit.done(FIRST, "a", "x")
        commit.connection.execute(kill)
    assert states(warehouse) == {}
    assert runs(warehouse)[0].status == "failed"


def test_a_failure_that_cannot_be_recorded_does_not_hide_the_failure(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: Warehouse) -> None:
        raise StorageUnavailable("gone")

    with (
        pytest.raises(ZeroDivisionError),
        stage_run(warehouse, "ingest", "nyc_flights", WINDOW, CONTEXT),
    ):
        monkeypatch.setattr(Warehouse, "transaction", broken)
        raise ZeroDivisionError


CRASH = """
import os, sys
from dataclasses import replace
from datetime import UTC, date, datetime
from include.settings import Settings, WarehouseAddress
from include.warehouse.engine import open_warehouse
from include.warehouse.stages import RunContext, stage_run
from include.window import Window
home, dialect, database, host, user, point = sys.argv[1:]
settings = Settings.from_env({"NIGHTSHIFT_HOME": home}, code_revision="test")
address = WarehouseAddress(dialect, database, host or None, None, user or None)
warehouse = open_warehouse(replace(settings, warehouse=address))
days = [date(2013, 10, 5), date(2013, 10, 6)]
context = RunContext(datetime.now(UTC), "test")
def reach(here):
    if point == here:
        print("reached", flush=True)
        sys.stdin.readline()
with stage_run(warehouse, "ingest", "nyc_flights", Window(*days), context) as run:
    reach("opened")
    run.begin(days)
    reach("begun")
    with run.commit() as commit:
        for day in days:
            commit.done(day, "a", "out of a")
        reach("inside")
    reach("committed")
"""

AFTER = {
    "opened": {FIRST: "done"},
    "begun": {FIRST: "writing", SECOND: "writing"},
    "inside": {FIRST: "writing", SECOND: "writing"},
    "committed": {FIRST: "done", SECOND: "done"},
}


@pytest.mark.parametrize("point", AFTER)
def test_kill_nine_leaves_before_or_after_and_heals(
    warehouse: Warehouse, warehouse_settings: Settings, point: str
) -> None:
    ingest(warehouse, {FIRST: "a"})
    where = warehouse_settings.warehouse
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", CRASH, str(warehouse_settings.home)),
            *(where.dialect, where.database, where.host or "", where.user or "", point),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None and process.stdout.readline() == "reached\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert states(warehouse) == AFTER[point]

    context = replace(CONTEXT, lock_timeout=20.0)  # Postgres notices a dead client in a moment
    with stage_run(warehouse, "ingest", "nyc_flights", WINDOW, context) as run:
        due = run.due({FIRST: "a", SECOND: "a"})
        run.begin(due)
        with run.commit() as commit:
            for day in due:
                commit.done(day, "a", "out of a")
    assert states(warehouse) == {FIRST: "done", SECOND: "done"}
    statuses = [row.status for row in runs(warehouse)]
    dead = "done" if point == "committed" else "crashed"
    assert sorted(statuses) == sorted(["done", dead, "done" if due else "unchanged"])
