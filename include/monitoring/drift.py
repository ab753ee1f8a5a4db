"""Drift of scored days against a model's reference, and the verdict of each night in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import numpy as np
import pandas as pd

from include.declare_model import Monitoring
from include.training.distance import Blocks
from include.training.reference import Reference, distances_of

SHOWN = 3


@dataclass(frozen=True)
class Drift:
    """How far one column was from the reference on one data day.

    Attributes:
        kind: `feature` or `prediction`.
        value: the distance; None when the day has no value in this column.
        drifted: the distance is above the threshold, or all values are missing though the
            reference has some.
        importance: the model's, 0 to 1; None for the prediction.
    """

    data_day: date
    column: str
    kind: str
    method: str
    value: float | None
    threshold: float
    drifted: bool
    importance: float | None


@dataclass(frozen=True)
class Verdict:
    """What a night's drift comes to.

    Attributes:
        drifted: at least the declared share of the feature columns moved.
        notable: a report is worth reading: drifted, or the predictions moved.
    """

    data_day: date
    drifted: bool
    notable: bool
    moved: int
    columns: int
    words: str


def measure(
    reference: Reference,
    frame: pd.DataFrame,
    days: Sequence[date],
    blocks: Blocks,
    importance: Mapping[str, float],
) -> list[Drift]:
    """Measure every column on every day, ordered by day and column.

    Args:
        reference: of the model that scored the days.
        frame: the scored rows of all days: features and `prediction`.
        days: data days, oldest first.
        blocks: place in `days` of each row.
        importance: feature → the model's, 0 to 1.
    """
    found = []
    for profile in reference.columns:
        sample, values = reference.sample[profile.name], frame[profile.name]
        distances = distances_of(sample, values, blocks, len(days), profile.method)
        known = bool(sample.notna().any())
        for day, value in zip(days, distances, strict=True):
            missing = bool(np.isnan(value))
            found.append(
                Drift(
                    data_day=day,
                    column=profile.name,
                    kind=profile.kind,
                    method=profile.method,
                    value=None if missing else float(value),
                    threshold=profile.threshold,
                    drifted=known if missing else bool(value > profile.threshold),
                    importance=importance.get(profile.name, 0.0)
                    if profile.kind == "feature"
                    else None,
                )
            )
    return sorted(found, key=lambda drift: (drift.data_day, drift.kind, drift.column))


def judge(
    drifts: Sequence[Drift], monitoring: Monitoring, words: Mapping[str, str]
) -> list[Verdict]:
    """Return one verdict per day of `drifts`, which must be ordered by day."""
    days = groupby(drifts, key=lambda drift: drift.data_day)
    return [_judge_day(day, list(found), monitoring, words) for day, found in days]


def _judge_day(
    day: date, drifts: Sequence[Drift], monitoring: Monitoring, words: Mapping[str, str]
) -> Verdict:
    features = [drift for drift in drifts if drift.kind == "feature"]
    moved = sorted((drift for drift in features if drift.drifted), key=_weight)
    drifted = bool(features) and len(moved) >= monitoring.drifted_share * len(features)
    predictions = [drift for drift in drifts if drift.kind == "prediction"]
    shifted = [drift for drift in predictions if drift.drifted]
    text = (
        f"{'drift' if drifted else 'no drift'}: {len(moved)} of {len(features)} columns moved "
        f"(drift from {monitoring.drifted_share:.0%})"
    )
    if moved:
        text += ", first " + ", ".join(_describe(drift, words) for drift in moved[:SHOWN])
    if predictions:
        text += "; predictions " + (_far(shifted[0]) if shifted else "steady")
    return Verdict(day, drifted, drifted or bool(shifted), len(moved), len(features), text)


def _weight(drift: Drift) -> tuple[float, str]:
    """Sort the columns that matter most to the model, and moved furthest, first."""
    excess = np.inf if drift.value is None else drift.value / drift.threshold
    return (-(drift.importance or 0.0) * min(excess, 10.0), drift.column)


def _describe(drift: Drift, words: Mapping[str, str]) -> str:
    return f"{words.get(drift.column, drift.column)} ({_far(drift)})"


def _far(drift: Drift) -> str:
    if drift.value is None:
        return "all missing"
    return f"{drift.value:.2f} above {drift.threshold:.2f}"
