"""The body of the task that decides about held rows, as a form asks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context

from include import catalog
from include.errors import UsageError
from include.orchestration.tasks import actor, task_workspace
from include.window import parse_day

if TYPE_CHECKING:
    from include.ingestion.proposals import Desk, Proposal

log = logging.getLogger(__name__)


def decide(name: str) -> dict[str, Any]:
    """Log what the form's decision would lead to, and record it if the form confirms it.

    Raises:
        UsageError: the form asks for what cannot be decided; nothing was.
    """
    from include.ingestion import proposals

    context = get_current_context()
    params: Mapping[str, Any] = context["params"]
    with task_workspace() as workspace:
        desk = proposals.Desk(
            workspace, catalog.dataset(name), actor(context), params["reason"] or ""
        )
        proposal = proposed(desk, params)
        for line in (proposal.summary, *proposal.consequences):
            log.info(line)
        if params["confirm"]:
            proposals.record(workspace, proposal)
            log.info("decided")
        else:
            log.info("nothing was decided: start again with the field Decide on")
    return {
        "decided": bool(params["confirm"]),
        "summary": proposal.summary,
        "notes": list(proposal.consequences),
    }


def proposed(desk: Desk, params: Mapping[str, Any]) -> Proposal:
    """Return what the fields of a form propose."""
    from include.ingestion import correction, proposals, waivers
    from include.ingestion.held import Choice

    rule, table = params["rule"] or None, params["table"] or None
    day = parse_day(params["day"]) if params["day"] else None
    choice = Choice(tuple(params["row_hashes"] or ()), rule, day, table)
    match params["action"]:
        case "release":
            return proposals.release(desk, choice)
        case "discard":
            return proposals.discard(desk, choice)
        case "correct":
            values = correction.assignments(params["values"] or ())
            return proposals.correct(desk, choice, values)
        case "waive":
            if rule is None or day is None or choice.row_hashes:
                raise UsageError("waive is about a rule on a day: fill in both, and no rows")
            return waivers.waive(desk, rule, day, table)
        case "revoke":
            return waivers.revoke(desk, choice)
        case other:
            raise UsageError(f"there is no decision {other!r}")
