"""Rows under evaluation, and what a metric of them is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from include.declare_model import Costs
from include.errors import DataError
from include.training.evaluation.bootstrap import Draws
from include.training.evaluation.predictions import Floats, Mask, Predictions


@dataclass(frozen=True)
class Rows:
    """Labels and predictions of the same rows, with the weightings they are measured under.

    Attributes:
        labels: 0 or 1 for a binary task, else numbers; none missing.
        costs: what wrong decisions cost, if declared.
    """

    labels: Floats
    predictions: Predictions
    draws: Draws
    costs: Costs | None = None

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.predictions):
            raise DataError(
                f"{len(self.labels)} labels and {len(self.predictions)} predictions do not "
                "belong to the same rows; predict the rows that are evaluated"
            )
        missing = int(np.count_nonzero(~np.isfinite(self.labels)))
        if missing:
            raise DataError(
                f"{missing} of {len(self.labels)} rows to evaluate have no label or an infinite "
                "one; leave out rows without a label, and check the label SQL"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def scores(self) -> Floats:
        """The predictions' values."""
        return self.predictions.values

    @property
    def flagged(self) -> Floats | None:
        """1 for rows decided positive, 0 for the others; None where nothing is decided."""
        threshold = self.predictions.threshold
        return None if threshold is None else (self.scores >= threshold).astype(np.float64)

    def take(self, mask: Mask) -> Rows:
        """Return some of the rows, under the same draws of days."""
        return Rows(
            self.labels[mask], self.predictions.take(mask), self.draws.take(mask), self.costs
        )

    def mean(self, values: Floats) -> Floats:
        """Return the mean of a column under each weighting."""
        return ratio(self.draws.total(values), self.draws.total(np.ones(len(self))))

    def undefined(self) -> Floats:
        """Return NaN for each weighting."""
        return np.full(len(self.draws.counts), np.nan)


@dataclass(frozen=True)
class Metric:
    """A metric and which way it is better.

    Attributes:
        higher: whether more of it is better; None for what is told and not judged.
        compute: its value under each weighting, NaN where it is undefined.
    """

    higher: bool | None
    compute: Callable[[Rows], Floats]


def ratio(above: Floats, below: Floats) -> Floats:
    """Return above / below, NaN where below is not positive."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
