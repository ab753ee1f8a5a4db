"""The task that keeps watch, as Airflow runs it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException

from include import catalog
from include.errors import StorageUnavailable
from include.incidents import blindness
from include.orchestration import acknowledging
from include.orchestration.watch import keep_watch
from include.settings import Settings
from include.training import ledger
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.migrate import upgrade
from include.warehouse.monitoring_tables import acknowledgements, incidents
from include.warehouse.tables import readiness
from include.workspace import open_workspace
from tests.orchestration.listeners import Posts, web_server


@pytest.fixture
def in_service(running: dict[str, Any], settings: Settings) -> Settings:
    """An installation whose champion is years old, and in which no night ever ran."""
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        with workspace.warehouse.transaction() as connection:
            ledger.append(
                connection,
                use_case=USE_CASE.name,
                model_version="1",
                sha256="0" * 64,
                event="promoted",
                actor="test",
                reason="for a test",
                evidence={},
                artifact_uri="file:///nowhere",
                as_of=date(2013, 9, 30),
                at=datetime(2013, 10, 1, tzinfo=UTC),
            )
    return settings


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> Iterator[Posts]:
    """A webhook that is set up."""
    with web_server() as taken:
        connection = {"conn_type": "http", "host": f"http://127.0.0.1:{taken.port}/"}
        monkeypatch.setenv("AIRFLOW_CONN_NIGHTSHIFT_WEBHOOK", json.dumps(connection))
        yield taken


def states(settings: Settings) -> list[str]:
    with open_workspace(settings) as workspace, workspace.warehouse.reading() as connection:
        query = sa.select(readiness.c.state).order_by(readiness.c.target_date)
        return list(connection.execute(query).scalars())


def told(posts: Posts) -> list[tuple[str, str]]:
    events = [(it["event"], it["kind"]) for body in posts.bodies for it in body["events"]]
    posts.bodies.clear()
    return events


def test_nights_that_never_started_become_late_and_are_told_once(
    in_service: Settings, posts: Posts
) -> None:
    assert keep_watch() == {"summary": "1 opened, 0 still open, 0 over"}
    found = states(in_service)
    assert len(found) == USE_CASE.dataset.heal_days + 1
    assert set(found[:-1]) == {"late"}
    assert found[-1] in ("late", "waiting"), "by the time of the day"
    assert told(posts) == [("opened", "scores_late")]
    assert keep_watch() == {"summary": "0 opened, 1 still open, 0 over"}
    assert told(posts) == []


def test_a_use_case_that_cannot_be_read_is_told_and_fails_the_run_after_the_others(
    in_service: Settings, posts: Posts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "use_case_names", lambda: ["a_typo", USE_CASE.name])
    real = catalog.use_case

    def declared(name: str) -> Any:
        if name == "a_typo":
            raise ImportError("no such column")
        return real(name)

    monkeypatch.setattr(catalog, "use_case", declared)
    with pytest.raises(AirflowFailException, match=r"a_typo is not .*ImportError: no such column"):
        keep_watch()
    assert "late" in states(in_service)
    assert sorted(told(posts)) == [("opened", "not_watched"), ("opened", "scores_late")]


def test_a_channel_that_fails_fails_the_run_and_is_asked_again(
    in_service: Settings, posts: Posts
) -> None:
    posts.status = 503
    with pytest.raises(AirflowFailException, match=r"nobody was told by webhook: .* status 503"):
        keep_watch()
    posts.bodies.clear()
    posts.status = 200
    keep_watch()
    assert told(posts) == [("opened", "scores_late")]


def test_a_warehouse_that_is_down_is_told_once_it_lasts(
    in_service: Settings, posts: Posts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blindness, "PATIENCE", timedelta(0))
    there = os.environ["AIRFLOW_CONN_WAREHOUSE"]
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgres://ada@127.0.0.1:9/night")
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            keep_watch()
    assert told(posts) == [("opened", "watch_blind")]
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", there)
    keep_watch()
    assert told(posts) == [("opened", "scores_late"), ("over", "watch_blind")]


def test_the_form_silences_an_incident(
    in_service: Settings, running: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_watch()
    with open_workspace(in_service) as workspace, workspace.warehouse.reading() as connection:
        number = connection.execute(sa.select(incidents.c.incident)).scalar_one()
    running["params"] = {"incident": number, "until": None, "reason": "known"}
    monkeypatch.setattr(acknowledging, "get_current_context", lambda: running)
    told = acknowledging.acknowledge()
    assert told == {"subject": USE_CASE.name, "kind": "scores_late", "until": None}
    with open_workspace(in_service) as workspace, workspace.warehouse.reading() as connection:
        (row,) = connection.execute(sa.select(acknowledgements))
    assert (row.incident, row.actor, row.until) == (number, "airflow:manual__1", None)
