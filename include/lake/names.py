"""How lake tables are called: the one place that spells their paths."""

from __future__ import annotations

from include.declare import Dataset, FeatureView, Table, UseCase


def landed(dataset: Dataset, table: Table) -> str:
    """Return the name of a checked table."""
    return f"{dataset.name}/{table.name}"


def features(dataset: Dataset, view: FeatureView) -> str:
    """Return the name of a feature view's offline table."""
    return f"{dataset.name}/features/{view.name}"


def scored(use_case: UseCase) -> str:
    """Return the name of the table of feature values that were scored."""
    return f"scored/{use_case.name}"
