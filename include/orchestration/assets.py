"""The assets that connect the nights of datasets and use cases.

An asset event is a trigger and nothing more: events can be merged or lost, and what is
done is read from `stage_days`.
"""

from __future__ import annotations

from airflow.sdk import Asset

from include.declare import Dataset


def dataset_asset(dataset: Dataset) -> Asset:
    """Return the asset a dataset's features are announced on, one event per data day."""
    return Asset(
        name=dataset.name,
        uri=f"nightshift://features/{dataset.name}",
        group="nightshift",
    )
