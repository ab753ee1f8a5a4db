"""Drift of scored nights against a model's reference, every night of a window in one pass.

Seven things may move: the distribution of a feature, its missing values, its categories, the
predictions, the decisions, the labels once they are mature, and the number of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from include.monitoring import telling
from include.training import thresholds
from include.training.distance import Blocks, Floats, distances_of
from include.training.reference import LABEL, ColumnProfile, Reference


@dataclass(frozen=True)
class Drift:
    """How far one column was from the reference on one data day.

    Attributes:
        kind: `feature`, `missing`, `categories`, `prediction`, `decision`, `label` or `volume`.
        value: the distance; None when the day has no value in this column.
        drifted: the distance is above the threshold, or all values are missing though the
            reference has some.
        importance: of a feature, the model's, 0 to 1; None for the others.
        words: what it was and what it is, of what drifted.
    """

    data_day: date
    column: str
    kind: str
    method: str
    value: float | None
    threshold: float
    drifted: bool
    importance: float | None
    words: str | None = None


@dataclass(frozen=True)
class Nights:
    """Rows of several data days.

    Attributes:
        days: data days, oldest first.
        blocks: place in `days` of each row.
    """

    days: Sequence[date]
    blocks: Blocks

    def __len__(self) -> int:
        return len(self.days)


def measure(
    reference: Reference,
    frame: pd.DataFrame,
    days: Sequence[date],
    blocks: Blocks,
    importance: Mapping[str, float],
) -> list[Drift]:
    """Measure everything the frame has a column for, ordered by day, kind and column.

    Args:
        reference: of the model that scored the days.
        frame: the scored rows of all days: features, `prediction` and `decision`.
        days: data days, oldest first.
        blocks: place in `days` of each row.
        importance: feature → the model's, 0 to 1.
    """
    nights = Nights(days, blocks)
    found: list[Drift] = []
    for profile in reference.profiles:
        if profile.kind == "volume":
            found += _volume(profile, nights)
        elif profile.kind in ("missing", "categories"):
            weight = importance.get(profile.name, 0.0)
            share = _missing if profile.kind == "missing" else _categories
            found += share(profile, frame[profile.name], nights, weight)
        elif profile.name in frame:
            feature = profile.kind == "feature"
            mine = importance.get(profile.name, 0.0) if feature else None
            sample = reference.sample[profile.name]
            found += _distances(profile, sample, frame[profile.name], nights, mine)
    return sorted(found, key=order)


def measure_labels(
    reference: Reference, labels: Floats, days: Sequence[date], blocks: Blocks
) -> list[Drift]:
    """Measure the mature labels of some days; see `measure`."""
    found: list[Drift] = []
    for profile in reference.of_kind("label"):
        values = pd.Series(labels, name=LABEL, dtype=np.float64)
        sample = reference.sample[profile.name]
        found += _distances(profile, sample, values, Nights(days, blocks), None)
    return found


def order(drift: Drift) -> tuple[date, str, str]:
    """Return what drifts are ordered by."""
    return (drift.data_day, drift.kind, drift.column)


def _distances(
    profile: ColumnProfile,
    sample: pd.Series[float],
    values: pd.Series[float],
    nights: Nights,
    weight: float | None,
) -> list[Drift]:
    method = profile.method
    assert method != "share" and method != "log_ratio", "those are measured elsewhere"
    distances = distances_of(
        sample, values, nights.blocks, len(nights), method, numeric=profile.numeric
    )
    known = bool(sample.notna().any())
    found = []
    for place, (day, value) in enumerate(zip(nights.days, distances, strict=True)):
        gone = bool(np.isnan(value))
        drifted = known if gone else bool(value > profile.threshold)
        words = None
        if drifted:
            here = values[nights.blocks == place]
            words = "all missing" if gone else telling.compare(profile, sample, here, float(value))
        found.append(_drift(profile, day, None if gone else float(value), drifted, weight, words))
    return found


def _missing(
    profile: ColumnProfile, values: pd.Series[float], nights: Nights, weight: float | None
) -> list[Drift]:
    shares = thresholds.share_of(values.isna().to_numpy(), nights.blocks, len(nights))
    told = [
        f"{telling.percent(share)} missing instead of {telling.percent(profile.expected or 0.0)}"
        for share in shares
    ]
    return _shares(profile, shares, nights, weight, told)


def _categories(
    profile: ColumnProfile, values: pd.Series[str], nights: Nights, weight: float | None
) -> list[Drift]:
    known = set(profile.histogram.names or ()) if profile.histogram else set()
    codes, distinct = pd.factorize(values)
    foreign = np.array([str(it) not in known for it in distinct] + [False])[codes]
    kept = codes >= 0
    shares = thresholds.share_of(foreign[kept], nights.blocks[kept], len(nights))
    told = [
        f"{telling.percent(share)} in categories the model has not seen"
        + telling.most_often(values[foreign & (nights.blocks == place)])
        if share > profile.threshold
        else ""
        for place, share in enumerate(shares)
    ]
    return _shares(profile, shares, nights, weight, told)


def _volume(profile: ColumnProfile, nights: Nights) -> list[Drift]:
    counts = np.bincount(nights.blocks, minlength=len(nights))
    weekdays = thresholds.weekdays_of(np.array(nights.days, dtype="datetime64[D]"))
    assert profile.histogram is not None, "a volume is compared with those of weekdays"
    found = []
    for day, rows, weekday in zip(nights.days, counts.tolist(), weekdays, strict=True):
        usual = profile.histogram.counts[weekday]
        value = thresholds.log_ratio(rows, usual) if usual else None
        drifted = value is not None and value > profile.threshold
        words = f"{rows:,} rows instead of about {usual:,}" if drifted else None
        found.append(_drift(profile, day, value, drifted, None, words))
    return found


def _shares(
    profile: ColumnProfile,
    shares: Floats,
    nights: Nights,
    weight: float | None,
    told: Sequence[str],
) -> list[Drift]:
    found = []
    for day, share, words in zip(nights.days, shares.tolist(), told, strict=True):
        value = None if np.isnan(share) else share
        drifted = value is not None and value > profile.threshold
        found.append(_drift(profile, day, value, drifted, weight, words if drifted else None))
    return found


def _drift(
    profile: ColumnProfile,
    day: date,
    value: float | None,
    drifted: bool,
    importance: float | None,
    words: str | None,
) -> Drift:
    return Drift(
        data_day=day,
        column=profile.name,
        kind=profile.kind,
        method=profile.method,
        value=value,
        threshold=profile.threshold,
        drifted=drifted,
        importance=importance,
        words=words,
    )
