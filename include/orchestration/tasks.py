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
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import Connection, get_current_context
from airflow.sdk.exceptions import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowRescheduleException,
)

from include import catalog
from include.declare import Dataset, UseCase
from include.errors import DaysStopped, SourceNotReady
from include.orchestration.partition_day import partition_day
from include.settings import Settings
from include.window import Window

if TYPE_CHECKING:
    from include.warehouse.stages import StageResult
    from include.workspace import Workspace

log = logging.getLogger(__name__)

Stage = Callable[..., "StageResult"]


def ingest(name: str) -> dict[str, Any]:
    """Land the run's days of a dataset, and measure the quality of what has landed."""
    from include.ingestion.landing import ingest as land

    dataset = catalog.dataset(name)
    try:
        told = run_stage(land, dataset, name)
    except DaysStopped:
        measure_quality(dataset)  # days beside those that stopped have landed
        raise
    told["notes"] += measure_quality(dataset)
    return told


def measure_quality(dataset: Dataset) -> list[str]:
    """Measure the landed days that are due; return notes.

    Nobody waits for it: what goes wrong is logged and noted, and the next night makes up for it.
    """
    try:
        from include.ingestion.quality import measure_quality as measure

        return list(run_stage(measure, dataset, dataset.name)["notes"])
    except Exception as error:
        from include.warehouse.runs import one_line

        log.exception("the quality of %s was not measured; its days have landed", dataset.name)
        return [f"the quality of the days was not measured: {one_line(error)}"]


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
    """Score the run's days for a use case; a night also follows the model in shadow."""
    from include.scoring.score import score as write_scores

    use_case = catalog.use_case(name)
    params = get_current_context().get("params") or {}
    if "first_day" in params:
        chosen = {"policy": params["model_policy"], "pinned": params["pinned_version"] or None}
        return run_stage(partial(write_scores, **chosen), use_case.dataset, name)
    told = run_stage(write_scores, use_case.dataset, name)
    if use_case.gate.shadow_nights:
        told["notes"] += follow_shadow(use_case)
    return told


def follow_shadow(use_case: UseCase) -> list[str]:
    """Score the night beside the champion, decide when there is enough to; return notes.

    A shadow may not cost the night its scores: what goes wrong is logged and noted.
    """
    context = get_current_context()
    window, heal_days = requested_days(use_case.dataset, context)
    try:
        from include.scoring import shadow

        with task_workspace() as workspace:
            if shadow.follow(workspace, use_case, window, heal_days) is None:
                return []
            from include.training import succession

            entry = succession.judge_shadow(workspace, use_case, actor=actor(context))
    except Exception as error:
        from include.warehouse.runs import one_line

        log.exception("the shadow of %s was not followed; its scores are done", use_case.name)
        return [f"the shadow was not followed: {one_line(error)}"]
    if entry is None:
        return []
    return [f"shadow: version {entry.model_version} {entry.event}: {entry.reason}"]


def monitor(name: str) -> dict[str, Any]:
    """Write mature outcomes, what scores were worth, and the drift of the run's days.

    A night may ask for a training: what is asked for is under `retrain`, in words, and `day`; a
    window asks for nothing. Outcomes that cannot be written, or scores that cannot be measured,
    fail the task once its days are judged.
    """
    from include.monitoring.monitor import monitor as judge
    from include.monitoring.outcomes import write_outcomes
    from include.monitoring.performance import measure_performance

    use_case = catalog.use_case(name)
    trouble: Exception | None = None
    realised: list[str] = []
    for what, stage in (("outcomes", write_outcomes), ("performance", measure_performance)):
        try:
            realised += run_stage(stage, use_case.dataset, name)["notes"]
        except Exception as error:
            log.exception("the %s of %s failed; its days are judged all the same", what, name)
            trouble = trouble or error
    told = run_stage(judge, use_case.dataset, name)
    told["notes"] += realised
    told["notes"] += write_digests(use_case)
    if trouble is not None:
        raise trouble
    context = get_current_context()
    if "first_day" in (context.get("params") or {}):
        return told
    from include.monitoring.retraining import wanted

    day = partition_day(use_case.dataset, context)
    with task_workspace() as workspace:
        reason = wanted(workspace, use_case, day)
    return {**told, "day": day.isoformat(), "retrain": reason}


def write_digests(use_case: UseCase) -> list[str]:
    """Write the weekly digests that are due and the index of all pages; return notes.

    A page may not cost the night its numbers: what goes wrong is logged and noted.
    """
    try:
        from include.monitoring.digests import write_digests as write

        told = run_stage(write, use_case.dataset, use_case.name)
    except Exception as error:
        from include.warehouse.runs import one_line

        log.exception("the digests of %s were not written; its numbers are", use_case.name)
        return [f"no digest: {one_line(error)}"]
    return [f"digest: {note}" for note in told["notes"]]


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


@contextmanager
def task_workspace() -> Iterator[Workspace]:
    """Open the workspace of the running task; a source that is not ready frees the slot.

    At the end, also of a task that fails, Airflow's metrics get what its stages did.
    """
    from include.orchestration import metrics
    from include.workspace import open_workspace

    context = get_current_context()
    task = context["ti"]
    try:
        with open_workspace(
            task_settings(os.environ), airflow_dag_id=task.dag_id, airflow_run_id=task.run_id
        ) as workspace:
            try:
                yield workspace
            finally:
                metrics.send(workspace)
    except SourceNotReady as waiting:
        log.info("%s; asking again at %s", waiting, waiting.until.isoformat())
        raise AirflowRescheduleException(waiting.until) from None  # type: ignore[no-untyped-call]


def task_settings(env: Mapping[str, str]) -> Settings:
    """Return the settings of a task: the environment, then Airflow's own connections.

    Those of sources are asked for when a stage needs them.
    """
    variables = dict(env)
    if not variables.get("AIRFLOW_CONN_WAREHOUSE"):
        warehouse = airflow_connection("warehouse")
        if warehouse is not None:
            variables["AIRFLOW_CONN_WAREHOUSE"] = warehouse
    settings = Settings.from_env(variables)
    return replace(settings, connections=replace(settings.connections, others=airflow_connection))


def airflow_connection(name: str) -> str | None:
    """Return a connection that Airflow or its secrets backend has, as JSON, or None."""
    try:
        return connection_as_json(Connection.get(name))
    except AirflowNotFoundException:
        return None


def connection_as_json(connection: Connection) -> str:
    """Return an Airflow connection as the JSON that `Settings` reads; its URI is mangled."""
    fields = ("conn_type", "host", "port", "login", "password", "schema", "extra")
    return json.dumps({field: getattr(connection, field) for field in fields})


def actor(context: Mapping[str, Any]) -> str:
    """Return who acts, for the ledger of models: who started the run, else the run itself."""
    person = getattr(context.get("dag_run"), "triggering_user_name", None)
    return f"airflow:{person or context['run_id']}"


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
