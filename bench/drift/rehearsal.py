"""Nights that did not drift, and nights into which drift is planted: how monitoring takes them.

Pure functions on frames of scored rows (`data_day`, features, and `prediction` and `decision`
where they matter); nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from include.declare_model import Monitoring
from include.monitoring.drift import Drift, measure
from include.monitoring.verdict import OF_FEATURES, judge
from include.training.profiling import build
from include.training.reference import Reference
from include.training.split import as_days

Plant = Callable[[pd.DataFrame, int], pd.DataFrame]
"""A night's rows and how many nights drift has lasted, from 1 → the rows with drift in them."""

DEFAULT = 0.1
"""Evidently's threshold of every column, and the share of drifted columns it calls drift."""
DEFAULT_SHARE = 0.5


@dataclass(frozen=True)
class Shuffled:
    """Nights drawn at random, and the reference made of the others.

    Days are drawn whole, so that nothing but chance tells nights and reference apart.

    Attributes:
        rows: of the nights drawn.
        drawn: their days in the order drawn.
    """

    reference: Reference
    rows: pd.DataFrame
    drawn: Sequence[date]


def shuffle(
    frame: pd.DataFrame,
    features: Sequence[str],
    categorical: Sequence[str],
    monitoring: Monitoring,
    nights: int = 200,
    seed: int = 0,
) -> Shuffled:
    """Draw nights at random and make the reference of the others.

    Args:
        frame: the rows of more than `nights` days.
        features: columns watched.
        categorical: those that are categories.
        monitoring: as declared.
        nights: how many are drawn.
        seed: of the draw and of the sample.
    """
    days = as_days(frame["data_day"])
    drawn = np.random.default_rng(seed).permutation(np.unique(days))[:nights]
    judged = np.isin(days, drawn)
    others, rows = np.unique(days[~judged], return_counts=True)
    reference = build(
        frame[~judged].reset_index(drop=True),
        days[~judged],
        features,
        categorical,
        monitoring,
        seed,
        {day.item(): int(count) for day, count in zip(others, rows, strict=True)},
    )
    return Shuffled(reference, frame[judged].reset_index(drop=True), [day.item() for day in drawn])


@dataclass(frozen=True)
class FalseAlarms:
    """What was said of nights that are like those of the reference.

    Attributes:
        nights: how many they are.
        of_measures: (kind, column) → share of nights above its threshold.
        of_nights: share of nights judged drifted.
        lasting: share of nights on which drift had lasted, of nights in the order given.
        default_columns: column → share of nights on which Evidently's default threshold calls
            it drifted, by the same distances.
        default_nights: share of nights that Evidently's defaults call drifted.
        default_lasting: share on which that had lasted, by the same N of M.
    """

    nights: int
    of_measures: Mapping[tuple[str, str], float]
    of_nights: float
    lasting: float
    default_columns: Mapping[str, float]
    default_nights: float
    default_lasting: float


def false_alarms(
    drifts: Sequence[Drift], days: Sequence[date], monitoring: Monitoring
) -> FalseAlarms:
    """Return how often nights were said to have drifted.

    Args:
        drifts: of these nights, as `measured` gives them.
        days: the nights, in the order in which drift may last.
        monitoring: as declared.
    """
    said = {verdict.data_day: verdict.drifted for verdict in judge(drifts, monitoring, {})}
    theirs = by_default(drifts)
    ours_in_order, theirs_in_order = [said[day] for day in days], [theirs[day] for day in days]
    by_measure: dict[tuple[str, str], list[bool]] = {}
    by_column: dict[str, list[bool]] = {}
    for drift in drifts:
        by_measure.setdefault((drift.kind, drift.column), []).append(drift.drifted)
        if drift.kind == "feature":
            by_column.setdefault(drift.column, []).append(_is_far(drift))
    return FalseAlarms(
        nights=len(days),
        of_measures={name: float(np.mean(it)) for name, it in by_measure.items()},
        of_nights=float(np.mean(ours_in_order)),
        lasting=float(np.mean(lasted(ours_in_order, monitoring.persistence))),
        default_columns={name: float(np.mean(it)) for name, it in by_column.items()},
        default_nights=float(np.mean(theirs_in_order)),
        default_lasting=float(np.mean(lasted(theirs_in_order, monitoring.persistence))),
    )


