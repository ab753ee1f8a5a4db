"""The DAG that keeps lake, warehouse and home from growing without end."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, task

from include import catalog
from include.orchestration import policy
from include.orchestration.tasks import task_workspace

SUNDAY_AT_FIVE = "0 5 * * 0"
"""UTC: it is of every dataset, so of no dataset's time zone."""


def housekeeping_dag(doc: str | None) -> DAG:
    """Return the DAG `nightshift_housekeeping`; `doc` is the runbook shown."""
    with DAG(
        "nightshift_housekeeping",
        description="Remove what is older than declared and nothing refers to, and tidy up",
        schedule=(
            CronTriggerTimetable(SUNDAY_AT_FIVE, timezone="UTC")
            if policy.schedules_are_on()
            else None
        ),
        max_active_runs=1,
        doc_md=doc,
        tags=["nightshift", "operations"],
        catchup=False,
        default_args=policy.default_args("nightshift"),
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
