"""The verdict of each night: what its drift comes to, in a number and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from include.declare_model import Monitoring
from include.monitoring.drift import Drift

SHOWN = 3
FARTHEST = 10.0
"""A column that moved farther, in thresholds, is not named before one that matters more."""

OF_FEATURES = ("feature", "missing", "categories")


@dataclass(frozen=True)
class Verdict:
    """What a night's drift comes to.

    Attributes:
        drifted: the feature columns that moved hold at least the declared share of the model's
            importance.
        notable: a report is worth reading: drifted, or predictions or decisions moved.
        moved: feature columns of which values, missing values or categories moved.
        columns: feature columns watched.
        weight: importance of those that moved, as a share of all that are watched, 0 to 1.
    """

    data_day: date
    drifted: bool
    notable: bool
    moved: int
    columns: int
    words: str
    weight: float = 0.0


def judge(
    drifts: Sequence[Drift], monitoring: Monitoring, words: Mapping[str, str]
) -> list[Verdict]:
    """Return one verdict per day of `drifts`, which must be ordered by day.

    Args:
        drifts: what was measured.
        monitoring: says from which share on a night has drifted.
        words: feature → what it is.
    """
    days = groupby(drifts, key=lambda drift: drift.data_day)
    return [_judge_day(day, list(found), monitoring, words) for day, found in days]


def _judge_day(
    day: date, drifts: Sequence[Drift], monitoring: Monitoring, words: Mapping[str, str]
) -> Verdict:
    features = [drift for drift in drifts if drift.kind in OF_FEATURES]
    columns = {drift.column: drift.importance or 0.0 for drift in features}
    moved = _farthest(features)
    weight = _weigh(columns, moved)
    drifted = bool(moved) and weight >= monitoring.drifted_share
    others = {drift.kind: drift for drift in drifts if drift.kind not in OF_FEATURES}
    shifted = {kind: drift for kind, drift in others.items() if drift.drifted}
    text = (
        f"{'drift' if drifted else 'no drift'}: {len(moved)} of {len(columns)} columns moved, "
        f"{weight:.0%} of what the model goes by (drift from {monitoring.drifted_share:.0%})"
    )
    if moved:
        first = sorted(moved.values(), key=_weight)[:SHOWN]
        text += ", first " + ", ".join(_describe(drift, words) for drift in first)
    for kind in ("volume", "label", "decision"):
        if kind in shifted:
            text += f"; {'labels ' if kind == 'label' else ''}{shifted[kind].words}"
    if prediction := others.get("prediction"):
        text += f"; predictions {_far(prediction) if prediction.drifted else 'steady'}"
    notable = drifted or bool({"prediction", "decision"} & shifted.keys())
    return Verdict(day, drifted, notable, len(moved), len(columns), text, weight)


def _farthest(features: Sequence[Drift]) -> dict[str, Drift]:
    """Return of each column that moved the measure that is farthest over its threshold."""
    found: dict[str, Drift] = {}
    for drift in features:
        before = found.get(drift.column)
        if drift.drifted and (before is None or _excess(drift) > _excess(before)):
            found[drift.column] = drift
    return found


def _weigh(columns: Mapping[str, float], moved: Mapping[str, Drift]) -> float:
    """Return the share of importance that moved; of columns, where none is of any."""
    total = math.fsum(columns.values())
    if total > 0:
        return math.fsum(columns[name] for name in moved) / total
    return len(moved) / len(columns) if columns else 0.0


def _excess(drift: Drift) -> float:
    return math.inf if drift.value is None else drift.value / drift.threshold


def _weight(drift: Drift) -> tuple[float, float, str]:
    """Sort the columns that matter most to the model, and moved farthest, first."""
    excess = _excess(drift)
    return (-(drift.importance or 0.0) * min(excess, FARTHEST), -excess, drift.column)


def _describe(drift: Drift, words: Mapping[str, str]) -> str:
    return f"{words.get(drift.column, drift.column)} ({_far(drift)})"


def _far(drift: Drift) -> str:
    told = drift.words or "moved"
    if drift.value is None:
        return told
    return f"{told}, {_excess(drift):.1f} × its limit"
