"""Metrics of probabilities and of the decisions made from them.

Each gives one value per weighting of days. Most are ratios of sums over rows: those sums are
taken once per day, and a resample is a product of small matrices. AUC counts pairs of days the
same way; only what depends on the order of all rows (average precision, lift) goes through
them for every resample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from include.training.evaluation.calibration import calibration_error
from include.training.evaluation.predictions import Floats
from include.training.evaluation.rows import Metric, Rows, ratio


def _auc(rows: Rows) -> Floats:
    """Area under the ROC curve: share of pairs won, ties count half (Mann–Whitney; Fawcett 2006).

    A weighting by day multiplies every pair of a positive of one day and a negative of another
    by both days' weights, so pairs are counted once per two days.
    """
    counts = rows.draws.counts
    positives = counts @ rows.draws.by_day(rows.labels)
    negatives = counts @ rows.draws.by_day(1 - rows.labels)
    won = np.sum((counts @ _pairs_won(rows)) * counts, axis=1)
    return ratio(won, positives * negatives)


def _pairs_won(rows: Rows) -> Floats:
    """Return days × days: pairs in which a positive of one scores above a negative of the other."""
    positive, blocks, days = rows.labels > 0, rows.draws.blocks, rows.draws.days
    order = np.argsort(rows.scores[~positive])  # in order, the searches below run through caches
    others, other_blocks = rows.scores[~positive][order], blocks[~positive][order]
    won = np.zeros((days, days))
    for day in np.unique(blocks[positive]):
        own = np.sort(rows.scores[positive & (blocks == day)])
        at_or_below = np.searchsorted(own, others, "right")
        below = np.searchsorted(own, others, "left")
        won[day] = np.bincount(
            other_blocks, weights=len(own) - (at_or_below + below) / 2, minlength=days
        )
    return won


def _average_precision(rows: Rows) -> Floats:
    """Sum of precision × gain in recall over the distinct scores."""
    found = []
    for hits, flagged in _cumulate(rows):
        gains = np.diff(hits, prepend=0.0)
        precision = np.divide(hits, flagged, out=np.zeros_like(hits), where=flagged > 0)
        found.append(np.sum(gains * precision) / hits[-1] if hits[-1] > 0 else np.nan)
    return np.array(found)


def _lift(share: float, rows: Rows) -> Floats:
    """Rate of positives among the highest-scored share of rows, over the rate among all.

    Of equal scores at the edge of the share, each counts in part.
    """
    found = []
    for hits, flagged in _cumulate(rows):
        most = share * flagged[-1]
        inside = np.interp(most, np.append(0.0, flagged), np.append(0.0, hits))
        found.append(inside / (share * hits[-1]) if hits[-1] > 0 else np.nan)
    return np.array(found)


def _cumulate(rows: Rows) -> Iterator[tuple[Floats, Floats]]:
    """Give per weighting the weight of positives and of all rows at or above each score."""
    order = np.argsort(-rows.scores, kind="stable")
    labels, blocks = rows.labels[order], rows.draws.blocks[order]
    ends = np.append(np.flatnonzero(np.diff(rows.scores[order])), len(order) - 1)
    for counts in rows.draws.counts:
        weights = counts[blocks]
        yield np.cumsum(weights * labels)[ends], np.cumsum(weights)[ends]


def _log_loss(rows: Rows) -> Floats:
    """Mean negative log likelihood, scores clipped by double precision's epsilon."""
    tiny = np.finfo(np.float64).eps
    scores = np.clip(rows.scores, tiny, 1 - tiny)
    return rows.mean(-np.where(rows.labels > 0, np.log(scores), np.log1p(-scores)))


def _brier(rows: Rows) -> Floats:
    """Mean squared difference between score and outcome (Brier 1950)."""
    return rows.mean((rows.scores - rows.labels) ** 2)


def _decided(measure: Callable[[Rows, Floats], Floats]) -> Callable[[Rows], Floats]:
    """Return a metric of the decided-positive rows, undefined where nothing is decided."""

    def compute(rows: Rows) -> Floats:
        flagged = rows.flagged
        return rows.undefined() if flagged is None else measure(rows, flagged)

    return compute


def _precision(rows: Rows, flagged: Floats) -> Floats:
    """Share of the flagged that are positive; undefined where nothing is flagged."""
    return ratio(rows.draws.total(flagged * rows.labels), rows.draws.total(flagged))


def _recall(rows: Rows, flagged: Floats) -> Floats:
    """Share of the positives that are flagged; undefined without positives."""
    return ratio(rows.draws.total(flagged * rows.labels), rows.draws.total(rows.labels))


def _f1(rows: Rows, flagged: Floats) -> Floats:
    """Harmonic mean of precision and recall; 0 where positives are there and none is found."""
    hits = rows.draws.total(flagged * rows.labels)
    return ratio(2 * hits, rows.draws.total(flagged + rows.labels))


def _flagged(rows: Rows, flagged: Floats) -> Floats:
    """Share of rows decided positive."""
    return rows.mean(flagged)


def _cost(rows: Rows, flagged: Floats) -> Floats:
    """Mean declared cost of a row's decision (Elkan 2001); undefined without declared costs."""
    if rows.costs is None:
        return rows.undefined()
    false_alarms, misses = flagged * (1 - rows.labels), (1 - flagged) * rows.labels
    return rows.mean(rows.costs.false_alarm * false_alarms + rows.costs.miss * misses)


METRICS: Mapping[str, Metric] = {
    "auc": Metric(True, _auc),
    "average_precision": Metric(True, _average_precision),
    "log_loss": Metric(False, _log_loss),
    "brier": Metric(False, _brier),
    "ece": Metric(False, calibration_error),
    "precision": Metric(True, _decided(_precision)),
    "recall": Metric(True, _decided(_recall)),
    "f1": Metric(True, _decided(_f1)),
    "flagged": Metric(None, _decided(_flagged)),
    "cost": Metric(False, _decided(_cost)),
    "lift_at_1pct": Metric(True, partial(_lift, 0.01)),
    "lift_at_5pct": Metric(True, partial(_lift, 0.05)),
    "lift_at_10pct": Metric(True, partial(_lift, 0.10)),
}
