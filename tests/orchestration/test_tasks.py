from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Connection
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowRescheduleException,
)

from include.datasets.nyc_flights.declaration import DATASET
from include.errors import DataError, DaysStopped, SourceNotReady, UsageError
from include.orchestration import tasks
from include.settings import Settings
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.stages import StageResult, stage_run
from include.window import Window
from include.workspace import Workspace

DAY = date(2013, 10, 7)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, home: Any) -> Iterator[dict[str, Any]]:
    """The context of a running night, on a home of its own."""
    context = {
        "ti": SimpleNamespace(dag_id="nyc_flights_nightly", task_id="t", run_id="manual__1"),
        "dag_run": SimpleNamespace(conf={}),
        "run_id": "manual__1",
        "partition_key": DAY.isoformat(),
        "params": {},
    }
    monkeypatch.setattr(tasks, "get_current_context", lambda: context)
    monkeypatch.setenv("NIGHTSHIFT_HOME", str(home))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"sqlite:///{home / 'warehouse.db'}")
    yield context


def result(**more: Any) -> StageResult:
    return StageResult("ingest", "nyc_flights", Window.night(DAY), "r1", **more)


def test_a_stage_gets_workspace_declaration_window_and_healing(running: dict[str, Any]) -> None:
    calls = []

    def stage(workspace: Workspace, subject: Any, window: Window, heal_days: int) -> StageResult:
        calls.append((workspace.context, subject, window, heal_days))
        return result(status="done", done=(DAY,), rows_in=10, rows_out=9, rows_held=1)

    told = tasks.run_stage(stage, USE_CASE.dataset, "flight_delay")

    ((context, subject, window, heal_days),) = calls
    assert (context.airflow_dag_id, context.airflow_run_id) == ("nyc_flights_nightly", "manual__1")
    assert (subject, window, heal_days) == (USE_CASE, Window.night(DAY), DATASET.heal_days)
    assert (told["days_done"], told["rows_in"], told["rows_held"]) == (1, 10, 1)
    assert len(json.dumps(told)) < 2000, "XCom carries counts and verdicts"


def test_a_day_asked_for_that_stopped_fails_the_task(running: dict[str, Any]) -> None:
    stopped = result(status="stopped", stopped={DAY: "flights: 812 rows, fewer than 600"})
    with pytest.raises(DaysStopped, match="2013-10-07: flights: 812 rows"):
        tasks.run_stage(lambda *_, **__: stopped, DATASET, "nyc_flights")


def test_an_older_day_that_stopped_does_not(running: dict[str, Any]) -> None:
    older = result(status="done", done=(DAY,), stopped={date(2013, 10, 1): "bad"})
    assert tasks.run_stage(lambda *_, **__: older, DATASET, "nyc_flights")["days_stopped"] == 1


def test_waiting_for_the_source_frees_the_slot(running: dict[str, Any]) -> None:
    until = datetime(2013, 10, 8, 5, tzinfo=UTC)

    def stage(*_: Any, **__: Any) -> StageResult:
        raise SourceNotReady(DAY, until, "nyc_flights does not have 2013-10-07 yet")

    with pytest.raises(AirflowRescheduleException) as raised:
        tasks.run_stage(stage, DATASET, "nyc_flights")
    assert raised.value.reschedule_date == until


def test_a_watcher_fails_an_incomplete_window() -> None:
    with pytest.raises(AirflowFailException, match="not every day of the window got done"):
        tasks.fail_incomplete()


def test_the_environment_decides_on_the_warehouse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "get", lambda _: pytest.fail("Airflow was asked"))
    settings = tasks.task_settings({"AIRFLOW_CONN_WAREHOUSE": "postgresql://a:b@db:5433/w"})
    assert (settings.warehouse.host, settings.warehouse.port) == ("db", 5433)


def test_then_the_airflow_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Connection(
        conn_id="warehouse",
        conn_type="postgres",
        host="db",
        login="night",
        password="p@ss:/word",
        schema="scores",
        port=5433,
        extra='{"sslmode": "require"}',
    )
    monkeypatch.setattr(Connection, "get", lambda _: stored)

    address = tasks.task_settings({}).warehouse

    assert (address.dialect, address.host, address.port) == ("postgresql", "db", 5433)
    assert (address.user, address.password) == ("night", "p@ss:/word")
    assert (address.database, address.options) == ("scores", (("sslmode", "require"),))


def test_then_the_default(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    def missing(_: str) -> Connection:
        raise AirflowNotFoundException("warehouse")

    monkeypatch.setattr(Connection, "get", missing)

    found = tasks.task_settings({"NIGHTSHIFT_HOME": str(settings.home)})

    assert found.warehouse == settings.warehouse


def test_training_is_as_of_the_newest_day_with_features(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="run nyc_flights_backfill first"):
        tasks.training_day(workspace, DATASET, None)

    days = Window(date(2013, 10, 5), DAY)
    with stage_run(workspace.warehouse, "features", "nyc_flights", days, workspace.context) as run:
        run.begin(days)
        with run.commit() as commit:
            for day in days:
                commit.done(day, "in", "out")

    assert tasks.training_day(workspace, DATASET, None) == DAY
    assert tasks.training_day(workspace, DATASET, "2013-10-05") == date(2013, 10, 5)


def test_training_as_of_a_day_to_come_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="lies in the future"):
        tasks.training_day(workspace, DATASET, "2099-01-01")
