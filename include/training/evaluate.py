"""Metrics of binary predictions with intervals, from a block bootstrap by day.

Days are resampled, not rows: flights of one day share its weather, and an interval that
ignores it is several times too narrow. Every metric is a function of scores, labels and row
weights, so that a resample is a weighting and the scores are sorted once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from include.training.encoding import Floats

RESAMPLES = 400
LEVEL = 0.95
HIGHER_IS_BETTER = ("auc", "average_precision", "f1")

Days = npt.NDArray[Any]
Metric = Callable[["_Sorted", Floats], float]


@dataclass(frozen=True)
class Estimate:
    """A metric with its interval; NaN never occurs, undefined resamples are left out."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.lower:.4f}, {self.upper:.4f}]"


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one set of predictions on one set of rows."""

    metrics: Mapping[str, Estimate]
    rows: int
    days: int

    def plain(self) -> dict[str, Any]:
        """Return the metrics as plain values, for JSON."""
        metrics = {name: asdict(estimate) for name, estimate in self.metrics.items()}
        return {"metrics": metrics, "rows": self.rows, "days": self.days}


def evaluate(labels: Floats, scores: Floats, days: Days, threshold: float, seed: int) -> Evaluation:
    """Return AUC, average precision, log loss, Brier score and F1 with 95 % intervals.

    Args:
        labels: 0 or 1 per row.
        scores: probability of 1 per row.
        days: target date per row; the blocks of the bootstrap.
        threshold: at or above it a row counts as predicted positive, for F1.
        seed: of the resampling.
    """
    prepared = _Sorted.of(labels, scores, threshold)
    blocks, draws = _draws(days, seed)
    metrics = {}
    for name, metric in METRICS.items():
        value = metric(prepared, np.ones(len(labels)))
        drawn = np.array([metric(prepared, counts[blocks]) for counts in draws])
        metrics[name] = Estimate(value, *interval(drawn, value))
    return Evaluation(metrics, len(labels), int(blocks.max()) + 1)


def compare(
    metric: str,
    labels: Floats,
    challenger: tuple[Floats, float],
    champion: tuple[Floats, float],
    days: Days,
    seed: int,
) -> Estimate:
    """Return challenger minus champion with its interval, by a paired bootstrap by day.

    Args:
        metric: name in `METRICS`.
        labels: 0 or 1 per row.
        challenger: scores and threshold.
        champion: the same of the other model, on the same rows.
        days: target date per row; the blocks of the bootstrap.
        seed: of the resampling.
    """
    ours, theirs = (_Sorted.of(labels, *model) for model in (challenger, champion))
    compute = METRICS[metric]
    blocks, draws = _draws(days, seed)
    ones = np.ones(len(labels))
    value = compute(ours, ones) - compute(theirs, ones)
    drawn = [compute(ours, counts[blocks]) - compute(theirs, counts[blocks]) for counts in draws]
    return Estimate(value, *interval(np.array(drawn), value))


def choose_threshold(labels: Floats, scores: Floats) -> float:
    """Return the score that maximises F1 when scores at or above it count as positive.

    The lowest such score wins ties, so that the choice is the same everywhere.
    """
    prepared = _Sorted.of(labels, scores, 0.0)
    hits, flagged = prepared.cumulate(np.ones(len(labels)))
    f1 = 2 * hits / (flagged + labels.sum())
    best = len(f1) - 1 - int(np.argmax(f1[::-1]))
    return float(prepared.scores[prepared.ends[best]])


def interval(drawn: Floats, value: float) -> tuple[float, float]:
    """Return the percentile interval of bootstrap draws; the value itself if there is none."""
    defined = drawn[np.isfinite(drawn)]
    if not len(defined):
        return value, value
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class _Sorted:
    """Scores from high to low, with the last place of each group of equal scores."""

    order: npt.NDArray[np.intp]
    labels: Floats
    scores: Floats
    ends: npt.NDArray[np.intp]
    positive: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, labels: Floats, scores: Floats, threshold: float) -> _Sorted:
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        return cls(order, labels[order], ranked, ends, ranked >= threshold)

    @cached_property
    def log_losses(self) -> Floats:
        """Negative log likelihood per row, scores clipped by double precision's epsilon."""
        tiny = np.finfo(np.float64).eps
        scores = np.clip(self.scores, tiny, 1 - tiny)
        return -np.where(self.labels > 0, np.log(scores), np.log1p(-scores))

    @cached_property
    def square_errors(self) -> Floats:
        """Squared difference between score and outcome per row."""
        return (self.scores - self.labels) ** 2

    def cumulate(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return weight of positives and of all rows at or above each distinct score."""
        ranked = weights[self.order]
        hits = np.cumsum(ranked * self.labels)[self.ends]
        return hits, np.cumsum(ranked)[self.ends]


def _auc(data: _Sorted, weights: Floats) -> float:
    """Area under the ROC curve: Mann–Whitney, ties count half (Fawcett 2006)."""
    hits, flagged = data.cumulate(weights)
    misses = flagged - hits
    if hits[-1] == 0 or misses[-1] == 0:
        return float("nan")
    area = np.sum(np.diff(misses, prepend=0.0) * (hits + np.concatenate(([0.0], hits[:-1]))) / 2)
    return float(area / (hits[-1] * misses[-1]))


def _average_precision(data: _Sorted, weights: Floats) -> float:
    """Sum of precision × gain in recall over the distinct scores."""
    hits, flagged = data.cumulate(weights)
    if hits[-1] == 0:
        return float("nan")
    precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
    return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])


def _log_loss(data: _Sorted, weights: Floats) -> float:
    """Mean negative log likelihood."""
    return float(np.average(data.log_losses, weights=weights[data.order]))


def _brier(data: _Sorted, weights: Floats) -> float:
    """Mean squared difference between score and outcome (Brier 1950)."""
    return float(np.average(data.square_errors, weights=weights[data.order]))


def _f1(data: _Sorted, weights: Floats) -> float:
    """Harmonic mean of precision and recall at the threshold; 0 where nothing is found."""
    ranked = weights[data.order]
    hits = float(np.sum(ranked * data.labels * data.positive))
    either = float(np.sum(ranked * data.labels) + np.sum(ranked * data.positive))
    return 2 * hits / either if either else 0.0


METRICS: Mapping[str, Metric] = {
    "auc": _auc,
    "average_precision": _average_precision,
    "log_loss": _log_loss,
    "brier": _brier,
    "f1": _f1,
}


def _draws(days: Days, seed: int) -> tuple[npt.NDArray[np.intp], list[Floats]]:
    """Return each row's block and, per resample, how often each block was drawn."""
    names, blocks = np.unique(days, return_inverse=True)
    random = np.random.default_rng(seed)
    count = len(names)
    draws = [
        np.bincount(random.integers(0, count, count), minlength=count).astype(np.float64)
        for _ in range(RESAMPLES)
    ]
    return blocks, draws
