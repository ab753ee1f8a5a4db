"""Whether a night's predictions look like those of the nights before, as `Sanity` bounds them.

The bounds are wide: they catch predictions that are broken, not days that are busy. What they
find is held until a person releases it, see `holds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import sqrt
from statistics import median

import numpy as np
import pandas as pd
import sqlalchemy as sa

from include.declare import UseCase
from include.declare_model import Sanity
from include.scoring.batch import Batch
from include.warehouse.use_cases import use_case_tables

ROUNDING = 1e-12
"""Relative error of a sum or mean of many floats, at most."""

SPREAD_ROWS = 30
"""Fewer predictions say too little of their spread."""


@dataclass(frozen=True)
class Moments:
    """How many predictions there are, their mean and their variance (that of all, not n - 1)."""

    rows: int
    mean: float
    variance: float

    @property
    def deviation(self) -> float:
        """Their standard deviation."""
        return sqrt(self.variance)


@dataclass(frozen=True)
class Night(Moments):
    """The predictions of one data day.

    Attributes:
        smallest: prediction.
        largest: prediction.
        missing: feature values that are missing, over all rows and features.
        values: feature values there could be.
    """

    smallest: float
    largest: float
    missing: int
    values: int

    @property
    def missing_share(self) -> float:
        """Share of the feature values that are missing, 0 to 1."""
        return self.missing / self.values if self.values else 0.0

    @property
    def is_constant(self) -> bool:
        """Whether all predictions are the same."""
        return self.smallest == self.largest

    def joined(self, other: Night) -> Night:
        """Return the figures of these rows and others of the same day."""
        both = pooled((self, other))
        return Night(
            rows=both.rows,
            mean=both.mean,
            variance=both.variance,
            smallest=min(self.smallest, other.smallest),
            largest=max(self.largest, other.largest),
            missing=self.missing + other.missing,
            values=self.values + other.values,
        )


class Figures:
    """Figures of each night's predictions, batch by batch; keeps no rows.

    Attributes:
        days: data day → its figures so far; a day on which nothing was due is not there.
    """

    def __init__(self) -> None:
        self.days: dict[date, Night] = {}

    def add(self, batch: Batch) -> None:
        """Take a batch in; the rows of a day may come in several."""
        for day, night in _nights(batch):
            before = self.days.get(day)
            self.days[day] = night if before is None else before.joined(night)


def pooled(parts: Iterable[Moments]) -> Moments:
    """Return the moments of several groups of rows taken together; at least one has rows."""
    parts = list(parts)
    rows = sum(part.rows for part in parts)
    mean = sum(part.rows * part.mean for part in parts) / rows
    spread = sum(part.rows * (part.variance + (part.mean - mean) ** 2) for part in parts)
    return Moments(rows, mean, spread / rows)


def judge(
    connection: sa.Connection,
    use_case: UseCase,
    figures: Figures,
    days: Sequence[date],
    released: Callable[[date], bool] = lambda _day: False,
) -> dict[date, tuple[str, ...]]:
    """Return the days whose predictions are outside the declared bounds, and what was found.

    Each night is compared with the newest published nights before it, those of the same run
    that are not held in the place of what was published of them: a window decides like its
    nights one by one.

    Args:
        connection: inside a transaction or reading.
        figures: of the predictions of `days`.
        days: data days predicted; one without figures had nothing due.
        released: whether a person lets a day be published whatever is found.
    """
    bounds = use_case.scoring.sanity
    if bounds is None or not days:
        return {}
    known = _published(connection, use_case, figures, days, bounds.nights)
    refused: dict[date, tuple[str, ...]] = {}
    for day in sorted(days):
        night = figures.days.get(day)
        before = [known[it] for it in sorted(known) if it < day][-bounds.nights :]
        found = _findings(bounds, night, before)
        if found and not released(day):
            refused[day] = found
        elif night is not None:
            known[day] = night
        else:
            known.pop(day, None)
    return refused


def _findings(bounds: Sanity, night: Night | None, before: Sequence[Moments]) -> tuple[str, ...]:
    """Return which bounds a night breaks, one sentence each."""
    enough = before if len(before) >= max(bounds.least_nights, 1) else ()
    found = [_volume(bounds, night.rows if night else 0, enough)]
    if night is not None:
        found += [
            _mean(bounds, night, enough),
            _spread(bounds, night, enough),
            _missing(bounds, night),
            _constant(bounds, night),
        ]
    return tuple(sentence for sentence in found if sentence)


def _volume(bounds: Sanity, rows: int, before: Sequence[Moments]) -> str | None:
    if not before:
        return None
    usual = median(night.rows for night in before)
    share, (least, most) = rows / usual, bounds.volume
    if least <= share <= most:
        return None
    bound = f"below {least:.0%}" if share < least else f"above {most:.0%}"
    return (
        f"there are {rows:,} predictions, {share:.0%} of the usual {usual:,.0f} (median of the "
        f"{len(before)} nights before), which is {bound}"
    )


def _mean(bounds: Sanity, night: Night, before: Sequence[Moments]) -> str | None:
    if not before:
        return None
    usual = pooled(before)
    deviation, shift = usual.deviation, night.mean - usual.mean
    if abs(shift) <= bounds.mean_shift * deviation or _rounded_away(shift, usual.mean):
        return None
    side = "above" if shift > 0 else "below"
    by = f"{abs(shift) / deviation:.1f} standard deviations {side}" if deviation else side
    return (
        f"the mean prediction is {night.mean:.3g}, {by} that of the {len(before)} nights before "
        f"({usual.mean:.3g}); at most {bounds.mean_shift:g} are expected"
    )


def _rounded_away(difference: float, value: float) -> bool:
    """Return whether a difference is no more than what sums of the same values differ by."""
    return abs(difference) <= ROUNDING * abs(value)


def _spread(bounds: Sanity, night: Night, before: Sequence[Moments]) -> str | None:
    """Find predictions that have drawn together, as those of trees do beyond what they know."""
    if not before or night.rows < SPREAD_ROWS or night.is_constant:
        return None
    usual = median(it.deviation for it in before)
    if night.deviation >= bounds.least_spread * usual:
        return None
    return (
        f"the predictions hardly differ: their standard deviation is {night.deviation:.2g}, "
        f"{night.deviation / usual:.0%} of the usual {usual:.2g} (median of the {len(before)} "
        f"nights before), which is below {bounds.least_spread:.0%}"
    )


def _missing(bounds: Sanity, night: Night) -> str | None:
    if night.missing_share <= bounds.missing_share:
        return None
    return (
        f"{night.missing_share:.0%} of the feature values are missing, which is above "
        f"{bounds.missing_share:.0%}"
    )


def _constant(bounds: Sanity, night: Night) -> str | None:
    if not bounds.constant or night.rows < 2 or not night.is_constant:
        return None
    return f"all {night.rows:,} predictions are the same ({night.mean:.3g})"


def _nights(batch: Batch) -> list[tuple[date, Night]]:
    """Return the figures of each day of a batch."""
    places, days = pd.factorize(batch.rows["data_day"])
    predictions = batch.rows["prediction"].to_numpy(dtype=np.float64)
    rows = np.bincount(places)
    mean = np.bincount(places, predictions) / rows
    variance = np.bincount(places, (predictions - mean[places]) ** 2) / rows
    smallest, largest = np.full(len(days), np.inf), np.full(len(days), -np.inf)
    np.minimum.at(smallest, places, predictions)
    np.maximum.at(largest, places, predictions)
    empty = np.zeros(len(predictions))
    for name in batch.features:
        empty += batch.lake_rows[name].is_null().to_numpy()
    missing = np.bincount(places, empty)
    return [
        (
            day,
            Night(
                rows=int(rows[place]),
                mean=float(mean[place]),
                variance=float(variance[place]),
                smallest=float(smallest[place]),
                largest=float(largest[place]),
                missing=int(missing[place]),
                values=int(rows[place]) * len(batch.features),
            ),
        )
        for place, day in enumerate(days)
    ]


def _published(
    connection: sa.Connection,
    use_case: UseCase,
    figures: Figures,
    days: Sequence[date],
    nights: int,
) -> dict[date, Moments]:
    """Return the moments of the newest nights before `days`, and of those published among them."""
    scores = use_case_tables(use_case).scores.c
    first, last = min(days), max(days)
    # Squares of the distance from some prediction instead of from zero: two large sums of
    # squares would leave nothing of a small variance.
    centre = next((night.mean for night in figures.days.values()), 0.0)
    away = scores.prediction - sa.literal(centre, sa.Double)
    query = sa.select(
        scores.data_day, sa.func.count(), sa.func.avg(away), sa.func.avg(away * away)
    ).group_by(scores.data_day)
    before = query.where(scores.data_day < first).order_by(scores.data_day.desc()).limit(nights)
    among = query.where(scores.data_day.between(first, last))
    found: Mapping[date, Moments] = {
        day: Moments(rows, centre + mean, _variance(mean, squares))
        for part in (before, among)
        for day, rows, mean, squares in connection.execute(part)
    }
    return dict(found)


def _variance(mean: float, squares: float) -> float:
    """Return the variance of values with a mean and a mean of squares."""
    found = squares - mean**2
    return found if found > ROUNDING * squares else 0.0
