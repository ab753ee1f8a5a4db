"""The bodies of the tasks: each finds out what the run is about and calls one stage.

Stages are imported inside the bodies, because every DAG file that is parsed imports this
module and every task is a process of its own.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection, get_current_context
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowRescheduleException,
)

from include import catalog
from include.declare import Dataset
from include.errors import DataError, SourceNotReady, UsageError
from include.orchestration.partition_day import partition_day
from include.settings import Settings
from include.window import Window, parse_day

if TYPE_CHECKING:
    from include.warehouse.stages import StageResult
    from include.workspace import Workspace

log = logging.getLogger(__name__)

Stage = Callable[..., "StageResult"]


def ingest(name: str) -> dict[str, Any]:
    """Land the run's days of a dataset."""
    from include.ingestion.landing import ingest as land

    return run_stage(land, catalog.dataset(name), name)


def build_features(name: str) -> dict[str, Any]:
    """Compute the features of the run's days of a dataset."""
    from include.features.build import build_features as build

    return run_stage(build, catalog.dataset(name), name)


def materialise_online(name: str) -> dict[str, Any]:
    """Bring the newest features of a dataset into the online store."""
    from include.features.online import materialise

    with task_workspace() as workspace:
        return report(materialise(workspace, catalog.dataset(name)))


def score(name: str) -> dict[str, Any]:
    """Score the run's days for a use case."""
    from include.scoring.score import score as write_scores

    return run_stage(write_scores, catalog.use_case(name).dataset, name)


def monitor(name: str) -> dict[str, Any]:
    """Judge the drift of the run's days of a use case."""
    from include.monitoring.monitor import monitor as judge

    return run_stage(judge, catalog.use_case(name).dataset, name)


def train(name: str) -> dict[str, Any]:
    """Train a model for a use case and promote it when the evidence allows."""
    from include.training.train import train as fit

    use_case = catalog.use_case(name)
    context = get_current_context()
    params: Mapping[str, Any] = context["params"]
    with task_workspace() as workspace:
        as_of = training_day(workspace, use_case.dataset, params.get("as_of"))
        result = fit(
            workspace,
            use_case,
            as_of=as_of,
            promote=bool(params.get("promote", True)),
            actor=f"airflow:{context['run_id']}",
        )
        log.info(result.summary())
    return {
        "as_of": as_of.isoformat(),
        "model_version": result.model_version,
        "sha256": result.sha256,
        "verdict": result.verdict,
        "promoted": result.promoted,
        "reasons": list(result.reasons),
    }


def fail_incomplete() -> None:
    """Fail a run over a window in which a step failed, so that its state tells the truth."""
    raise AirflowFailException(
        "not every day of the window got done: the log of each failed task lists the days that "
        "stopped and why; the other days are done, and running the same window again is safe"
    )


def run_stage(stage: Stage, dataset: Dataset, name: str) -> dict[str, Any]:
    """Run a stage of a dataset or use case over what the run asks for; return counts.

    Raises:
        DaysStopped: days that were asked for did not get done; the others did.
    """
    context = get_current_context()
    window, heal_days = requested_days(dataset, context)
    with task_workspace() as workspace:
        subject = dataset if name == dataset.name else catalog.use_case(name)
        result = stage(workspace, subject, window, heal_days=heal_days)
        told = report(result)
        result.or_raise()
        return told


def requested_days(
    dataset: Dataset, context: Mapping[str, Any], now: datetime | None = None
) -> tuple[Window, int]:
    """Return the window a run asks for and how many days before it are healed.

    A run with a form asks for first and last day and heals nothing; any other run is a
    night, its day the partition key.

    Raises:
        AirflowFailException: there is no usable partition key.
        UsageError: the form's window is reversed.
    """
    params = context.get("params") or {}
    if "first_day" in params:
        return Window.parse(params["first_day"], params["last_day"]), 0
    return Window.night(partition_day(dataset, context, now)), dataset.heal_days


def training_day(workspace: Workspace, dataset: Dataset, text: str | None) -> date:
    """Return the day a training is as of: the one asked for, else the newest with features.

    Raises:
        UsageError: the day asked for has not ended.
        DataError: none was asked for, and no day has features yet.
    """
    newest_ended = dataset.newest_ended_day(workspace.context.now)
    if text:
        as_of = parse_day(text)
        if as_of > newest_ended:
            raise UsageError(
                f"as_of {as_of} lies in the future: the last day of {dataset.name} that has "
                f"ended is {newest_ended}; give that day or an earlier one"
            )
        return as_of

    from include.warehouse.stages import done_days

    with workspace.warehouse.reading() as connection:
        days = done_days(connection, "features", dataset.name)
    if not days:
        raise DataError(
            f"no day of {dataset.name} has features yet, so there is nothing to train on; "
            f"run {dataset.name}_backfill first"
        )
    return max(days)


@contextmanager
def task_workspace() -> Iterator[Workspace]:
    """Open the workspace of the running task; a source that is not ready frees the slot."""
    from include.workspace import open_workspace

    context = get_current_context()
    task = context["ti"]
    try:
        with open_workspace(
            task_settings(os.environ), airflow_dag_id=task.dag_id, airflow_run_id=task.run_id
        ) as workspace:
            yield workspace
    except SourceNotReady as waiting:
        log.info("%s; asking again at %s", waiting, waiting.until.isoformat())
        raise AirflowRescheduleException(waiting.until) from None  # type: ignore[no-untyped-call]


def task_settings(env: Mapping[str, str]) -> Settings:
    """Return the settings of a task: the environment, then Airflow's connection `warehouse`."""
    variables = dict(env)
    if not variables.get("AIRFLOW_CONN_WAREHOUSE"):
        try:
            connection = Connection.get("warehouse")
        except AirflowNotFoundException:
            connection = None
        if connection is not None:
            variables["AIRFLOW_CONN_WAREHOUSE"] = connection_as_json(connection)
    return Settings.from_env(variables)


def connection_as_json(connection: Connection) -> str:
    """Return an Airflow connection as the JSON that `Settings` reads; its URI is mangled."""
    fields = ("conn_type", "host", "port", "login", "password", "schema", "extra")
    return json.dumps({field: getattr(connection, field) for field in fields})


def report(result: StageResult) -> dict[str, Any]:
    """Log what a stage did and return it as small values."""
    log.info(result.summary())
    return {
        "summary": result.summary(),
        "status": result.status,
        "days_done": len(result.done),
        "days_stopped": len(result.stopped),
        "days_absent": len(result.absent),
        "rows_in": result.rows_in,
        "rows_out": result.rows_out,
        "rows_held": result.rows_held,
        "notes": list(result.notes),
    }
