"""Airflow with a home of its own, and the context of a running task."""

from __future__ import annotations

import tests.airflow_home  # noqa: F401 - before airflow

# isort: split
from types import SimpleNamespace
from typing import Any

import pytest

from include.orchestration import model_tasks, quarantine_tasks, tasks


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch, home: Any) -> dict[str, Any]:
    """The context of a running night, on a home of its own."""
    context = {
        "ti": SimpleNamespace(dag_id="nyc_flights_nightly", task_id="t", run_id="manual__1"),
        "dag_run": SimpleNamespace(conf={}),
        "run_id": "manual__1",
        "partition_key": "2013-10-07",
        "params": {},
    }
    for module in (tasks, model_tasks, quarantine_tasks):
        monkeypatch.setattr(module, "get_current_context", lambda: context)
    monkeypatch.setenv("NIGHTSHIFT_HOME", str(home))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"sqlite:///{home / 'warehouse.db'}")
    return context