def by_default(drifts: Sequence[Drift]) -> dict[date, bool]:
    """Return of each night whether Evidently's defaults call it drifted, by our distances."""
    far: dict[date, list[bool]] = {}
    for drift in drifts:
        if drift.kind == "feature":
            far.setdefault(drift.data_day, []).append(_is_far(drift))
    return {day: float(np.mean(it)) >= DEFAULT_SHARE for day, it in far.items()}


@dataclass(frozen=True)
class Delay:
    """How many nights it took from the first with drift in it; None for never.

    Attributes:
        column: until any measure of a feature that stands still otherwise was over its threshold.
        night: until a night was judged drifted.
        told: until drift had lasted, and people were told.
        default: until Evidently's defaults called a night drifted.
    """

    column: int | None
    night: int | None
    told: int | None
    default: int | None


def disturb(
    shuffled: Shuffled,
    starts: Sequence[Sequence[date]],
    importance: Mapping[str, float],
    plant: Plant,
) -> list[Drift]:
    """Measure sequences of nights with drift planted into every night of them.

    Args:
        shuffled: has the nights and their reference.
        starts: sequences that have no night in common, each oldest first.
        importance: feature → the model's, 0 to 1.
        plant: the drift.
    """
    nights = dict(iter(shuffled.rows.groupby("data_day")))
    planted = [
        plant(nights[day], place) for days in starts for place, day in enumerate(days, start=1)
    ]
    return measured(shuffled.reference, pd.concat(planted, ignore_index=True), importance)


def delays(
    drifts: Sequence[Drift],
    undisturbed: Sequence[Drift],
    starts: Sequence[Sequence[date]],
    monitoring: Monitoring,
) -> list[Delay]:
    """Return when planted drift is found in each of several sequences of nights.

    Args:
        drifts: what the nights measure with drift in them.
        undisturbed: what they measure without.
        starts: the sequences, each oldest first.
        monitoring: as declared.
    """
    still = {_key(drift) for drift in undisturbed if drift.drifted}
    moved = {
        drift.data_day
        for drift in drifts
        if drift.drifted and drift.kind in OF_FEATURES and _key(drift) not in still
    }
    said = {verdict.data_day: verdict.drifted for verdict in judge(drifts, monitoring, {})}
    theirs = by_default(drifts)
    return [
        Delay(
            _first([day in moved for day in days]),
            _first([said[day] for day in days]),
            _first(lasted([said[day] for day in days], monitoring.persistence)),
            _first([theirs[day] for day in days]),
        )
        for days in starts
    ]


def measured(
    reference: Reference, frame: pd.DataFrame, importance: Mapping[str, float]
) -> list[Drift]:
    """Measure every day of a frame."""
    days, blocks = np.unique(as_days(frame["data_day"]), return_inverse=True)
    return measure(reference, frame, [day.item() for day in days], blocks, importance)


def lasted(drifted: Sequence[bool], persistence: tuple[int, int]) -> list[bool]:
    """Return of each night whether N of the last M nights, itself included, had drifted."""
    least, among = persistence
    return [
        sum(drifted[max(0, place - among + 1) : place + 1]) >= least
        for place in range(len(drifted))
    ]


def _is_far(drift: Drift) -> bool:
    return drift.value is not None and drift.value >= DEFAULT


def _key(drift: Drift) -> tuple[date, str, str]:
    return (drift.data_day, drift.kind, drift.column)


def _first(said: Sequence[bool]) -> int | None:
    return said.index(True) + 1 if True in said else None
