"""The trigger forms: typed fields that the Airflow UI renders and the REST API checks."""

from __future__ import annotations

from airflow.sdk import Param

from include.declare import Dataset, UseCase


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
            description="Let the model become champion if its evidence allows: "
            f"{use_case.gate.metric} of at least {use_case.gate.least}, and better than the "
            "champion on the same rows. Off: it is registered and nothing else.",
        ),
    }
