"""Numbers and names in words, alike in every section of a card."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from include.training.evaluation.bootstrap import Estimate
from include.training.evaluation.evaluate import better_when_higher
from include.training.model_card.subject import number

NOT_RECORDED = "not recorded"

_PINBALL = "pinball_"
_METRICS = {
    "auc": "AUC: how often a positive row is ranked above a negative one",
    "average_precision": "Average precision: precision over all thresholds",
    "log_loss": "Log loss: how surprising the outcomes were",
    "brier": "Brier score: mean squared error of the probability",
    "ece": "Calibration error: mean gap between predicted and observed rate",
    "precision": "Precision: share of the decided positive that are",
    "recall": "Recall: share of the positive that are found",
    "f1": "F1: precision and recall in one",
    "flagged": "Share of rows decided positive",
    "cost": "Mean cost of a decision, in the declared units",
    "lift_at_1pct": "Lift in the top 1 %: positives there over the average",
    "lift_at_5pct": "Lift in the top 5 %",
    "lift_at_10pct": "Lift in the top 10 %",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error: large errors count more",
    "coverage": "Coverage: share of outcomes between the outer quantiles",
}
_SHORT = {
    "auc": "AUC",
    "brier": "Brier score",
    "ece": "calibration error",
    "mae": "MAE",
    "rmse": "RMSE",
}
_BASELINES = {
    "constant_rate": "always the average rate",
    "constant_median": "always the median",
    "schedule_only": "the schedule alone",
}


def short(metric: str) -> str:
    """Return a metric's name within a sentence."""
    return _SHORT.get(metric, metric.replace("_", " "))


def metric(name: str) -> str:
    """Return what a metric says."""
    if name.startswith(_PINBALL):
        return f"Pinball loss of the {name.removeprefix(_PINBALL)} quantile"
    return _METRICS.get(name, name.replace("_", " "))


def direction(name: str) -> str:
    """Return whether more of a metric is better."""
    try:
        higher = better_when_higher(name)
    except KeyError:  # of an older version
        higher = None
    return {True: "higher", False: "lower", None: "–"}[higher]


def baseline(name: str) -> str:
    """Return what a baseline does."""
    return _BASELINES.get(name, name.replace("_", " "))


def share(found: Any, decimals: int = 1) -> str:
    """Return a share, 0 to 1, in per cent."""
    value = number(found)
    return NOT_RECORDED if value is None else f"{100 * value:.{decimals}f} %"


def count(found: Any) -> str:
    """Return a whole number."""
    value = number(found)
    return NOT_RECORDED if value is None else f"{value:,.0f}"


def amount(value: float) -> str:
    """Return a measured number with the digits its size deserves."""
    return f"{value:,.4f}" if abs(value) < 10 else f"{value:,.2f}"


def told(found: Estimate | None, none: str = "–") -> str:
    """Return a value with its interval."""
    if found is None:
        return none
    return f"{amount(found.value)} [{amount(found.lower)}, {amount(found.upper)}]"


def signed(found: Estimate) -> str:
    """Return a difference with its interval."""
    return f"{found.value:+.4f} [{found.lower:+.4f}, {found.upper:+.4f}]"


def plain(found: Any) -> str:
    """Return any recorded value as text."""
    if found is None or found == "":
        return NOT_RECORDED
    return f"{found:g}" if isinstance(found, float) else str(found)


def listed(items: Sequence[str], most: int = 8) -> str:
    """Return names in a row, shortened past `most`."""
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def plural(size: int, noun: str) -> str:
    """Return a number with its noun, `1 day`, `2 days`."""
    return f"{size:,} {noun}" if size == 1 else f"{size:,} {noun}s"
