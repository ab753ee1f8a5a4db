"""Thresholds: how far nights are from a reference when nothing has drifted.

They come from the reference itself, by leaving weeks out. Each of its nights is measured, whole
and with as many rows as it had, against the reference without that night's week: as a night in
service, whose weather and last seven days the model has not seen either. Rows drawn one by one
would not do: those of a night have its weather in common, and nights differ by more than chance.

Of n such nights, the threshold is the ⌈(n + 1) · (1 − rate)⌉-th smallest. A further night that is
exchangeable with them lies above it with a chance of at most `rate`, whatever their
distribution (split conformal prediction: Vovk, Gammerman & Shafer 2005). With fewer than
1 / rate − 1 nights it is the largest, and the chance is 1 / (n + 1).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from include.declare_model import DriftMethod
from include.training.distance import Blocks, Floats, distances_of

LEAST = 0.01
"""No distance or share below it is drift: it would be without consequence."""

LEAST_VOLUME = math.log(1.1)
"""Nor is a night with a tenth more rows than usual."""

UNKNOWN = 0.1
"""The threshold where the reference has less than two weeks of a column; Evidently's default."""


def weeks_of(days: np.ndarray[Any, np.dtype[np.datetime64]]) -> Blocks:
    """Return the number of each day's week, Monday to Sunday."""
    return ((days.astype("datetime64[D]").astype(np.int64) + 3) // 7).astype(np.intp)


def weekdays_of(days: np.ndarray[Any, np.dtype[np.datetime64]]) -> Blocks:
    """Return each day's weekday, Monday 0."""
    return ((days.astype("datetime64[D]").astype(np.int64) + 3) % 7).astype(np.intp)


def choose(distances: Floats, rate: float, least: float = LEAST) -> tuple[float, int]:
    """Return the threshold over the distances of nights, NaN left out, and how many they are."""
    known = np.sort(distances[np.isfinite(distances)])
    if not len(known):
        return max(UNKNOWN, least), 0
    rank = min(math.ceil((len(known) + 1) * (1 - rate) - 1e-9), len(known))
    return max(least, float(known[rank - 1])), len(known)


def distances(
    sample: pd.Series[Any],
    sample_weeks: Blocks,
    values: pd.Series[Any],
    blocks: Blocks,
    weeks: Blocks,
    method: DriftMethod,
    *,
    numeric: bool,
) -> Floats:
    """Return each night's distance from the sample without its week; NaN without values.

    Args:
        sample: rows of the reference.
        sample_weeks: the week of each of them.
        values: all rows of all nights.
        blocks: the night of each row, from 0.
        weeks: the week of each night.
        method: how the distance is measured.
        numeric: whether the column is a number.
    """
    found = np.full(len(weeks), np.nan)
    order = np.argsort(blocks, kind="stable")
    starts = np.searchsorted(blocks[order], np.arange(len(weeks) + 1))
    for week in np.unique(weeks):
        nights = np.flatnonzero(weeks == week)
        rows = np.concatenate([order[starts[n] : starts[n + 1]] for n in nights])
        places = np.repeat(np.arange(len(nights)), starts[nights + 1] - starts[nights])
        others = sample[sample_weeks != week]
        found[nights] = distances_of(
            others, values.iloc[rows], places, len(nights), method, numeric=numeric
        )
    return found


def unseen_shares(codes: Blocks, blocks: Blocks, weeks: Blocks) -> Floats:
    """Return the share of each night's values that no other week has; NaN without values.

    Args:
        codes: the category of each row, -1 where it is missing.
        blocks: the night of each row, from 0.
        weeks: the week of each night.
    """
    kept = codes >= 0
    codes, blocks = codes[kept], blocks[kept]
    pairs = np.unique(np.stack([codes, weeks[blocks]]), axis=1)
    alone = np.bincount(pairs[0], minlength=int(codes.max(initial=-1)) + 1) == 1
    return share_of(alone[codes], blocks, len(weeks))


def share_of(flags: np.ndarray[Any, np.dtype[np.bool_]], blocks: Blocks, count: int) -> Floats:
    """Return the share of flagged rows in each block; NaN for empty ones."""
    rows = np.bincount(blocks, minlength=count)
    with np.errstate(invalid="ignore"):
        return np.bincount(blocks[flags], minlength=count) / np.where(rows > 0, rows, np.nan)


def volume_distances(rows: Blocks, weekdays: Blocks, weeks: Blocks) -> Floats:
    """Return how far each night's rows are from its weekday's usual in other weeks, see `ratio`."""
    found = np.full(len(rows), np.nan)
    for night in range(len(rows)):
        others = rows[(weekdays == weekdays[night]) & (weeks != weeks[night])]
        if len(others):
            found[night] = log_ratio(float(rows[night]), float(np.median(others)))
    return found


def log_ratio(rows: float, usual: float) -> float:
    """Return the absolute logarithm of rows over usual: twice as many is as far as half."""
    return abs(math.log(rows / usual)) if rows > 0 and usual > 0 else math.inf
