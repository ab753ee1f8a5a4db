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
    Asset,
    CronPartitionTimetable,
    CronTriggerTimetable,
    PartitionedAssetTimetable,
    chain,
    task,
)

from include.declare import Dataset, UseCase
from include.orchestration import forms, policy, tasks
from include.orchestration.assets import dataset_asset

MIDNIGHT = "0 0 * * *"
"""In the dataset's time zone; other hours repeat or skip keys where daylight saving changes."""

MONDAY_MORNING = "0 6 * * 1"

Body = Callable[[str], dict[str, Any]]


def dataset_dags(dataset: Dataset, doc: str | None) -> tuple[DAG, DAG]:
    """Return the nightly and the backfill DAG of a dataset; `doc` is the runbook shown."""
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

    with DAG(
        f"{dataset.name}_backfill",
        description=f"Land a window of days of {dataset.name} and build their features",
        schedule=None,
        params=forms.window_form(dataset),
        max_active_runs=1,
        **_common(dataset.owner, doc, dataset.name, "backfill"),
    ) as backfill:
        _window_steps((tasks.ingest, dataset.name), (tasks.build_features, dataset.name))
    return nightly, backfill


def use_case_dags(use_case: UseCase, doc: str | None) -> tuple[DAG, DAG, DAG]:
    """Return the nightly, the training and the backfill DAG of a use case."""
    dataset = use_case.dataset
    with DAG(
        f"{use_case.name}_nightly",
        description=f"Score what is due for {use_case.name} and judge drift",
        schedule=PartitionedAssetTimetable(assets=dataset_asset(dataset)),
        max_active_runs=1,
        **_common(use_case.owner, doc, use_case.name, "nightly"),
    ) as nightly:
        _step(tasks.score, use_case.name) >> _step(tasks.monitor, use_case.name)

    with DAG(
        f"{use_case.name}_train",
        description=f"Train, evaluate and perhaps promote a model for {use_case.name}",
        schedule=(
            CronTriggerTimetable(MONDAY_MORNING, timezone=dataset.timezone)
            if policy.schedules_are_on()
            else None
        ),
        params=forms.training_form(use_case),
        max_active_runs=1,
        **_common(use_case.owner, doc, use_case.name, "train"),
    ) as train:
        _step(tasks.train, use_case.name, execution_timeout=policy.WINDOW_TIMEOUT)

    with DAG(
        f"{use_case.name}_backfill",
        description=f"Score a window of days for {use_case.name}, landing what is missing",
        schedule=None,
        params=forms.window_form(dataset),
        max_active_runs=1,
        **_common(use_case.owner, doc, use_case.name, "backfill"),
    ) as backfill:
        _window_steps(
            (tasks.ingest, dataset.name),
            (tasks.build_features, dataset.name),
            (tasks.score, use_case.name),
            (tasks.monitor, use_case.name),
        )
    return nightly, train, backfill


def _common(owner: str, doc: str | None, name: str, purpose: str) -> dict[str, Any]:
    return {
        "doc_md": doc,
        "tags": [name, purpose],
        "catchup": False,
        "default_args": policy.default_args(owner),
    }


def _step(body: Body, name: str, *, outlets: list[Asset] | None = None, **arguments: Any) -> Any:
    """Add the task whose body is a function of `tasks`, called like it."""
    return task(task_id=body.__name__, outlets=outlets or [], **arguments)(body)(name)


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
