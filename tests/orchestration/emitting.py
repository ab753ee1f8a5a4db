"""Runs one stage in a process set up as Airflow's task runner does, and ends as it does.

`python -m tests.orchestration.emitting`: everything else comes from the environment.
"""

from __future__ import annotations

import tests.airflow_home  # noqa: F401 - before airflow

# isort: split
import os
from datetime import date
from types import SimpleNamespace
from typing import Any

from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils

from include.datasets.nyc_flights.declaration import DATASET
from include.orchestration import tasks
from include.settings import Settings
from include.warehouse.engine import open_warehouse
from include.warehouse.migrate import upgrade
from include.warehouse.stages import StageResult, stage_run
from include.window import Window
from include.workspace import Workspace

DAY = date(2013, 10, 7)


def stage(workspace: Workspace, _dataset: Any, window: Window, heal_days: int) -> StageResult:
    """Land a day of 842 rows, 2 of them held, or stop it."""
    with stage_run(workspace.warehouse, "ingest", DATASET.name, window, workspace.context) as run:
        run.begin([DAY])
        with run.commit() as commit:
            commit.count(rows_in=842, rows_out=840, rows_held=2)
            if "STOP" in os.environ:
                commit.stopped(DAY, None, "too few rows")
            else:
                commit.done(DAY, "in", "out")
        return run.result.or_raise()


def main() -> None:
    """Run the stage as a task does."""
    upgrade(open_warehouse(Settings.from_env(os.environ, code_revision="test")))
    stats.initialize(
        factory=stats_utils.get_stats_factory(),
        export_legacy_names=conf.getboolean("metrics", "legacy_names_on"),
    )
    context = {
        "ti": SimpleNamespace(dag_id="nyc_flights_nightly", task_id="ingest", run_id="manual__1"),
        "run_id": "manual__1",
        "partition_key": str(DAY),
        "params": {},
    }
    tasks.get_current_context = lambda: context  # type: ignore[assignment]
    print(tasks.run_stage(stage, DATASET, DATASET.name)["summary"])


if __name__ == "__main__":
    main()
