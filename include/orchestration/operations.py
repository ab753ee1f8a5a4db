"""What the DAGs that look after the installation have in common; they belong to no dataset."""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable

from include.orchestration import policy


def operations_dag(dag_id: str, description: str, cron: str, doc: str | None) -> DAG:
    """Return a DAG without tasks, on a cron in UTC while schedules are on.

    UTC, because it is of every dataset and so of no dataset's time zone.
    """
    return DAG(
        dag_id,
        description=description,
        schedule=CronTriggerTimetable(cron, timezone="UTC") if policy.schedules_are_on() else None,
        max_active_runs=1,
        doc_md=doc,
        tags=["nightshift", "operations"],
        catchup=False,
        default_args=policy.default_args("nightshift"),
    )
