from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
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
from include.declare import UseCase
from include.errors import (
    ConfigurationError,
    DaysStopped,
    RowsLost,
    SourceNotReady,
    StorageUnavailable,
)
from include.orchestration import tasks
from include.settings import Settings
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.migrate import upgrade
from include.warehouse.stages import StageResult
from include.window import Window
from include.workspace import Workspace, open_workspace

DAY = date(2013, 10, 7)


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


def test_a_source_finds_a_connection_that_only_airflow_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stored(name: str) -> Connection:
        if name != "shop":
            raise AirflowNotFoundException(name)
        return Connection(conn_id="shop", conn_type="postgres", host="db", password="p@ss:/word")

    monkeypatch.setattr(Connection, "get", stored)

    connections = tasks.task_settings({"AIRFLOW_CONN_STOCK": "aws://key:secret@"}).connections

    assert (connections.get("shop").host, connections.get("shop").password) == ("db", "p@ss:/word")
    assert connections.get("stock").kind == "aws"
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_OTHER"):
        connections.get("other")


def test_then_the_default(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    def missing(_: str) -> Connection:
        raise AirflowNotFoundException("warehouse")

    monkeypatch.setattr(Connection, "get", missing)

    found = tasks.task_settings({"NIGHTSHIFT_HOME": str(settings.home)})

    assert found.warehouse == settings.warehouse


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[dict[str, Any]]]:
    """The arguments that scoring, outcomes, performance and monitoring get; they do nothing."""
    names = ("score", "outcomes", "performance", "monitor")
    calls: dict[str, list[dict[str, Any]]] = {name: [] for name in names}

    def stage(name: str) -> Callable[..., StageResult]:
        def run(_workspace: Workspace, use_case: UseCase, window: Window, **more: Any) -> Any:
            calls[name].append({"use_case": use_case.name, "window": window, **more})
            notes = () if name == "score" else (f"{name} was here",)
            return result(status="done", done=(DAY,), notes=notes)

        return run

    monkeypatch.setattr("include.scoring.score.score", stage("score"))
    monkeypatch.setattr("include.monitoring.outcomes.write_outcomes", stage("outcomes"))
    monkeypatch.setattr("include.monitoring.performance.measure_performance", stage("performance"))
    monkeypatch.setattr("include.monitoring.monitor.monitor", stage("monitor"))
    return calls


@pytest.fixture
def landing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages of the ingest task in the order they are called; they land and measure a day."""
    calls: list[str] = []

    def stage(name: str, **more: Any) -> Callable[..., StageResult]:
        def run(*_: Any, **__: Any) -> StageResult:
            calls.append(name)
            return result(status="done", done=(DAY,), **more)

        return run

    monkeypatch.setattr("include.ingestion.landing.ingest", stage("ingest", notes=("landed",)))
    monkeypatch.setattr(
        "include.ingestion.quality.measure_quality", stage("quality", notes=("unusual",))
    )
    return calls


def test_what_has_landed_is_measured(running: dict[str, Any], landing: list[str]) -> None:
    assert tasks.ingest("nyc_flights")["notes"] == ["landed", "unusual"]
    assert landing == ["ingest", "quality"]


def test_days_beside_those_that_stop_are_measured(
    running: dict[str, Any], landing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> StageResult:
        raise DaysStopped("ingest", "nyc_flights", {DAY: "too few rows"})

    monkeypatch.setattr("include.ingestion.landing.ingest", stop)
    with pytest.raises(DaysStopped, match="too few rows"):
        tasks.ingest("nyc_flights")
    assert landing == ["quality"]


def test_quality_that_cannot_be_measured_does_not_cost_the_night(
    running: dict[str, Any], landing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> StageResult:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr("include.ingestion.quality.measure_quality", fail)
    *_, note = tasks.ingest("nyc_flights")["notes"]
    assert note == "the quality of the days was not measured: the disk is full"


FORM = {
    "first_day": "2013-09-01",
    "last_day": "2013-09-30",
    "model_policy": "champion_asof",
    "pinned_version": None,
}


def test_a_night_leaves_the_model_to_scoring(running: dict[str, Any], called: Any) -> None:
    tasks.score("flight_delay")
    assert called["score"] == [
        {"use_case": "flight_delay", "window": Window.night(DAY), "heal_days": DATASET.heal_days}
    ]


@pytest.mark.parametrize(
    ("policy", "version", "pinned"),
    [("champion_asof", None, None), ("pinned", "7", "7"), ("champion_now", "", None)],
)
def test_a_form_says_which_model_scores(
    running: dict[str, Any], called: Any, policy: str, version: str | None, pinned: str | None
) -> None:
    running["params"] = {**FORM, "model_policy": policy, "pinned_version": version}
    tasks.score("flight_delay")
    (call,) = called["score"]
    assert (call["policy"], call["pinned"], call["heal_days"]) == (policy, pinned, 0)
    assert str(call["window"]) == "2013-09-01 … 2013-09-30"


def test_a_drifted_night_asks_for_a_training(
    running: dict[str, Any], called: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def wanted(_workspace: Workspace, use_case: UseCase, day: date) -> str:
        asked.append((use_case.name, day))
        return "everything moved"

    monkeypatch.setattr("include.monitoring.retraining.wanted", wanted)

    told = tasks.monitor("flight_delay")

    assert asked == [("flight_delay", DAY)]
    assert (told["day"], told["retrain"]) == ("2013-10-07", "everything moved")
    night = {"use_case": "flight_delay", "window": Window.night(DAY)}
    asked_of_each = [{**night, "heal_days": DATASET.heal_days}]
    assert called["outcomes"] == called["performance"] == called["monitor"] == asked_of_each
    assert told["notes"][:3] == ["monitor was here", "outcomes was here", "performance was here"]


def test_outcomes_that_fail_hide_no_verdict_and_are_not_swallowed(
    running: dict[str, Any], called: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RowsLost("an entity has two labels")

    monkeypatch.setattr("include.monitoring.outcomes.write_outcomes", fail)
    with pytest.raises(RowsLost, match="two labels"):
        tasks.monitor("flight_delay")
    assert len(called["performance"]) == len(called["monitor"]) == 1


def test_digests_are_written_once_a_night_is_judged(
    running: dict[str, Any], called: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def write(_workspace: Workspace, use_case: UseCase, window: Window, **more: Any) -> Any:
        calls.append((use_case.name, window, more, len(called["monitor"])))
        return result(notes=("2013-W40: Yes: nothing speaks against it",))

    monkeypatch.setattr("include.monitoring.digests.write_digests", write)
    monkeypatch.setattr("include.monitoring.retraining.wanted", lambda *_: None)
    told = tasks.monitor("flight_delay")
    reach = {"heal_days": DATASET.heal_days}
    assert calls == [("flight_delay", Window.night(DAY), reach, 1)]
    assert told["notes"][-1] == "digest: 2013-W40: Yes: nothing speaks against it"


def test_a_digest_that_fails_does_not_fail_the_night(
    running: dict[str, Any],
    called: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # The warehouse has no tables, so that the digest stage fails where it begins.
    monkeypatch.setattr("include.monitoring.retraining.wanted", lambda *_: "everything moved")
    told = tasks.monitor("flight_delay")
    assert (told["status"], told["retrain"]) == ("done", "everything moved")
    *_, note = told["notes"]
    assert note.startswith("no digest: ") and "./nightshift init" in note
    (record,) = [it for it in caplog.records if it.levelno == logging.ERROR]
    assert "the digests of flight_delay were not written; its numbers are" in record.message


def test_a_backfill_never_asks_for_one(
    running: dict[str, Any], called: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "include.monitoring.retraining.wanted", lambda *_: pytest.fail("a backfill asked")
    )
    running["params"] = FORM
    assert "retrain" not in tasks.monitor("flight_delay")


@pytest.fixture
def shadowed(called: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The use case lets challengers score in shadow."""
    case = replace(USE_CASE, gate=replace(USE_CASE.gate, shadow_nights=5))
    monkeypatch.setattr(tasks.catalog, "use_case", lambda _: case)


