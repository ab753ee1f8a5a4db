"""What a model says of rows, whatever the model and the task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Predictions:
    """Predictions of rows, in the order of the rows.

    Attributes:
        values: for a binary task the probability of 1, for regression the median or mean in
            the label's unit.
        threshold: probabilities at or above it are decided positive; None where nothing is
            decided.
        quantiles: for regression: quantile, 0 to 1 → its prediction per row.
    """

    values: Floats
    threshold: float | None = None
    quantiles: Mapping[float, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, mask: Mask) -> Predictions:
        """Return the predictions of the rows that the mask holds."""
        quantiles = {q: values[mask] for q, values in self.quantiles.items()}
        return Predictions(self.values[mask], self.threshold, quantiles)
