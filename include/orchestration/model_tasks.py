"""The bodies of the tasks that change which model serves: train, promote, roll back, rescore."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowSkipException

from include import catalog
from include.declare import Dataset
from include.errors import DataError, UsageError
from include.orchestration.tasks import actor, report, task_workspace
from include.window import parse_day

if TYPE_CHECKING:
    from include.training.ledger import Entry
    from include.workspace import Workspace

log = logging.getLogger(__name__)


def train(name: str) -> dict[str, Any]:
    """Train a model for a use case and let the gate decide about it."""
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
            actor=actor(context),
        )
        log.info(result.summary())
    return {
        "as_of": as_of.isoformat(),
        "version": result.model_version,
        "sha256": result.registered.sha256,
        "verdict": result.verdict,
        "promoted": result.promoted,
        "reason": result.decision.reason,
        "brief": result.brief(),
    }


def promote(
    name: str, trained: Mapping[str, Any], answer: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Carry out the answer about a proposed model; a time-out is an answer too.

    Raises:
        UsageError: Airflow has no answer left, see `operators.Approval`; or the model is not
            proposed any more.
    """
    from include.training import succession

    use_case = catalog.use_case(name)
    if answer is None:
        choices = " or ".join(
            f"./nightshift {verb} {name} {trained['version']} --reason TEXT"
            for verb in ("approve", "reject")
        )
        raise UsageError(f"{name}: Airflow lost the answer; give it again with {choices}")
    approved, hours = answer["approved"], use_case.gate.approval_hours
    if approved is None:
        # Not `actor`: whoever started the run did not answer either.
        who = f"airflow:{get_current_context()['run_id']}"
        why = f"asked in Airflow for {hours:g} hours"
    else:
        who = f"airflow:{answer['by'] or get_current_context()['run_id']}"
        why = answer["reason"] or "no reason was given"
    with task_workspace() as workspace:
        entry = succession.conclude(
            workspace, use_case, trained["version"], approved=approved, actor=who, reason=why
        )
    return _told(entry)


def roll_back(name: str) -> dict[str, Any]:
    """Put a former champion into service again, as the form asks."""
    from include.scoring.rescore import window_since
    from include.training import succession

    use_case = catalog.use_case(name)
    context = get_current_context()
    params: Mapping[str, Any] = context["params"]
    with task_workspace() as workspace:
        if params["rescore_from"]:
            # A wrong day must be found before who serves has changed.
            window_since(workspace, use_case, parse_day(params["rescore_from"]))
        entry = succession.roll_back(
            workspace,
            use_case,
            params["version"],
            actor=actor(context),
            reason=params["reason"],
        )
    return _told(entry)


def rescore(name: str) -> dict[str, Any]:
    """Score published days again with today's champion; skips when the form asks for none.

    Raises:
        DaysStopped: days of the window did not get done; the others did.
    """
    from include.scoring.rescore import rescore as score_again

    first: str | None = get_current_context()["params"]["rescore_from"]
    if not first:
        raise AirflowSkipException("no day was given to score again from")
    with task_workspace() as workspace:
        result = score_again(workspace, catalog.use_case(name), parse_day(first))
        told = report(result)
        result.or_raise()
        return told


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


def _told(entry: Entry) -> dict[str, Any]:
    log.info("version %s %s by %s: %s", entry.model_version, entry.event, entry.actor, entry.reason)
    return {"version": entry.model_version, "event": entry.event, "reason": entry.reason}