def test_a_use_case_without_shadow_follows_none(
    running: dict[str, Any], called: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "follow_shadow", lambda _: pytest.fail("a shadow was followed"))
    tasks.score("flight_delay")


def test_a_backfill_follows_no_shadow(
    running: dict[str, Any], shadowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "follow_shadow", lambda _: pytest.fail("a shadow was followed"))
    running["params"] = FORM
    tasks.score("flight_delay")


def test_a_night_without_a_model_in_shadow_says_nothing(
    running: dict[str, Any], shadowed: None, settings: Settings
) -> None:
    migrated(settings)
    assert tasks.score("flight_delay")["notes"] == []


def test_a_shadow_that_fails_does_not_fail_the_scores(
    running: dict[str, Any], shadowed: None, caplog: pytest.LogCaptureFixture
) -> None:
    # The warehouse has no tables, so that following the shadow fails where it begins.
    with caplog.at_level(logging.ERROR):
        told = tasks.score("flight_delay")

    assert told["status"] == "done"
    (note,) = told["notes"]
    assert note.startswith("the shadow was not followed: ") and "no such table" in note
    assert len(note.splitlines()) == 1
    (record,) = [it for it in caplog.records if it.levelno == logging.ERROR]
    assert "the shadow of flight_delay was not followed; its scores are done" in record.message


def test_a_ripe_shadow_is_judged_after_it_was_followed(
    running: dict[str, Any], shadowed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def follow(_workspace: Workspace, _case: UseCase, window: Window, heal_days: int) -> Any:
        calls.append(("follow", window, heal_days))
        return result(status="done")

    def judge(_workspace: Workspace, _case: UseCase, actor: str) -> Any:
        calls.append(("judge", actor))
        return SimpleNamespace(model_version="4", event="kept", reason="no better")

    monkeypatch.setattr("include.scoring.shadow.follow", follow)
    monkeypatch.setattr("include.training.succession.judge_shadow", judge)

    assert tasks.score("flight_delay")["notes"] == ["shadow: version 4 kept: no better"]
    assert calls == [
        ("follow", Window.night(DAY), DATASET.heal_days),
        ("judge", "airflow:manual__1"),
    ]


def test_who_started_a_run_acts_in_it() -> None:
    by_hand = {"dag_run": SimpleNamespace(triggering_user_name="ada"), "run_id": "manual__1"}
    assert tasks.actor(by_hand) == "airflow:ada"
    by_cron = {"dag_run": SimpleNamespace(triggering_user_name=None), "run_id": "scheduled__1"}
    assert tasks.actor(by_cron) == "airflow:scheduled__1"


def migrated(settings: Settings) -> None:
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
