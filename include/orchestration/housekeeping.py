"""The DAG that keeps lake, warehouse and home from growing without end."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, task

from include import catalog
from include.orchestration import policy
from include.orchestration.operations import operations_dag
from include.orchestration.tasks import task_workspace

SUNDAY_AT_FIVE = "0 5 * * 0"


def housekeeping_dag(doc: str | None) -> DAG:
    """Return the DAG `nightshift_housekeeping`; `doc` is the runbook shown."""
    with operations_dag(
        "nightshift_housekeeping",
        "Remove what is older than declared and nothing refers to, and tidy up",
        SUNDAY_AT_FIVE,
        doc,
    ) as dag:
        task(execution_timeout=policy.WINDOW_TIMEOUT)(keep_house)()
    return dag


def keep_house() -> dict[str, Any]:
    """Do all housekeeping of what is declared; return what was done.

    A declaration that is broken fails the task before anything is removed: what it needs is not
    known.

    Raises:
        StorageUnavailable: some pieces could not be done; the others are.
    """
    from include.upkeep.housekeeping import housekeeping

    datasets = [catalog.dataset(name) for name in catalog.dataset_names()]
    use_cases = [catalog.use_case(name) for name in catalog.use_case_names()]
    with task_workspace() as workspace:
        account = housekeeping(workspace, datasets, use_cases)
    return {"summary": account.summary(), "freed": account.freed, "lines": account.lines}
