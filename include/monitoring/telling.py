"""What moved, in words an operator understands: what it was, and what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from include.training.distance import Floats
from include.training.encoding import numbers
from include.training.reference import ColumnProfile

_MOSTLY = (0.1, 0.9)


def compare(
    profile: ColumnProfile, sample: pd.Series[Any], values: pd.Series[Any], distance: float
) -> str:
    """Return how the values of a night differ from the sample.

    Args:
        profile: of a feature, a prediction, a decision or a label.
        sample: of the reference.
        values: of the night; one at least is there.
        distance: how far they are apart.
    """
    if profile.kind == "decision":
        return f"{_rates(sample, values)} decided positive"
    if profile.kind == "label" and set(sample.dropna().unique()) <= {0.0, 1.0}:
        return f"{_rates(sample, values)} positive"
    if not profile.numeric and profile.method != "wasserstein":
        return _largest_change(sample, values)
    return _of_numbers(numbers(sample), numbers(values), distance, profile.method)


def percent(share: float) -> str:
    """Return a share as text: 0 %, below 1 %, 12 %."""
    if 0 < share < 0.005:
        return "below 1%"
    return f"{share:.0%}"


def most_often(values: pd.Series[Any]) -> str:
    """Return which value is most frequent, the first of the alphabet of several."""
    counted = values.astype(str).value_counts()
    return f", most often {min(counted.index[counted == counted.max()])}"


def _of_numbers(sample: Floats, values: Floats, distance: float, method: str) -> str:
    """Compare means, or the middle 80 % where the means say little of what moved.

    The Wasserstein distance is the shift of the mean where everything moved one way, and more
    than that where the spread changed.
    """
    ours, theirs = (np.sort(it[np.isfinite(it)]) for it in (values, sample))
    shift = abs(float(ours.mean()) - float(theirs.mean())) / (float(theirs.std()) or 1.0)
    if method == "wasserstein" and shift >= distance / 2:
        return f"{_short(float(ours.mean()))} on average instead of {_short(float(theirs.mean()))}"
    (low, high), (before, after) = (np.quantile(it, _MOSTLY) for it in (ours, theirs))
    return f"mostly {_short(low)} to {_short(high)} instead of {_short(before)} to {_short(after)}"


def _largest_change(sample: pd.Series[Any], values: pd.Series[Any]) -> str:
    ours, theirs = (it.dropna().astype(str).value_counts(normalize=True) for it in (values, sample))
    change = ours.sub(theirs, fill_value=0.0).abs().sort_index()
    name = str(change.idxmax())
    return f"{name} {percent(ours.get(name, 0.0))} instead of {percent(theirs.get(name, 0.0))}"


def _rates(sample: pd.Series[Any], values: pd.Series[Any]) -> str:
    ours, theirs = (float(np.nanmean(numbers(it))) for it in (values, sample))
    return f"{percent(ours)} instead of {percent(theirs)}"


def _short(value: float) -> str:
    """Return a number with three digits that count: 0.123, 41.2, 1,230."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
