"""The form that decides about held rows."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from include.errors import UsageError
from include.ingestion.landing import ingest
from include.orchestration import quarantine_tasks
from include.orchestration.dags import dataset_dags
from include.settings import Settings
from include.warehouse import tables
from include.warehouse.migrate import upgrade
from include.workspace import Workspace, open_workspace
from tests.ingestion.deciding import DAY, NIGHT, WEATHER, WIND, held, rows_of

EMPTY = {"row_hashes": [], "rule": None, "day": None, "table": None, "values": []}


@pytest.fixture
def installed(
    settings: Settings, running: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """An installation in which one row of weather is held."""
    monkeypatch.setattr(quarantine_tasks.catalog, "dataset", lambda _name: WEATHER)
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        ingest(workspace, WEATHER, NIGHT)
        yield workspace


def ask(running: dict[str, Any], action: str, **fields: Any) -> dict[str, Any]:
    running["params"] = {"action": action, **EMPTY, "reason": "a storm", "confirm": False, **fields}
    return quarantine_tasks.decide(WEATHER.name)


def test_the_log_shows_what_follows_until_it_is_confirmed(
    installed: Workspace, running: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "include.orchestration")
    told = ask(running, "release", rule=WIND, day=str(DAY))
    assert told["decided"] is False
    said = [record.message for record in caplog.records]
    assert f"nyc_flights.weather {DAY} would land 72 of 72 rows; 0 held, 0 discarded" in said
    assert "start again with the field Decide on" in said[-1]
    assert rows_of(installed, tables.quarantine_decisions) == []

    assert ask(running, "release", rule=WIND, day=str(DAY), confirm=True)["decided"] is True
    (decision,) = rows_of(installed, tables.quarantine_decisions)
    assert (decision["action"], decision["actor"]) == ("release", "airflow:manual__1")
    with pytest.raises(UsageError, match="nobody decided about"):
        ask(running, "release", rule=WIND, day=str(DAY), confirm=True)


def test_every_decision_has_its_fields(installed: Workspace, running: dict[str, Any]) -> None:
    row = {"row_hashes": [held(installed)[0]["row_hash"]], "confirm": True}
    ask(running, "correct", values=["wind_speed=10.48"], **row)
    ask(running, "discard", **row)
    ask(running, "revoke", **row)
    ask(running, "waive", rule=WIND, day=str(DAY), table="weather", confirm=True)
    made = [row["action"] for row in rows_of(installed, tables.quarantine_decisions)]
    assert made == ["correct", "discard", "revoke", "waive"]
    with pytest.raises(UsageError, match="fill in both"):
        ask(running, "waive", rule=WIND)


def test_the_form_takes_what_it_describes() -> None:
    *_, dag = dataset_dags(WEATHER, "doc")
    assert (dag.dag_id, dag.task_ids) == ("nyc_flights_quarantine", ["decide"])
    good = {
        "action": "correct",
        "row_hashes": ["abc"],
        "rule": None,
        "day": "2013-02-12",
        "table": None,
        "values": ["wind_speed=", "temp=1=2"],
        "reason": "a storm",
        "confirm": True,
    }
    form = {name: deepcopy(dag.params.get_param(name)) for name in dag.params}
    assert {name: form[name].resolve(value) for name, value in good.items()} == good
    bad = {"action": "burn", "row_hashes": "abc", "values": ["x"], "reason": " ", "day": "soon"}
    for name, value in bad.items():
        with pytest.raises(ParamValidationError):
            form[name].resolve(value)
