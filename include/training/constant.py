"""The model that knows nothing: it says the same of every row, and any model must beat it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from include.declare import UseCase
from include.training.evaluation.predictions import Floats, Predictions

CONSTANT = "constant"
"""Where the evidence of a model has what this baseline says."""

NAMES = {"binary": "constant_rate", "regression": "constant_median"}


@dataclass(frozen=True)
class Constant:
    """What is said of every row.

    Attributes:
        value: the share of ones among the training labels; for regression their median.
        quantiles: for regression: declared quantile → that of the training labels.
    """

    value: float
    quantiles: Mapping[float, float] = field(default_factory=dict)

    @classmethod
    def of(cls, use_case: UseCase, labels: Floats) -> Constant:
        """Learn it from training labels, of which there is at least one."""
        if use_case.task == "binary":
            return cls(float(labels.mean()))
        quantiles = {q: float(np.quantile(labels, q)) for q in use_case.training.quantiles}
        return cls(float(np.median(labels)), quantiles)

    @classmethod
    def recorded(cls, use_case: UseCase, evidence: Mapping[str, Any]) -> Constant | None:
        """Return what a model's evidence has of it; None for a regression from before it had."""
        found = evidence.get(CONSTANT)
        if found is not None:
            return cls(found["value"], {float(q): it for q, it in found["quantiles"].items()})
        rate = evidence.get("label_means", {}).get("train")
        return None if rate is None or use_case.task != "binary" else cls(float(rate))

    def plain(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {"value": self.value, "quantiles": {str(q): it for q, it in self.quantiles.items()}}

    def predictions(self, rows: int, threshold: float | None = None) -> Predictions:
        """Return what it says of so many rows."""
        quantiles = {q: np.full(rows, value) for q, value in self.quantiles.items()}
        return Predictions(np.full(rows, self.value), threshold, quantiles)
