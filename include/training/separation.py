"""How well single features, and sums and differences of two, tell high targets from low ones.

Values are put into bins. The score of a row is the share of high targets that its bin had on
other days, so that chance patterns within a bin are worth nothing; the separation is the AUC
of that score. It needs no model and no direction: a bin's share is high or low by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.training.encoding import Floats, numbers
from include.training.frame import TrainingFrame
from include.training.split import as_days

BINS = 50
"""Quantile bins of a number. A value that holds a bin's edge has a bin of its own, so that
flags and frequent values are never lost among others. Missing values have one too."""

PAIR_ROWS = 10_000
"""Rows that pairs are judged on, at most: as many of each class and fold."""

Bins = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Target:
    """What is to be told apart.

    Attributes:
        high: whether each row's target is high.
        odd: the fold of each row: every other target date.
    """

    high: npt.NDArray[np.bool_]
    odd: npt.NDArray[np.bool_]

    @property
    def cells(self) -> Bins:
        """Number of each row's fold and class: 0 to 3."""
        cells: Bins = 2 * self.odd.astype(np.int64) + self.high
        return cells

    def rows(self, chosen: npt.NDArray[Any]) -> Target:
        """Return some of the rows."""
        return Target(self.high[chosen], self.odd[chosen])


@dataclass(frozen=True)
class Pair:
    """The sum or the difference of two features, and its separation.

    Attributes:
        sign: `+` or `−`.
    """

    left: str
    sign: str
    right: str
    auc: float


def target_of(data: TrainingFrame, task: str) -> Target:
    """Return the target by date: high is positive, or for a regression above the median."""
    values = numbers(data.frame[data.label])
    _, place = np.unique(as_days(data.frame["target_date"]), return_inverse=True)
    if task == "binary":
        return Target(values > 0.5, place % 2 == 1)
    median = np.median(values)
    high = values > median
    return Target(high if high.any() else values >= median, place % 2 == 1)


def separate_alone(data: TrainingFrame, target: Target) -> dict[str, float]:
    """Return feature → AUC of its bins, over all rows."""
    return {
        name: auc_of_bins(
            category_bins(data.frame[name])
            if name in data.categorical
            else number_bins(numbers(data.frame[name])),
            target,
        )
        for name in data.features
    }


def separate_pairs(
    data: TrainingFrame, target: Target, features: Sequence[str], seed: int
) -> Iterator[Pair]:
    """Give the sum and the difference of every two numeric features, on a sample of rows.

    Features that are constant or missing in the whole sample are left out.
    """
    chosen = _sample(target, seed)
    seen = target.rows(chosen)
    columns = _varying({name: numbers(data.frame[name].iloc[chosen]) for name in features})
    with np.errstate(invalid="ignore", over="ignore"):
        for (left, first), (right, second) in combinations(columns.items(), 2):
            yield Pair(left, "+", right, auc_of_bins(number_bins(first + second), seen))
            yield Pair(left, "−", right, auc_of_bins(number_bins(first - second), seen))


def auc_of_bins(bins: Bins, target: Target) -> float:
    """Return the mean of the folds' AUC, each scored by the other's shares of high targets.

    A fold that lacks a class is left out; 0.5 if both do.
    """
    size = int(bins.max(initial=0)) + 1
    counts = np.bincount(target.cells * size + bins, minlength=4 * size).reshape(2, 2, size)
    found = [
        _auc(counts[fold], _shares(counts[1 - fold]))
        for fold in (0, 1)
        if counts[fold].any(axis=1).all() and counts[1 - fold].any()
    ]
    return float(np.mean(found)) if found else 0.5


def number_bins(values: Floats) -> Bins:
    """Return the bin of each value; 0 is missing."""
    missing = np.isnan(values)
    ordered = np.sort(values[~missing])
    edges = np.unique(
        ordered[np.arange(1, BINS) * len(ordered) // BINS] if len(ordered) else ordered
    )
    below = np.searchsorted(edges, values, side="left")
    above = np.searchsorted(edges, values, side="right")
    bins: Bins = np.where(missing, 0, 1 + below + above)
    return bins


def category_bins(values: pd.Series[Any]) -> Bins:
    """Return a number per distinct value; 0 is missing."""
    codes, _ = pd.factorize(values)
    bins: Bins = codes.astype(np.int64) + 1
    return bins


def _shares(counts: npt.NDArray[np.int64]) -> Floats:
    """Return each bin's share of high targets; bins never seen have that of all rows."""
    low, high = counts
    rows = low + high
    shares: Floats = np.where(rows > 0, high / np.maximum(rows, 1), high.sum() / rows.sum())
    return shares


def _auc(counts: npt.NDArray[np.int64], score: Floats) -> float:
    """Return the chance that a high row scores above a low one, ties counted half."""
    _, rank = np.unique(score, return_inverse=True)
    low, high = (np.bincount(rank, weights=row) for row in counts)
    below = np.cumsum(low) - low / 2
    return float(high @ below / (high.sum() * low.sum()))


def _sample(target: Target, seed: int) -> Bins:
    """Return the places of a seeded sample; sharing it out by class changes no AUC."""
    drawn, cells = np.random.default_rng(seed), target.cells
    parts = [np.flatnonzero(cells == cell) for cell in range(4)]
    kept = [drawn.permutation(part)[: PAIR_ROWS // 4] for part in parts]
    return np.sort(np.concatenate(kept))


def _varying(columns: Mapping[str, Floats]) -> dict[str, Floats]:
    found = {}
    for name, values in columns.items():
        present = values[~np.isnan(values)]
        if len(present) and present.min() < present.max():
            found[name] = values
    return found
