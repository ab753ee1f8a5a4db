"""Intervals from a block bootstrap by day.

Days are resampled, not rows: flights of one day share its weather, and an interval that
ignores it is several times too narrow (cluster bootstrap: Field & Welsh 2007). A resample is a
weighting of days, never a copy of rows. Intervals are expanded percentile intervals (Hesterberg
2015): plain percentiles of few days are too narrow and would promote too much noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, stdtrit

from include.training.evaluation.predictions import Floats, Mask

RESAMPLES = 400
LEVEL = 0.95

Days = npt.NDArray[Any]
"""A date, or whatever tells days apart, per row."""


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; NaN never occurs, undefined resamples are left out."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.lower:.4f}, {self.upper:.4f}]"

    @classmethod
    def of(cls, found: Floats, days: int) -> Estimate | None:
        """Return the estimate of a metric's values under `Draws`; None if it is undefined.

        The interval always holds the value. Of a metric that resampling pushes one way, such
        as calibration error, the percentiles alone may not.

        Args:
            found: one value per weighting, that of the data itself first.
            days: how many days were drawn from.
        """
        value = float(found[0])
        if not np.isfinite(value):
            return None
        lower, upper = interval(found[1:], value, days)
        return cls(value, min(lower, value), max(upper, value))


def told(metric: Mapping[str, float] | None) -> str:
    """Return a metric of the evidence, plain values again, as a person reads it."""
    return "undefined" if metric is None else str(Estimate(**metric))


def interval(drawn: Floats, value: float, days: int) -> tuple[float, float]:
    """Return the interval of bootstrap draws from `days` days; the value itself without any."""
    defined = drawn[np.isfinite(drawn)]
    if not len(defined):
        return value, value
    share = tail(days)
    low, high = np.quantile(defined, [share, 1 - share])
    return float(low), float(high)


def tail(days: int) -> float:
    """Return the share of draws left out at each end of an interval from `days` days.

    Φ(√(n / (n − 1)) · t), with t the quantile of Student's distribution with n − 1 degrees of
    freedom that leaves (1 − level) / 2 out: 0.018 instead of 0.025 for 28 days (Hesterberg 2015,
    “What Teachers Should Know About the Bootstrap”, section 4.3).
    """
    plain = (1 - LEVEL) / 2
    if days < 2:
        return plain
    return float(ndtr(np.sqrt(days / (days - 1)) * stdtrit(days - 1, plain)))


@dataclass(frozen=True)
class Draws:
    """Weightings of days, shared by everything that is measured on the same rows.

    Attributes:
        blocks: each row's day, from 0.
        counts: weightings × days, how often a day counts. The first weighting is the data
            itself, every day once; the others are resamples.
    """

    blocks: npt.NDArray[np.intp]
    counts: Floats

    @classmethod
    def of(cls, days: Days, seed: int) -> Draws:
        """Draw `RESAMPLES` times as many days as there are, with replacement."""
        names, blocks = np.unique(days, return_inverse=True)
        return cls(blocks, _draw(len(names), seed))

    @property
    def days(self) -> int:
        """How many days there are."""
        return int(self.counts.shape[1])

    @property
    def seen(self) -> int:
        """How many of the days have rows; fewer than `days` after `take`."""
        return len(np.unique(self.blocks))

    def take(self, mask: Mask) -> Draws:
        """Return the same draws of days for some of the rows."""
        return Draws(self.blocks[mask], self.counts)

    def by_day(self, values: Floats) -> Floats:
        """Return the sum of a column of rows per day."""
        found = np.bincount(self.blocks, weights=values, minlength=self.days)
        return found.astype(np.float64)

    def total(self, values: Floats) -> Floats:
        """Return the sum of a column of rows under each weighting, from sums per day."""
        totals: Floats = self.counts @ self.by_day(values)
        return totals


@lru_cache(maxsize=64)
def _draw(count: int, seed: int) -> Floats:
    """Return weightings × days; kept, because every date of a window is drawn alike."""
    counts = np.ones((RESAMPLES + 1, count))
    if count:
        random = np.random.default_rng(seed)
        for resample in counts[1:]:
            resample[:] = np.bincount(random.integers(0, count, count), minlength=count)
    counts.flags.writeable = False
    return counts
