from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from include.datasets.nyc_flights.declaration import DATASET
from include.errors import DataError, UsageError
from include.orchestration import model_tasks
from include.settings import Settings
from include.warehouse.days import DayState, write_days
from include.warehouse.migrate import upgrade
from include.warehouse.stages import stage_run
from include.window import Window
from include.workspace import Workspace, open_workspace

DAY = date(2013, 10, 7)
TRAINED = {"version": "4", "verdict": "proposed"}


@pytest.fixture
def installed(running: dict[str, Any], settings: Settings) -> Iterator[Workspace]:
    """The workspace the running task will open, with tables."""
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        yield workspace


@pytest.fixture
def concluded(installed: Workspace, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the ledger is told."""
    told: list[dict[str, Any]] = []

    def conclude(_workspace: Workspace, use_case: Any, version: str, **answer: Any) -> Any:
        told.append({"use_case": use_case.name, "version": version, **answer})
        return entry("promoted" if answer["approved"] else "kept")

    monkeypatch.setattr("include.training.succession.conclude", conclude)
    return told


def entry(event: str) -> Any:
    return SimpleNamespace(model_version="4", event=event, actor="someone", reason="words")


@pytest.mark.parametrize(
    ("answer", "approved", "actor", "reason"),
    [
        ({"approved": True, "by": "ada", "reason": "fine"}, True, "airflow:ada", "fine"),
        ({"approved": False, "by": "ada", "reason": ""}, False, "airflow:ada", "no reason was"),
        (
            {"approved": None, "by": None, "reason": ""},
            None,
            "airflow:manual__1",
            "asked in Airflow for 24 hours",
        ),
    ],
)
def test_every_answer_is_concluded(
    concluded: list[dict[str, Any]],
    answer: dict[str, Any],
    approved: bool | None,
    actor: str,
    reason: str,
) -> None:
    told = model_tasks.promote("flight_delay", TRAINED, answer)

    (call,) = concluded
    assert (call["use_case"], call["version"]) == ("flight_delay", "4")
    assert (call["approved"], call["actor"]) == (approved, actor)
    assert call["reason"].startswith(reason)
    assert told == {"version": "4", "event": "promoted" if approved else "kept", "reason": "words"}


def test_a_lost_answer_is_asked_for_by_command(concluded: list[dict[str, Any]]) -> None:
    with pytest.raises(UsageError, match=r"lost the answer; .* approve flight_delay 4 --reason"):
        model_tasks.promote("flight_delay", TRAINED, None)
    assert concluded == []


def test_training_returns_small_values_and_the_brief(
    installed: Workspace, running: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    running["params"] = {"as_of": "2013-09-30", "promote": False}
    asked = []

    def train(_workspace: Workspace, _case: Any, **order: Any) -> Any:
        asked.append(order)
        return SimpleNamespace(
            summary=lambda: "trained",
            brief=lambda: "## evidence",
            model_version="4",
            verdict="registered",
            promoted=False,
            registered=SimpleNamespace(sha256="abc"),
            decision=SimpleNamespace(reason="nobody asked"),
        )

    monkeypatch.setattr("include.training.train.train", train)

    told = model_tasks.train("flight_delay")

    assert asked == [{"as_of": date(2013, 9, 30), "promote": False, "actor": "airflow:manual__1"}]
    assert told == {
        "as_of": "2013-09-30",
        "version": "4",
        "sha256": "abc",
        "verdict": "registered",
        "promoted": False,
        "reason": "nobody asked",
        "brief": "## evidence",
    }
    assert json.loads(json.dumps(told)) == told


@pytest.fixture
def rolled(installed: Workspace, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []

    def roll_back(_workspace: Workspace, _case: Any, version: str, **more: Any) -> Any:
        told.append({"version": version, **more})
        return entry("rolled_back")

    monkeypatch.setattr("include.training.succession.roll_back", roll_back)
    return told


def test_a_rollback_does_what_the_form_says(
    rolled: list[dict[str, Any]], running: dict[str, Any]
) -> None:
    running["params"] = {"version": "3", "reason": "4 is too eager", "rescore_from": None}
    running["dag_run"] = SimpleNamespace(conf={}, triggering_user_name="ada")

    told = model_tasks.roll_back("flight_delay")

    assert rolled == [{"version": "3", "actor": "airflow:ada", "reason": "4 is too eager"}]
    assert told["event"] == "rolled_back"


def test_a_wrong_day_is_found_before_anything_is_rolled_back(
    rolled: list[dict[str, Any]], running: dict[str, Any]
) -> None:
    running["params"] = {"version": "3", "reason": "x", "rescore_from": "2013-10-01"}
    with pytest.raises(UsageError, match="nothing is scored yet"):
        model_tasks.roll_back("flight_delay")
    assert rolled == []


def test_without_a_day_nothing_is_scored_again(running: dict[str, Any]) -> None:
    running["params"] = {"rescore_from": None}
    with pytest.raises(AirflowSkipException, match="no day was given"):
        model_tasks.rescore("flight_delay")


def test_published_days_are_scored_again_with_the_present_champion(
    installed: Workspace, running: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    days = Window(date(2013, 10, 1), DAY)
    states = [DayState(day, "done", "r", "i", "o", installed.now) for day in days]
    with installed.warehouse.transaction() as connection:
        write_days(connection, "score", "flight_delay", states)
    asked = []

    def score(_workspace: Workspace, _case: Any, window: Window, **more: Any) -> Any:
        asked.append((str(window), more))
        raise DataError("enough")

    monkeypatch.setattr("include.scoring.rescore.score", score)
    running["params"] = {"rescore_from": "2013-10-03"}

    with pytest.raises(DataError, match="enough"):
        model_tasks.rescore("flight_delay")
    assert asked == [("2013-10-03 … 2013-10-07", {"heal_days": 0, "policy": "champion_now"})]


def test_training_is_as_of_the_newest_day_with_features(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="run nyc_flights_backfill first"):
        model_tasks.training_day(workspace, DATASET, None)

    days = Window(date(2013, 10, 5), DAY)
    with stage_run(workspace.warehouse, "features", "nyc_flights", days, workspace.context) as run:
        run.begin(days)
        with run.commit() as commit:
            for day in days:
                commit.done(day, "in", "out")

    assert model_tasks.training_day(workspace, DATASET, None) == DAY
    assert model_tasks.training_day(workspace, DATASET, "2013-10-05") == date(2013, 10, 5)


def test_training_as_of_a_day_to_come_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="lies in the future"):
        model_tasks.training_day(workspace, DATASET, "2099-01-01")
