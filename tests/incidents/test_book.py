"""One open row per cause: opened, updated, over; never lost to what cannot be looked at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from include import catalog
from include.declare import UseCase
from include.errors import ConfigurationError, LockHeld
from include.incidents import book
from include.scoring import readiness
from include.settings import Settings
from include.warehouse.engine import open_warehouse
from include.warehouse.monitoring_tables import incidents
from include.workspace import Workspace, open_workspace
from tests.incidents.troubles import DATASET, NOON, TODAY, USE_CASE, days, found, kinds, run, say

STOPPED = (DATASET.name, "stage_stopped", "ingest")


def rows(workspace: Workspace) -> list[dict[str, Any]]:
    with workspace.warehouse.reading() as connection:
        query = sa.select(incidents).order_by(incidents.c.incident)
        return [dict(row._mapping) for row in connection.execute(query)]


def test_an_incident_is_opened_updated_and_over(warehouse_settings: Settings) -> None:
    def look(hours: int) -> list[dict[str, Any]]:
        with open_workspace(warehouse_settings, now=NOON + timedelta(hours=hours)) as workspace:
            book.watch(workspace)
            return rows(workspace)

    with open_workspace(warehouse_settings, now=NOON) as workspace:
        say(workspace, "ingest", "done", days(40))
        say(workspace, "ingest", "stopped", [TODAY], "first")
    (opened,) = look(0)
    assert opened["since"] == opened["last_seen"] and opened["resolved_at"] is None

    with open_workspace(warehouse_settings, now=NOON) as workspace:
        say(workspace, "ingest", "stopped", [TODAY - timedelta(days=1), TODAY], "second")
    (updated,) = look(1)
    assert updated["incident"] == opened["incident"] and updated["since"] == opened["since"]
    assert updated["first_day"] == TODAY - timedelta(days=1)
    assert "second" in updated["detail"]
    assert updated["last_seen"] > opened["last_seen"]

    with open_workspace(warehouse_settings, now=NOON) as workspace:
        say(workspace, "ingest", "done", [TODAY - timedelta(days=1), TODAY])
    (over,) = look(2)
    assert over["resolved_at"] > updated["last_seen"]
    assert over["detail"] == updated["detail"], "what was wrong stays to be read"

    with open_workspace(warehouse_settings, now=NOON) as workspace:
        say(workspace, "ingest", "stopped")
    again = look(3)
    assert [row["incident"] for row in again] == [opened["incident"], again[1]["incident"]]
    assert again[0]["resolved_at"] == over["resolved_at"]


def test_looking_again_changes_nothing_but_when_it_was_seen(workspace: Workspace) -> None:
    say(workspace, "ingest", "stopped", days(3))
    book.watch(workspace)
    (before,) = rows(workspace)
    assert book.watch(workspace).summary() == "0 opened, 1 still open, 0 over"
    (after,) = rows(workspace)
    assert {**after, "last_seen": None} == {**before, "last_seen": None}


def test_looks_at_the_same_time_open_one_incident(warehouse_settings: Settings) -> None:
    with open_workspace(warehouse_settings, now=NOON) as workspace:
        say(workspace, "ingest", "stopped")

    def look(_: int) -> None:
        with open_workspace(warehouse_settings, now=NOON) as workspace:
            book.watch(workspace)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, range(4)))
    with open_workspace(warehouse_settings, now=NOON) as workspace:
        assert [row["kind"] for row in rows(workspace)] == ["stage_stopped"]


def test_what_cannot_be_looked_at_is_told_and_keeps_what_was_known_of_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(workspace, "ingest", "stopped")
    run(workspace, "train", "failed", minutes_ago=60, subject=USE_CASE.name)
    known = kinds(found(workspace))
    assert len(known) == 2
    say(workspace, "ingest", "done")
    run(workspace, "train", "done", minutes_ago=30, subject=USE_CASE.name)
    with monkeypatch.context() as patched:

        def broken(name: str) -> UseCase:
            if name != USE_CASE.name:
                return sound(name)
            raise ImportError("no such column as Ada Lovelace")

        sound = catalog.use_case
        patched.setattr(catalog, "use_case", broken)
        changes = book.watch(workspace)
        with workspace.warehouse.reading() as connection:
            seen = {it.key: it.detail for it in book.listed(connection)}
    assert changes.unseen == {USE_CASE.name: "ImportError: no such column as Ada Lovelace"}
    assert seen == {
        (USE_CASE.name, "not_watched", ""): "ImportError; the log of the run has its text",
        (USE_CASE.name, "stage_failed", "train"): "train of flight_delay failed on 2014-05-31: "
        "it did not say why",
    }
    assert found(workspace) == []


def test_what_may_pass_by_itself_is_no_incident_and_ends_none(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(workspace, "train", "failed", minutes_ago=60, subject=USE_CASE.name)
    known = kinds(found(workspace))
    run(workspace, "train", "done", minutes_ago=30, subject=USE_CASE.name)
    with monkeypatch.context() as patched:

        def held(*_: object) -> None:
            raise LockHeld("readiness is being written elsewhere")

        patched.setattr(readiness, "refresh", held)
        changes = book.watch(workspace)
    why = "readiness is being written elsewhere"
    assert changes.unseen == dict.fromkeys(catalog.use_case_names(), why)
    assert changes.summary() == "0 opened, 0 still open, 0 over"
    with workspace.warehouse.reading() as connection:
        assert kinds(book.listed(connection)) == known
    assert found(workspace) == []


def test_before_init_it_names_init(empty_settings: Settings) -> None:
    open_warehouse(empty_settings).dispose()
    with (
        open_workspace(empty_settings, now=NOON) as workspace,
        pytest.raises(ConfigurationError, match="nightshift init"),
    ):
        book.watch(workspace)


def test_incidents_of_one_subject_and_those_over(workspace: Workspace) -> None:
    say(workspace, "ingest", "stopped")
    run(workspace, "train", "failed", minutes_ago=60, subject=USE_CASE.name)
    found(workspace)
    say(workspace, "ingest", "done")
    found(workspace)
    with workspace.warehouse.reading() as connection:
        assert book.listed(connection, DATASET.name) == []
        (over,) = book.listed(connection, DATASET.name, over=True)
        assert over.key == STOPPED and over.resolved_at is not None
        assert len(book.listed(connection, over=True)) == 2
