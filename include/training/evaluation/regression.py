"""Metrics of predicted numbers and of predicted quantiles, in the label's unit.

All are ratios of sums over rows: the sums are taken once per day, and a resample weighs them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from include.training.evaluation.predictions import Floats
from include.training.evaluation.rows import Metric, Rows


def metrics(quantiles: Sequence[float]) -> Mapping[str, Metric]:
    """Return the metrics of a regression that predicts the given quantiles beside its value."""
    known = {"mae": Metric(False, _mae), "rmse": Metric(False, _rmse)}
    for q in sorted(quantiles):
        known[f"pinball_{q:g}"] = Metric(False, partial(_pinball, q))
    if len(quantiles) > 1:
        inside = partial(_coverage, min(quantiles), max(quantiles))
        known["coverage"] = Metric(None, inside)
    return known


def is_pinball(name: str) -> bool:
    """Return whether a metric is the pinball loss of a quantile, such as `pinball_0.1`."""
    return re.fullmatch(r"pinball_0\.\d+", name) is not None


def _mae(rows: Rows) -> Floats:
    """Mean absolute error."""
    return rows.mean(np.abs(rows.labels - rows.scores))


def _rmse(rows: Rows) -> Floats:
    """Root of the mean squared error."""
    return np.sqrt(rows.mean((rows.labels - rows.scores) ** 2))


def _pinball(q: float, rows: Rows) -> Floats:
    """Mean pinball loss of one quantile (Koenker & Bassett 1978); undefined if not predicted."""
    predicted = rows.predictions.quantiles.get(q)
    if predicted is None:
        return rows.undefined()
    above = rows.labels - predicted
    return rows.mean(np.maximum(q * above, (q - 1) * above))


def _coverage(lowest: float, highest: float, rows: Rows) -> Floats:
    """Share of labels from the lowest to the highest quantile, ends included."""
    quantiles = rows.predictions.quantiles
    if lowest not in quantiles or highest not in quantiles:
        return rows.undefined()
    inside = (quantiles[lowest] <= rows.labels) & (rows.labels <= quantiles[highest])
    return rows.mean(inside.astype(np.float64))
