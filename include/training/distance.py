"""Distances between days and a reference, every day of a window in one pass.

The measures are Evidently's own (0.7) under its names, so that the nightly numbers and its
reports agree: `wasserstein` here, those over shares in `shares`. Missing values are left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.declare_model import DriftMethod
from include.training import shares
from include.training.encoding import numbers

Floats = npt.NDArray[np.float64]
Blocks = npt.NDArray[np.intp]

_LEAST_DEVIATION = 0.001  # as Evidently: keeps a constant reference from dividing by zero


def distances_of(
    sample: pd.Series[Any],
    values: pd.Series[Any],
    blocks: Blocks,
    count: int,
    method: DriftMethod,
    *,
    numeric: bool = False,
) -> Floats:
    """Return the distance of each block's values to the sample; NaN for empty blocks.

    Args:
        sample: of the reference, any order.
        values: all blocks' values.
        blocks: which block each value belongs to.
        count: how many blocks there are.
        method: how the distance is measured.
        numeric: whether the column is a number, whose shares are those of bins.
    """
    if method == "wasserstein":
        return wasserstein(numbers(sample), numbers(values), blocks, count)
    if numeric:
        counts = shares.of_numbers(numbers(sample), numbers(values), blocks, count)
    else:
        counts = shares.of_categories(sample, values, blocks, count)
    return shares.MEASURES[method](counts)


def wasserstein(reference: Floats, values: Floats, blocks: Blocks, count: int) -> Floats:
    """Return per block the 1-Wasserstein distance to the reference, in its deviations.

    The distance is the area between the two quantile functions (Vallender 1974). Each value of
    a block holds one step of the block's; under that step the reference's is integrated exactly
    from its running sums, so a block of m values costs m·log(n) and not m + n.

    Args:
        reference: sample, any order.
        values: all blocks' values.
        blocks: which block each value belongs to.
        count: how many blocks there are.

    Returns:
        One distance per block; NaN for a block or a reference without values.
    """
    reference = np.sort(reference[np.isfinite(reference)])
    kept = np.isfinite(values)
    values, blocks = values[kept], blocks[kept]
    if not len(reference):
        return np.full(count, np.nan)
    center = float(reference.mean())
    reference = reference - center
    order = np.lexsort((values, blocks))
    blocks, values = blocks[order], values[order] - center
    sizes = np.bincount(blocks, minlength=count)
    rank = np.arange(len(values)) - (np.cumsum(sizes) - sizes)[blocks]
    low, high = rank / sizes[blocks], (rank + 1) / sizes[blocks]
    crossing = np.searchsorted(reference, values, side="right") / len(reference)
    crossing = np.clip(crossing, low, high)
    at_low, at_crossing, at_high = (_area(reference, u) for u in (low, crossing, high))
    below = values * (crossing - low) - (at_crossing - at_low)
    above = (at_high - at_crossing) - values * (high - crossing)
    distance = np.bincount(blocks, weights=below + above, minlength=count)
    deviation = max(float(np.std(reference)), _LEAST_DEVIATION)
    return np.where(sizes > 0, np.maximum(distance, 0.0) / deviation, np.nan)


def _area(ordered: Floats, upto: Floats) -> Floats:
    """Return the integral of the sample's quantile function from 0 to each share."""
    sums = np.concatenate(([0.0], np.cumsum(ordered))) / len(ordered)
    return np.interp(upto, np.linspace(0.0, 1.0, len(ordered) + 1), sums)
