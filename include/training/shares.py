"""Distances over shares: of the categories of a column, or of the bins of a number.

Each follows Evidently 0.7 to the bit of its conventions (bins, empty cells), so that the nightly
numbers equal its own. Sums run cell by cell: categories or bins that only other days of a window
have add zeros, and change no bit of a day's sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Blocks = npt.NDArray[np.intp]

FEW = 20
"""A number with no more distinct values in the reference is compared value by value."""

_EMPTY, _TINY = 0.0001, 10**6  # Evidently's share of an empty cell, and when it is too much


@dataclass(frozen=True)
class Counts:
    """How often each cell occurs, blocks × cells.

    Attributes:
        expected: in the reference; one row stands for every block.
        found: in each block.
        cells: which cells a block has; others are there because other blocks have them.
    """

    expected: Floats
    found: Floats
    cells: npt.NDArray[np.bool_]

    def shares(self) -> tuple[Floats, Floats]:
        """Return the shares of the reference and of each block; NaN without values."""
        with np.errstate(invalid="ignore", divide="ignore"):
            p = self.expected / self.expected.sum(axis=1, keepdims=True)
            q = self.found / self.found.sum(axis=1, keepdims=True)
        return np.broadcast_to(p, q.shape), q


def of_categories(
    reference: pd.Series[Any], values: pd.Series[Any], blocks: Blocks, count: int
) -> Counts:
    """Count the values of each block and of the reference, one cell per value."""
    together = pd.concat([reference, values], ignore_index=True)
    codes, names = pd.factorize(together, sort=True)
    ours, theirs = codes[: len(reference)], codes[len(reference) :]
    expected = np.bincount(ours[ours >= 0], minlength=len(names)).astype(np.float64)
    kept = theirs >= 0
    cells = blocks[kept] * len(names) + theirs[kept]
    found = np.bincount(cells, minlength=count * len(names)).astype(np.float64)
    found = found.reshape(count, len(names))
    return Counts(expected[None, :], found, (expected > 0) | (found > 0))


def of_numbers(reference: Floats, values: Floats, blocks: Blocks, count: int) -> Counts:
    """Count the values of each block and of the reference in bins of equal width.

    As Evidently does: the bins span block and reference together, as many as Sturges (1926)
    has for both. A reference of few distinct values is compared value by value.
    """
    reference = np.sort(reference[np.isfinite(reference)])
    kept = np.isfinite(values)
    values, blocks = values[kept], blocks[kept]
    if len(np.unique(reference)) <= FEW:
        return of_categories(pd.Series(reference), pd.Series(values), blocks, count)
    order = np.lexsort((values, blocks))
    parts = np.split(values[order], np.cumsum(np.bincount(blocks, minlength=count))[:-1])
    edges = [_edges(reference, part) for part in parts]
    width = max(len(found) for found in edges) - 1
    counted = np.zeros((2, count, width))
    cells = np.zeros((count, width), dtype=np.bool_)
    for place, (part, found) in enumerate(zip(parts, edges, strict=True)):
        cells[place, : len(found) - 1] = True
        counted[0, place, : len(found) - 1] = _histogram(reference, found)
        counted[1, place, : len(found) - 1] = _histogram(part, found)
    return Counts(counted[0], counted[1], cells)


def jensen_shannon(counts: Counts) -> Floats:
    """Return per block the Jensen–Shannon distance, natural logarithm.

    The square root of the divergence (Endres & Schindelin 2003): 0 for the same shares, 0.83
    (the root of ln 2) for none in common. NaN for a block or a reference without values.
    """
    p, q = counts.shares()
    middle = (p + q) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        ours = np.where(p > 0, p * np.log(p / middle), 0.0)
        theirs = np.where(q > 0, q * np.log(q / middle), 0.0)
    divergence = (_total(ours) + _total(theirs)) / 2
    return _known(counts, np.sqrt(np.maximum(divergence, 0.0)))


def psi(counts: Counts) -> Floats:
    """Return per block the population stability index: Σ (p − q) · ln(p / q).

    The symmetric divergence of Kullback and Leibler (1951) under the name it has in credit
    scoring (Siddiqi 2006). Empty cells get Evidently's small share. NaN without values.
    """
    p, q = (_filled(shares, counts.cells) for shares in counts.shares())
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = np.where(counts.cells, (p - q) * np.log(p / q), 0.0)
    return _known(counts, _total(terms))


def chisquare(counts: Counts) -> Floats:
    """Return per block Pearson's (1900) statistic, Σ (found − expected)² / expected.

    Evidently shows the chance of it or more under independence, which is next to nothing for
    any real day; the statistic itself is compared with that of other days. A cell that the
    reference lacks is expected as if it had half a row of it. NaN without values.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = counts.found.sum(axis=1) / counts.expected.sum(axis=1)
    present = np.maximum(np.broadcast_to(counts.expected, counts.found.shape), 0.5)
    expected = present * ratio[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = np.where(counts.cells, (counts.found - expected) ** 2 / expected, 0.0)
    return _known(counts, _total(terms))


MEASURES: Mapping[str, Callable[[Counts], Floats]] = {
    "jensenshannon": jensen_shannon,
    "psi": psi,
    "chisquare": chisquare,
}
"""Evidently's name → the measure."""


def _edges(reference: Floats, values: Floats) -> Floats:
    """Return numpy's edges of Sturges' bins over two sorted arrays."""
    low, high = reference[0], reference[-1]
    if len(values):
        low, high = min(low, values[0]), max(high, values[-1])
    width = (high - low) / (np.log2(len(reference) + len(values)) + 1.0)
    return np.linspace(low, high, int(np.ceil((high - low) / width)) + 1)


def _histogram(ordered: Floats, edges: Floats) -> Floats:
    """Return how many values of a sorted array each bin holds, the last edge included."""
    below = np.searchsorted(ordered, edges[:-1], side="left")
    return np.diff(np.append(below, np.searchsorted(ordered, edges[-1], side="right"))).astype(
        np.float64
    )


def _filled(shares: Floats, cells: npt.NDArray[np.bool_]) -> Floats:
    """Return shares with a small one in empty cells, as Evidently has them."""
    smallest = np.where(shares > 0, shares, np.inf).min(axis=1, initial=np.inf, keepdims=True)
    small = np.where(smallest <= _EMPTY, smallest / _TINY, _EMPTY)
    return np.where(cells & (shares == 0), small, shares)


def _total(terms: Floats) -> Floats:
    """Return the sum of each row, from the first cell to the last."""
    if not terms.shape[1]:
        return np.zeros(len(terms))
    return np.cumsum(terms, axis=1)[:, -1]


def _known(counts: Counts, distances: Floats) -> Floats:
    """Return the distances, NaN where block or reference has no value."""
    with_values = (counts.found.sum(axis=1) > 0) & (counts.expected.sum(axis=1) > 0)
    return np.where(with_values, distances, np.nan)
