"""Builds the reference profile of a model from the rows it was made with."""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from include.declare_model import DriftMethod, Monitoring
from include.errors import ConfigurationError
from include.training import thresholds
from include.training.distance import Blocks
from include.training.encoding import numbers
from include.training.reference import (
    DECISION,
    LABEL,
    PREDICTION,
    VOLUME,
    ColumnProfile,
    Histogram,
    Kind,
    Reference,
)

BINS = 20
"""Bins of a number's histogram, each with about as many rows."""

Days = npt.NDArray[np.datetime64]

_KINDS: Mapping[str, Kind] = {PREDICTION: "prediction", DECISION: "decision", LABEL: "label"}
_FOR_CATEGORIES = ("jensenshannon", "psi", "chisquare")
_FOR_NUMBERS = ("wasserstein", "jensenshannon", "psi")


def build(
    frame: pd.DataFrame,
    days: Days,
    features: Sequence[str],
    categorical: Sequence[str],
    monitoring: Monitoring,
    seed: int,
    due: Mapping[date, int] | None = None,
) -> Reference:
    """Build the profile of a model from the rows it was made with.

    Args:
        frame: features and `prediction`, and `decision` and `label` where there are; NaN as the
            prediction and decision of rows the model was fitted on, which are better than any
            it will make.
        days: the data day of each row.
        features: columns watched, beside what was predicted and what came of it.
        categorical: those that are categories.
        monitoring: size of the sample, false-alarm rate, methods, columns to leave out.
        seed: of the sample.
        due: data day → rows that were to be scored; without it volumes are not judged.

    Raises:
        ConfigurationError: a declared method is not one for its column.
    """
    watched = [name for name in (*features, *_KINDS) if name in frame]
    watched = [name for name in watched if name not in monitoring.ignore]
    size = min(monitoring.reference_rows, len(frame))
    chosen = np.sort(np.random.default_rng(seed).choice(len(frame), size, replace=False))
    sample = frame.iloc[chosen][watched].reset_index(drop=True)
    nights, rate = _Nights.of(days, chosen), monitoring.false_alarm_rate
    found = [
        _distance(sample[name], frame[name], nights, name in categorical, monitoring)
        for name in watched
    ]
    watched_features = [name for name in watched if name not in _KINDS]
    found += [_missing(frame[name], nights, rate) for name in watched_features]
    categories = [name for name in watched_features if name in categorical]
    found += [_categories(frame[name], nights, rate) for name in categories]
    return Reference(sample, (*found, *_volume(due or {}, rate)))


@dataclass(frozen=True)
class _Nights:
    """The nights of a reference.

    Attributes:
        blocks: the night of each row.
        weeks: the week of each night.
        sampled: the week of each row of the sample.
    """

    blocks: Blocks
    weeks: Blocks
    sampled: Blocks

    @classmethod
    def of(cls, days: Days, chosen: Blocks) -> _Nights:
        distinct, blocks = np.unique(days, return_inverse=True)
        weeks = thresholds.weeks_of(distinct)
        return cls(blocks.astype(np.intp), weeks, weeks[blocks[chosen]])


def _distance(
    sample: pd.Series[Any],
    values: pd.Series[Any],
    nights: _Nights,
    category: bool,
    monitoring: Monitoring,
) -> ColumnProfile:
    name = str(values.name)
    method = _method(name, category, monitoring)
    distances = thresholds.distances(
        sample,
        nights.sampled,
        values,
        nights.blocks,
        nights.weeks,
        method,
        numeric=not category,
    )
    threshold, count = thresholds.choose(distances, monitoring.false_alarm_rate)
    histogram = _of_category(values) if category else _of_number(values)
    return ColumnProfile(
        name, _KINDS.get(name, "feature"), method, threshold, count, None, histogram
    )


def _method(name: str, category: bool, monitoring: Monitoring) -> DriftMethod:
    method: DriftMethod = "jensenshannon" if category else "wasserstein"
    method = monitoring.methods.get(name, method)
    allowed = _FOR_CATEGORIES if category else _FOR_NUMBERS
    if method not in allowed:
        raise ConfigurationError(
            f"Monitoring.methods measures {name} by {method!r}, which is no distance between "
            f"{'categories' if category else 'numbers'}; choose {', '.join(allowed)}"
        )
    return method


def _missing(values: pd.Series[Any], nights: _Nights, rate: float) -> ColumnProfile:
    gone = values.isna().to_numpy()
    shares = thresholds.share_of(gone, nights.blocks, len(nights.weeks))
    threshold, count = thresholds.choose(shares, rate)
    expected = float(gone.mean())
    return ColumnProfile(str(values.name), "missing", "share", threshold, count, expected)


def _categories(values: pd.Series[Any], nights: _Nights, rate: float) -> ColumnProfile:
    codes, _ = pd.factorize(values)
    shares = thresholds.unseen_shares(codes, nights.blocks, nights.weeks)
    threshold, count = thresholds.choose(shares, rate)
    name, histogram = str(values.name), _of_category(values)
    return ColumnProfile(name, "categories", "share", threshold, count, 0.0, histogram)


def _volume(due: Mapping[date, int], rate: float) -> Iterator[ColumnProfile]:
    """Return the profile of how many rows a night has, if that is known."""
    if not due:
        return
    days = np.array(sorted(due), dtype="datetime64[D]")
    rows = np.array([due[day] for day in sorted(due)], dtype=np.intp)
    weekdays = thresholds.weekdays_of(days)
    distances = thresholds.volume_distances(rows, weekdays, thresholds.weeks_of(days))
    threshold, count = thresholds.choose(distances, rate, thresholds.LEAST_VOLUME)
    usual = tuple(
        int(np.median(rows[weekdays == day])) if (weekdays == day).any() else 0 for day in range(7)
    )
    histogram = Histogram(usual, names=tuple(calendar.day_name))
    yield ColumnProfile(VOLUME, "volume", "log_ratio", threshold, count, None, histogram)


def _of_number(values: pd.Series[Any]) -> Histogram | None:
    known = numbers(values)
    known = known[np.isfinite(known)]
    if not len(known):
        return None
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1), method="lower"))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    counts, _ = np.histogram(known, edges)
    return Histogram(tuple(counts.tolist()), edges=tuple(edges.tolist()))


def _of_category(values: pd.Series[Any]) -> Histogram | None:
    counted = values.dropna().astype(str).value_counts().sort_index()
    if not len(counted):
        return None
    return Histogram(tuple(counted.tolist()), names=tuple(counted.index))
