"""The trigger forms: typed fields that the Airflow UI renders and the REST API checks."""

from __future__ import annotations

from typing import get_args

from airflow.sdk import Param

from include.declare import Dataset, UseCase
from include.declare_model import ModelPolicy


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
        "pinned_version": Param(
            None,
            type=["null", "string"],
            title="Pinned version",
            description="The model version of the policy pinned; left empty with the others, and "
            f"for the declared one ({use_case.scoring.pinned_version or 'none is declared'}).",
        ),
    }


def training_form(use_case: UseCase) -> dict[str, Param]:
    """Return the form of a training: as of which day, and whether it may go into service."""
    return {
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date",
            title="As of",
            description="Train as if this data day were the newest, YYYY-MM-DD; only labels that "
            "were final by then are used. Left empty: the newest day that has features.",
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
        "reason": Param(
            type="string",
            minLength=1,
            pattern=r"\S",
            title="Reason",
            description="Why, for the ledger of models.",
        ),
        "rescore_from": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Score again from",
            description="Data day, YYYY-MM-DD, from which on published days are scored again with "
            "the version. Left empty: published scores stay, and the next night uses the version.",
        ),
    }


def _gate(use_case: UseCase) -> str:
    gate = use_case.gate
    told = f"{gate.metric} beyond {gate.worst}, every guardrail kept, and better than the champion "
    told += "on the same rows"
    if gate.shadow_nights:
        told += f", also after {gate.shadow_nights} nights of scoring beside it"
    if gate.approval == "required":
        told += f", and a person who approves within {gate.approval_hours:g} hours"
    return told
