"""Builds the DAGs of a dataset and of a use case.

DAG files stay wiring: a declaration and one call. No DAG has a `start_date`: with one in
the past, Airflow runs the newest day the moment it starts, and without one it waits for
the next midnight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.sdk import (
    DAG,
    CronPartitionTimetable,
    CronTriggerTimetable,
    Param,
    PartitionedAssetTimetable,
    chain,
    task,
)

from include.declare import Dataset, UseCase
from include.orchestration import forms, model_tasks, policy, quarantine_tasks, tasks
from include.orchestration.assets import dataset_asset
from include.orchestration.operators import Approval, RetrainingRequest

MIDNIGHT = "0 0 * * *"
"""In the dataset's time zone; other hours repeat or skip keys where daylight saving changes."""

Body = Callable[..., dict[str, Any]]


def dataset_dags(dataset: Dataset, doc: str | None) -> tuple[DAG, DAG, DAG]:
    """Return the nightly, backfill and quarantine DAG of a dataset; `doc` is the runbook shown."""
    with DAG(
        f"{dataset.name}_nightly",
        description=f"Land a day of {dataset.name}, build its features, announce them",
        # The timetable stays when schedules are off, for its form field and keyed events;
        # an end date in the past keeps it from firing.
        end_date=None if policy.schedules_are_on() else policy.LONG_OVER,
        schedule=CronPartitionTimetable(
            MIDNIGHT, timezone=dataset.timezone, run_offset=-1, key_format="%Y-%m-%d"
        ),
        max_active_runs=1,
        **_common(dataset.owner, doc, dataset.name, "nightly"),
    ) as nightly:
        landed = _step(tasks.ingest, dataset.name)
        built = _step(tasks.build_features, dataset.name, outlets=[dataset_asset(dataset)])
        landed >> built >> _step(tasks.materialise_online, dataset.name)

    about = f"Land a window of days of {dataset.name} and build their features"
    with _by_hand(dataset, "backfill", about, forms.window_form(dataset), doc) as backfill:
        _window_steps((tasks.ingest, dataset.name), (tasks.build_features, dataset.name))
    return nightly, backfill, _quarantine_dag(dataset, doc)


def _quarantine_dag(dataset: Dataset, doc: str | None) -> DAG:
    """Return the DAG whose form decides about held rows; the next night carries it out."""
    about = f"Decide about rows of {dataset.name} that are held, or waive a rule for a day"
    with _by_hand(dataset, "quarantine", about, forms.quarantine_form(dataset), doc) as quarantine:
        _step(quarantine_tasks.decide, dataset.name)
    return quarantine


def use_case_dags(use_case: UseCase, doc: str | None) -> tuple[DAG, DAG, DAG, DAG]:
    """Return the nightly, training, backfill and rollback DAG of a use case."""
    with DAG(
        f"{use_case.name}_nightly",
        description=f"Score what is due for {use_case.name} and judge drift",
        schedule=PartitionedAssetTimetable(assets=dataset_asset(use_case.dataset)),
        max_active_runs=1,
        **_common(use_case.owner, doc, use_case.name, "nightly"),
    ) as nightly:
        scored = _step(tasks.score, use_case.name)
        monitored = _step(tasks.monitor, use_case.name)
        scored >> monitored
        if use_case.retraining.on_drift:
            RetrainingRequest(
                task_id="retrain", trigger_dag_id=f"{use_case.name}_train", night=monitored
            )
    return nightly, training_dag(use_case, doc), *_corrections(use_case, doc)


def training_dag(use_case: UseCase, doc: str | None) -> DAG:
    """Return the DAG that trains, and asks a person where the use case declares it."""
    cron = use_case.retraining.cron
    with DAG(
        f"{use_case.name}_train",
        description=f"Train, evaluate and perhaps promote a model for {use_case.name}",
        schedule=(
            CronTriggerTimetable(cron, timezone=use_case.dataset.timezone)
            if cron and policy.schedules_are_on()
            else None
        ),
        params=forms.training_form(use_case),
        max_active_runs=1,
        **_common(use_case.owner, doc, use_case.name, "train"),
    ) as train:
        trained = _step(model_tasks.train, use_case.name, execution_timeout=policy.WINDOW_TIMEOUT)
        if use_case.gate.approval == "required":
            asked = Approval(
                task_id="approve",
                subject=f"{use_case.name}: may version {_trained('version')}, trained as of "
                f"{_trained('as_of')}, serve?",
                body=_trained("brief"),
                params=forms.answer_form(),
                hours=use_case.gate.approval_hours,
                trained=trained,
            )
            answered = {"trained": trained, "answer": asked.output}
            _step(model_tasks.promote, use_case.name, inputs=answered)
    return train


def _corrections(use_case: UseCase, doc: str | None) -> tuple[DAG, DAG]:
    """Return what is started by hand alone: the backfill and the rollback DAG."""
    dataset = use_case.dataset
    about = f"Score a window of days for {use_case.name}, landing what is missing"
    with _by_hand(use_case, "backfill", about, forms.rescoring_form(use_case), doc) as backfill:
        _window_steps(
            (tasks.ingest, dataset.name),
            (tasks.build_features, dataset.name),
            (tasks.score, use_case.name),
            (tasks.monitor, use_case.name),
        )

    about = f"Put a former champion of {use_case.name} into service again"
    with _by_hand(use_case, "rollback", about, forms.rollback_form(use_case), doc) as rollback:
        rolled_back = _step(model_tasks.roll_back, use_case.name)
        rolled_back >> _step(
            model_tasks.rescore, use_case.name, execution_timeout=policy.WINDOW_TIMEOUT
        )
    return backfill, rollback


def _by_hand(
    subject: Dataset | UseCase, purpose: str, about: str, form: dict[str, Param], doc: str | None
) -> DAG:
    """Return a DAG without tasks that only a person starts, with a form, one run at a time."""
    return DAG(
        f"{subject.name}_{purpose}",
        description=about,
        schedule=None,
        params=form,
        max_active_runs=1,
        **_common(subject.owner, doc, subject.name, purpose),
    )


def _trained(value: str) -> str:
    """Return the template of a value that the training returned."""
    return f"{{{{ ti.xcom_pull(task_ids='train')['{value}'] }}}}"


def _common(owner: str, doc: str | None, name: str, purpose: str) -> dict[str, Any]:
    return {
        "doc_md": doc,
        "tags": [name, purpose],
        "catchup": False,
        "default_args": policy.default_args(owner),
    }


def _step(body: Body, name: str, **arguments: Any) -> Any:
    """Add the task whose body is a function of a task module, called like it.

    `inputs` are what the body is given beside the name; all other arguments are the task's.
    """
    inputs = arguments.pop("inputs", {})
    return task(task_id=body.__name__, **arguments)(body)(name, **inputs)


def _window_steps(*bodies: tuple[Body, str]) -> None:
    """Add steps over a form's window, each going on with the days the one before got done.

    A step fails for days that stopped; the good days beside them go on. The last task
    fails the run when any step did, which a step that went on would otherwise hide.
    """
    steps = [
        _step(body, name, execution_timeout=policy.WINDOW_TIMEOUT, trigger_rule="all_done")
        for body, name in bodies
    ]
    chain(*steps)
    steps >> task(trigger_rule="one_failed")(tasks.fail_incomplete)()
