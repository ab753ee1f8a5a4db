"""The DAG that keeps `readiness` true, also for nights that never started."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from include import catalog
from include.orchestration.operations import operations_dag
from include.orchestration.tasks import task_workspace

EVERY_TEN_MINUTES = "*/10 * * * *"


def watch_dag(doc: str | None) -> DAG:
    """Return the DAG `nightshift_watch`; `doc` is the runbook shown."""
    with operations_dag(
        "nightshift_watch",
        "Say of every use case whether this morning's scores may be used",
        EVERY_TEN_MINUTES,
        doc,
    ) as watch:
        task(refresh_readiness)()
    return watch


def refresh_readiness() -> dict[str, Any]:
    """Bring the readiness of every use case up to date.

    Raises:
        AirflowFailException: that of some could not be; the others are up to date.
    """
    from include.scoring import readiness

    names = catalog.use_case_names()
    with task_workspace() as workspace:
        failed = readiness.refresh_all(workspace, names)
    if failed:
        told = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise AirflowFailException(f"readiness of {len(failed)} use case(s) is out of date: {told}")
    return {"use_cases": names}
