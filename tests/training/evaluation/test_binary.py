"""Metrics of probabilities: by hand, against scikit-learn, and against rows written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as peers

from include.training.evaluation.binary import METRICS
from include.training.evaluation.bootstrap import Draws
from include.training.evaluation.calibration import bins_of
from include.training.evaluation.predictions import Floats, Predictions
from include.training.evaluation.rows import Rows
from tests.training.evaluation.samples import COSTS, binary, days_of, once, weighted

SHARES = {"lift_at_1pct": 0.01, "lift_at_5pct": 0.05, "lift_at_10pct": 0.1}


def _slowly(labels: Floats, scores: Floats, bins: np.ndarray, weights: Floats) -> dict[str, float]:
    """Return all metrics from scikit-learn, or from the plainest loop where it has none."""
    flagged, given = scores >= 0.4, {"sample_weight": weights}
    alarms, misses = flagged & (labels == 0), ~flagged & (labels == 1)
    average = {"weights": weights}
    return {
        "auc": peers.roc_auc_score(labels, scores, **given),
        "average_precision": peers.average_precision_score(labels, scores, **given),
        "log_loss": peers.log_loss(labels, scores, **given),
        "brier": peers.brier_score_loss(labels, scores, **given),
        "ece": _calibration_error(labels, scores, bins, weights),
        "precision": peers.precision_score(labels, flagged, **given),
        "recall": peers.recall_score(labels, flagged, **given),
        "f1": peers.f1_score(labels, flagged, **given),
        "flagged": np.average(flagged, **average),
        "cost": np.average(alarms * 1.0 + misses * 3.0, **average),
        **{name: _lift(labels, scores, weights, share) for name, share in SHARES.items()},
    }


def _calibration_error(labels: Floats, scores: Floats, bins: np.ndarray, weights: Floats) -> float:
    total = 0.0
    for place in set(bins):
        own = weights[bins == place]
        if own.sum() > 0:
            predicted = np.average(scores[bins == place], weights=own)
            observed = np.average(labels[bins == place], weights=own)
            total += own.sum() / weights.sum() * abs(observed - predicted)
    return total


def _lift(labels: Floats, scores: Floats, weights: Floats, share: float) -> float:
    """Fill a box with rows from the top; of equal scores all go in to the same part."""
    room, hits = share * weights.sum(), 0.0
    for score in sorted(set(scores), reverse=True):
        own = scores == score
        part = min(1.0, room / weights[own].sum()) if weights[own].sum() > 0 else 0.0
        hits += part * (weights * labels)[own].sum()
        room -= part * weights[own].sum()
    return hits / (share * (weights * labels).sum())


def _value(name: str, labels: list[float], scores: list[float], threshold: float = 0.5) -> float:
    rows = Rows(
        np.array(labels), Predictions(np.array(scores), threshold), once(len(labels)), COSTS
    )
    return float(METRICS[name].compute(rows)[0])


def test_metrics_by_hand() -> None:
    labels, scores = [1.0, 0.0, 1.0, 0.0], [0.8, 0.6, 0.6, 0.2]

    # pairs (late, punctual): .8>.6, .8>.2, .6=.6 (half), .6>.2
    assert _value("auc", labels, scores) == pytest.approx(3.5 / 4)
    # recall 1/2 at precision 1, then 1/2 at precision 2/3
    expected = 0.5 * 1 + 0.5 * 2 / 3
    assert _value("average_precision", labels, scores) == pytest.approx(expected)
    assert _value("brier", labels, scores) == pytest.approx((0.04 + 0.36 + 0.16 + 0.04) / 4)
    expected = -(np.log(0.8) + np.log(0.4) + np.log(0.6) + np.log(0.8)) / 4
    assert _value("log_loss", labels, scores) == pytest.approx(expected)
    # three flagged, two of them late, none missed: one false alarm
    assert _value("precision", labels, scores, 0.6) == pytest.approx(2 / 3)
    assert _value("recall", labels, scores, 0.6) == 1
    assert _value("f1", labels, scores, 0.6) == pytest.approx(2 * 2 / (3 + 2))
    assert _value("flagged", labels, scores, 0.6) == pytest.approx(3 / 4)
    assert _value("cost", labels, scores, 0.6) == pytest.approx(1 / 4)
    # at .7 one late flight is missed, and no alarm is false
    assert _value("cost", labels, scores, 0.7) == pytest.approx(3 / 4)


def test_lift_by_hand() -> None:
    """Of 100 rows ten are late: the highest-scored, and nine more among the low ones."""
    labels = [1.0] + [0.0] * 90 + [1.0] * 9
    scores = [0.9] + [0.8] * 9 + [0.1] * 90
    assert _value("lift_at_1pct", labels, scores) == pytest.approx(1.0 / 0.1)
    assert _value("lift_at_5pct", labels, scores) == pytest.approx(1 / 5 / 0.1)
    assert _value("lift_at_10pct", labels, scores) == pytest.approx(1 / 10 / 0.1)
    # scores that tell nothing apart lift nothing
    assert _value("lift_at_1pct", labels, [0.3] * 100) == pytest.approx(1)


def test_calibration_error_by_hand() -> None:
    """Ten rows a bin: .1 comes true in 1 of 10, .5 in 9 of 10."""
    scores = [0.1] * 10 + [0.5] * 10
    labels = [1.0] + [0.0] * 9 + [1.0] * 9 + [0.0]
    assert _value("ece", labels, scores) == pytest.approx((0 * 10 + 0.4 * 10) / 20)


@pytest.mark.parametrize("seed", range(5))
def test_weighted_metrics_equal_scikit_learn(seed: int) -> None:
    weights = np.random.default_rng(seed).integers(0, 3, 500).astype(float)
    rows = binary(seed, weighted(weights))
    expected = _slowly(rows.labels, rows.scores, bins_of(rows.scores), weights)
    assert set(expected) == set(METRICS)
    for name, metric in METRICS.items():
        assert metric.compute(rows) == pytest.approx([expected[name]], abs=1e-12), name


def test_resamples_equal_metrics_of_rows_written_out() -> None:
    """What is added up per day, or per pair of days, is what the repeated rows would give."""
    days = days_of(500, 15)
    draws = Draws.of(days, seed=2)
    rows = binary(7, draws)
    bins = bins_of(rows.scores)
    found = {name: metric.compute(rows) for name, metric in METRICS.items()}
    for place in (0, 1, 57, 113, 399, 400):
        drawn = np.repeat(np.arange(500), draws.counts[place][draws.blocks].astype(int))
        labels, scores = rows.labels[drawn], rows.scores[drawn]
        expected = _slowly(labels, scores, bins[drawn], np.ones(len(drawn)))
        for name, values in found.items():
            assert values[place] == pytest.approx(expected[name], abs=1e-12), (name, place)


def test_a_day_drawn_with_no_row_of_a_class_leaves_a_resample_undefined() -> None:
    """Day 0 has the only positive; a resample without it has no AUC and no recall."""
    draws = Draws(np.array([0, 0, 1, 1]), np.array([[1.0, 1.0], [0.0, 2.0], [2.0, 0.0]]))
    labels, scores = np.array([1.0, 0, 0, 0]), np.array([0.9, 0.2, 0.95, 0.1])
    rows = Rows(labels, Predictions(scores, 0.5), draws, COSTS)
    expected = [2 / 3, np.nan, 1]
    np.testing.assert_allclose(METRICS["auc"].compute(rows), expected)
    np.testing.assert_allclose(METRICS["recall"].compute(rows), [1, np.nan, 1])
    np.testing.assert_allclose(METRICS["f1"].compute(rows), [2 / 3, 0, 1])


@pytest.mark.parametrize(
    ("label", "undefined"),
    [
        (0.0, {"auc", "average_precision", "recall", *SHARES}),
        (1.0, {"auc"}),
    ],
)
def test_what_one_class_leaves_undefined_is_nan_and_nothing_warns(
    label: float, undefined: set[str], recwarn: pytest.WarningsRecorder
) -> None:
    rows = binary(1, Draws.of(days_of(500, 10), seed=1))
    rows = replace(rows, labels=np.full(500, label))
    nan = {name for name, it in METRICS.items() if np.isnan(it.compute(rows)[0])}
    assert nan == undefined
    assert [str(it.message) for it in recwarn] == []


def test_without_threshold_or_costs_nothing_is_said_about_decisions() -> None:
    rows = binary(1)
    undecided = replace(rows, predictions=Predictions(rows.scores))
    for name in ("precision", "recall", "f1", "flagged", "cost"):
        assert np.isnan(METRICS[name].compute(undecided)).all(), name
    assert np.isnan(METRICS["cost"].compute(replace(rows, costs=None))).all()
    assert np.isnan(_value("precision", [1.0, 0.0], [0.2, 0.1], threshold=0.5))


def test_the_declared_costs_decide_the_cheapest_threshold() -> None:
    """With calibrated probabilities no threshold is cheaper than the one the costs give."""
    random = np.random.default_rng(4)
    scores = random.random(200_000)
    labels = (random.random(200_000) < scores).astype(float)
    costs = {}
    for threshold in (0.1, COSTS.threshold, 0.5, 0.9):
        rows = Rows(labels, Predictions(scores, threshold), Draws.of(labels * 0, 1), COSTS)
        costs[threshold] = METRICS["cost"].compute(rows)[0]
    assert min(costs, key=costs.__getitem__) == COSTS.threshold == 0.25
