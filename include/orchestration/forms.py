"""The trigger forms: typed fields that the Airflow UI renders and the REST API checks."""

from __future__ import annotations

from typing import Any, get_args

from airflow.sdk import Param

from include.declare import Dataset, UseCase
from include.declare_model import ModelPolicy

DECISIONS = ("release", "correct", "discard", "waive", "revoke")


def window_form(dataset: Dataset) -> dict[str, Param]:
    """Return the form of a backfill: first and last data day, both included."""
    return {
        "first_day": Param(
            type="string",
            format="date",
            title="First day",
            description=f"Oldest data day to work on, YYYY-MM-DD; not before {dataset.first_day}.",
        ),
        "last_day": Param(
            type="string",
            format="date",
            title="Last day",
            description="Newest data day to work on, YYYY-MM-DD, itself included; "
            f"it must have ended in {dataset.timezone}.",
        ),
    }


def rescoring_form(use_case: UseCase) -> dict[str, Param]:
    """Return the form of a use case's backfill: the window, and which model scores it."""
    return {
        **window_form(use_case.dataset),
        "model_policy": Param(
            use_case.scoring.model_policy,
            type="string",
            enum=list(get_args(ModelPolicy)),
            title="Model policy",
            description="Which model scores the days: champion_now is today's champion for all "
            "of them, champion_asof for each the newest champion trained as of an earlier day, "
            "pinned the version named below.",
        ),
        "pinned_version": _optional(
            "Pinned version",
            "The model version of the policy pinned; left empty with the others, and "
            f"for the declared one ({use_case.scoring.pinned_version or 'none is declared'}).",
        ),
    }


def training_form(use_case: UseCase) -> dict[str, Param]:
    """Return the form of a training: as of which day, and whether it may go into service."""
    return {
        "as_of": _optional(
            "As of",
            "Train as if this data day were the newest, YYYY-MM-DD; only labels that "
            "were final by then are used. Left empty: the newest day that has features.",
            format="date",
        ),
        "promote": Param(
            True,
            type="boolean",
            title="Promote",
            description=f"Let the model become champion if its evidence allows: {_gate(use_case)}. "
            "Off: it is registered and nothing else.",
        ),
    }


def answer_form() -> dict[str, Param]:
    """Return what is asked beside yes or no when a model waits for approval."""
    return {
        "reason": Param(
            "",
            type="string",
            title="Reason",
            description="Why, for the ledger of models; may be left empty.",
        )
    }


def rollback_form(use_case: UseCase) -> dict[str, Param]:
    """Return the form of a rollback: to which version, why, and what is scored again."""
    return {
        "version": Param(
            type="string",
            pattern="^[0-9]+$",
            title="Version",
            description="The model version to put into service again; it must have been champion "
            f"of {use_case.name} before. ./nightshift models {use_case.name} lists them.",
        ),
        "reason": _reason("Why, for the ledger of models."),
        "rescore_from": _optional(
            "Score again from",
            "Data day, YYYY-MM-DD, from which on published days are scored again with "
            "the version. Left empty: published scores stay, and the next night uses the version.",
            format="date",
        ),
    }


def quarantine_form(dataset: Dataset) -> dict[str, Param]:
    """Return the form of a decision about held rows, or about a rule on a day."""
    listed = f"./nightshift quarantine list {dataset.name} shows them"
    return {
        "action": Param(
            "release",
            type="string",
            enum=list(DECISIONS),
            title="Decision",
            description="release accepts rows although a rule fails, correct puts other values in "
            "place of one row's, discard drops rows for good, waive lets a rule stop and hold "
            "nothing on one day, revoke takes any of these back.",
        ),
        "row_hashes": Param(
            [],
            type="array",
            items={"type": "string"},
            title="Rows",
            description=f"Hashes of the rows, one per line; {listed}. Left empty: all rows of the "
            "rule and day below. Not for waive.",
        ),
        "rule": _optional("Rule", "The rule concerned. Left empty: whatever rules hold the rows."),
        "day": _optional("Day", "The data day, YYYY-MM-DD.", format="date"),
        "table": _optional(
            "Table",
            f"One of {', '.join(table.name for table in dataset.tables)}, if it is not clear from "
            "rule and day.",
        ),
        "values": Param(
            [],
            type="array",
            items={"type": "string", "pattern": "^[^=]+="},
            title="New values",
            description="For correct: COLUMN=VALUE, one per line; empty after the = for none.",
        ),
        "reason": _reason("Why; it stays on record with who started the run."),
        "confirm": Param(
            False,
            type="boolean",
            title="Decide",
            description="Off: the log shows what the decision would lead to, and nothing is "
            "decided. On: it is decided.",
        ),
    }


def acknowledgement_form() -> dict[str, Param]:
    """Return the form of an acknowledgement: which incident, until when, and why."""
    return {
        "incident": Param(
            type="integer",
            minimum=1,
            title="Incident",
            description="Its number, as in the alert; ./nightshift incidents lists open ones.",
        ),
        "until": _optional(
            "Silent until",
            "The day, YYYY-MM-DD, on which people are told again if it is still open "
            "(from midnight UTC). Left empty: silent until it is over.",
            format="date",
        ),
        "reason": _reason("Why it may be silent; it is shown with the incident."),
    }


def _reason(description: str) -> Param:
    return Param(type="string", minLength=1, pattern=r"\S", title="Reason", description=description)


def _optional(title: str, description: str, **schema: Any) -> Param:
    return Param(None, type=["null", "string"], title=title, description=description, **schema)


def _gate(use_case: UseCase) -> str:
    gate = use_case.gate
    told = f"{gate.metric} beyond {gate.worst}, every guardrail kept, and better than the champion "
    told += "on the same rows"
    if gate.shadow_nights:
        told += f", also after {gate.shadow_nights} nights of scoring beside it"
    if gate.approval == "required":
        told += f", and a person who approves within {gate.approval_hours:g} hours"
    return told
