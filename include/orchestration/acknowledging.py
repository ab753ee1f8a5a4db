"""The DAG that silences an incident, for those who have the UI and no command line."""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, get_current_context, task

from include.orchestration import forms, policy
from include.orchestration.tasks import actor, task_workspace
from include.window import parse_day


def acknowledge_dag(doc: str | None) -> DAG:
    """Return the DAG `nightshift_acknowledge`; `doc` is the runbook shown."""
    with DAG(
        "nightshift_acknowledge",
        description="Silence an open incident until a day, or until it is over",
        schedule=None,
        params=forms.acknowledgement_form(),
        max_active_runs=1,
        doc_md=doc,
        tags=["nightshift", "operations"],
        catchup=False,
        default_args=policy.default_args("nightshift"),
    ) as dag:
        task(acknowledge)()
    return dag


def acknowledge() -> dict[str, Any]:
    """Silence the incident the form names; returns what is silent.

    Raises:
        UsageError: there is no such open incident, the day has begun, or there is no reason.
    """
    from include.incidents.acknowledgement import acknowledge as silence

    context = get_current_context()
    params = context["params"]
    until = parse_day(params["until"]) if params["until"] else None
    with task_workspace() as workspace:
        found = silence(
            workspace,
            params["incident"],
            actor=actor(context),
            reason=params["reason"],
            until=until,
        )
    return {"subject": found.subject, "kind": found.kind, "until": params["until"]}
