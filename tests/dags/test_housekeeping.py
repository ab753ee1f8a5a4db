"""Housekeeping runs once a week, and never when schedules are off."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import CronTriggerTimetable

from include import catalog
from include.orchestration import housekeeping, policy, tasks
from include.settings import REPOSITORY
from include.warehouse import migrate
from include.warehouse.engine import open_warehouse


def test_it_runs_on_sunday_morning(bag: DagBag) -> None:
    dag = bag.dags["nightshift_housekeeping"]
    assert isinstance(dag.timetable, CronTriggerTimetable)
    assert dag.timetable.expression == "0 5 * * 0"
    assert str(dag.timetable.timezone) == "UTC"
    assert dag.task_ids == ["keep_house"]
    assert dag.get_task("keep_house").execution_timeout == policy.WINDOW_TIMEOUT
    assert dag.tags == {"nightshift", "operations"}


def test_it_does_not_start_by_itself_when_schedules_are_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_SCHEDULES", "off")
    dags = DagBag(REPOSITORY / "dags" / "nightshift_housekeeping.py").dags
    assert type(dags["nightshift_housekeeping"].timetable).__name__ == "NullTimetable"


def test_the_task_keeps_house(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_HOME", str(home))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"sqlite:///{home / 'warehouse.db'}")
    task = SimpleNamespace(dag_id="nightshift_housekeeping", task_id="t", run_id="manual__1")
    monkeypatch.setattr(tasks, "get_current_context", lambda: {"ti": task})
    warehouse = open_warehouse(tasks.task_settings(os.environ))
    migrate.upgrade(warehouse)
    warehouse.dispose()
    dead = home / "spool" / "dead"
    dead.mkdir(parents=True)
    (dead / "000000.arrow").write_bytes(b"left behind")
    told = housekeeping.keep_house()
    assert told["summary"].startswith("housekeeping freed 0 kB, 2 thing(s) done")
    assert told["lines"][0] == "1 spool(s) of dead runs removed"
    assert not dead.exists()


def test_a_broken_declaration_stops_it_before_anything_is_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it needs is not known; no workspace is even opened, which would fail here."""

    def broken(name: str) -> None:
        raise ValueError(f"{name} has a typo")

    monkeypatch.setattr(catalog, "use_case", broken)
    with pytest.raises(ValueError, match="has a typo"):
        housekeeping.keep_house()
