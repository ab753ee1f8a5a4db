"""Distances between days and a reference, every day of a window in one pass.

The two measures are Evidently's own (0.7, `wasserstein` and `jensenshannon`), so that the
nightly numbers and its reports agree; missing values are left out of both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Blocks = npt.NDArray[np.intp]

_LEAST_DEVIATION = 0.001  # as Evidently: keeps a constant reference from dividing by zero


def wasserstein(reference: Floats, values: Floats, blocks: Blocks, count: int) -> Floats:
    """Return per block the 1-Wasserstein distance to the reference, in its deviations.

    The distance is the area between the two quantile functions. Each value of a block holds
    one step of the block's; under that step the reference's is integrated exactly from its
    running sums, so a block of m values costs m·log(n) and not m + n.

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


def jensen_shannon(
    reference: pd.Series[Any], values: pd.Series[Any], blocks: Blocks, count: int
) -> Floats:
    """Return per block the Jensen–Shannon distance of category shares, natural logarithm.

    The square root of the divergence (Endres & Schindelin 2003): 0 for the same shares, 0.83
    (the root of ln 2) for none in common. NaN for a block or a reference without values.
    """
    together = pd.concat([reference, values], ignore_index=True)
    codes, names = pd.factorize(together, sort=True)
    if not len(names):
        return np.full(count, np.nan)
    ours, theirs = codes[: len(reference)], codes[len(reference) :]
    expected = np.bincount(ours[ours >= 0], minlength=len(names)).astype(np.float64)
    kept = theirs >= 0
    cells = blocks[kept] * len(names) + theirs[kept]
    found = np.bincount(cells, minlength=count * len(names)).astype(np.float64)
    found = found.reshape(count, len(names))
    with np.errstate(invalid="ignore", divide="ignore"):
        q = found / found.sum(axis=1, keepdims=True)
        p = expected / expected.sum()
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return np.sqrt(np.maximum(divergence, 0.0))


def _area(ordered: Floats, shares: Floats) -> Floats:
    """Return the integral of the sample's quantile function from 0 to each share."""
    sums = np.concatenate(([0.0], np.cumsum(ordered))) / len(ordered)
    return np.interp(shares, np.linspace(0.0, 1.0, len(ordered) + 1), sums)


def _relative_entropy(shares: Floats, middle: Floats) -> Floats:
    """Return the relative entropy of each row of shares, NaN where they are undefined.

    Summed one by one in the order of the categories: categories that other days of a window
    bring in then add zeros, and change no bit of this day's sum.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = np.where(shares > 0, shares * np.log(shares / middle), 0.0)
    undefined = np.isnan(np.broadcast_to(shares, middle.shape)).any(axis=-1)
    return np.where(undefined, np.nan, np.cumsum(terms, axis=-1)[..., -1])
