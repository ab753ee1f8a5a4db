"""Metrics: by hand, against scikit-learn, and intervals that know about days."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as peers

from include.training.evaluate import (
    METRICS,
    _Sorted,
    choose_threshold,
    compare,
    evaluate,
    interval,
)
from include.training.fit import labels_of
from include.training.split import as_days
from tests.model_nights import CASE, fitted
from tests.real_frames import LABEL


def test_metrics_by_hand() -> None:
    labels = np.array([1.0, 0.0, 1.0, 0.0])
    scores = np.array([0.8, 0.6, 0.6, 0.2])
    found = evaluate(labels, scores, np.array([1, 1, 2, 2]), 0.6, seed=1).metrics

    # pairs (late, punctual): .8>.6, .8>.2, .6=.6 (half), .6>.2
    assert found["auc"].value == pytest.approx(3.5 / 4)
    # recall 1/2 at precision 1, then 1/2 at precision 2/3
    assert found["average_precision"].value == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert found["brier"].value == pytest.approx((0.04 + 0.36 + 0.16 + 0.04) / 4)
    expected = -(np.log(0.8) + np.log(0.4) + np.log(0.6) + np.log(0.8)) / 4
    assert found["log_loss"].value == pytest.approx(expected)
    # three flagged, two of them late, none missed
    assert found["f1"].value == pytest.approx(2 * 2 / (3 + 2))


@pytest.mark.parametrize("seed", range(5))
def test_weighted_metrics_equal_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels = (random.random(500) < 0.3).astype(float)
    scores = np.round(np.clip(0.3 + 0.2 * labels + random.normal(0, 0.2, 500), 0.01, 0.99), 2)
    weights = random.integers(0, 3, 500).astype(float)
    expected = {
        "auc": peers.roc_auc_score(labels, scores, sample_weight=weights),
        "average_precision": peers.average_precision_score(labels, scores, sample_weight=weights),
        "log_loss": peers.log_loss(labels, scores, sample_weight=weights),
        "brier": peers.brier_score_loss(labels, scores, sample_weight=weights),
        "f1": peers.f1_score(labels, scores >= 0.4, sample_weight=weights),
    }
    prepared = _Sorted.of(labels, scores, 0.4)
    for name, metric in METRICS.items():
        assert metric(prepared, weights) == pytest.approx(expected[name], abs=1e-12), name


def test_weights_are_repetitions() -> None:
    """A day drawn twice counts like its rows written twice."""
    random = np.random.default_rng(0)
    labels, scores = (random.random(40) < 0.4).astype(float), random.random(40).round(1)
    weights = np.repeat([2.0, 0.0, 1.0, 3.0], 10)
    repeated = np.repeat(np.arange(40), weights.astype(int))
    drawn = _Sorted.of(labels, scores, 0.5)
    written = _Sorted.of(labels[repeated], scores[repeated], 0.5)
    for name, metric in METRICS.items():
        assert metric(drawn, weights) == pytest.approx(metric(written, np.ones(len(repeated)))), (
            name
        )


def test_intervals_widen_when_rows_of_a_day_agree() -> None:
    """Twenty copies of every day's row are no more evidence than one."""
    random = np.random.default_rng(3)
    labels = np.repeat((random.random(30) < 0.4).astype(float), 20)
    scores = np.clip(labels * 0.2 + np.repeat(random.random(30), 20), 0, 1)
    by_day = evaluate(labels, scores, np.repeat(np.arange(30), 20), 0.5, 1).metrics["auc"]
    by_row = evaluate(labels, scores, np.arange(600), 0.5, 1).metrics["auc"]

    assert by_day.value == by_row.value
    assert by_day.upper - by_day.lower > 2 * (by_row.upper - by_row.lower)


def test_the_same_seed_gives_the_same_interval_and_another_another() -> None:
    test = fitted().test
    labels, days = labels_of(test, LABEL), as_days(test["target_date"])
    scores = fitted().model.predict(test)
    found = [evaluate(labels, scores, days, 0.3, seed).metrics["auc"] for seed in (1, 1, 2)]

    assert found[0] == found[1] != found[2]
    assert found[0].lower < found[0].value < found[0].upper


def test_a_model_does_not_differ_from_itself_and_beats_its_reverse() -> None:
    random = np.random.default_rng(5)
    labels = (random.random(400) < 0.4).astype(float)
    scores = np.clip(0.4 + 0.3 * (labels - 0.4) + random.normal(0, 0.1, 400), 0, 1)
    days = np.repeat(np.arange(20), 20)
    same = compare("auc", labels, (scores, 0.5), (scores, 0.5), days, 1)
    better = compare("auc", labels, (scores, 0.5), (1 - scores, 0.5), days, 1)

    assert (same.value, same.lower, same.upper) == (0, 0, 0)
    assert better.lower > 0


def test_the_threshold_maximises_f1_and_ties_go_to_the_lowest() -> None:
    random = np.random.default_rng(7)
    labels = (random.random(300) < 0.3).astype(float)
    scores = np.round(np.clip(labels * 0.2 + random.random(300), 0, 1), 2)
    best = max(peers.f1_score(labels, scores >= t) for t in np.unique(scores))
    assert peers.f1_score(labels, scores >= choose_threshold(labels, scores)) == best

    # flagging one of one (F1 1) is best; a useless lower score must not be chosen
    assert choose_threshold(np.array([1.0, 0.0]), np.array([0.9, 0.1])) == 0.9
    # at .9 and at .5 F1 is 2/3: the lower is taken
    assert choose_threshold(np.array([1.0, 0.0, 0.0, 1.0]), np.array([0.9, 0.7, 0.6, 0.5])) == 0.5


def test_a_resample_without_one_class_is_left_out() -> None:
    assert interval(np.array([np.nan, 0.4, 0.6]), 0.5) == (0.405, 0.595)
    assert interval(np.array([np.nan]), 0.5) == (0.5, 0.5)


def test_real_flights_give_an_honest_model() -> None:
    found = fitted()
    auc = found.evaluation.metrics["auc"]
    assert 0.55 < auc.value < 0.75
    assert found.baselines["constant_rate"].metrics["auc"].value == 0.5
    rate = labels_of(found.test, LABEL).mean()
    constant = found.baselines["constant_rate"].metrics
    assert constant["average_precision"].value == pytest.approx(rate)
    assert found.evaluation.rows == len(found.test)
    assert found.evaluation.days == CASE.training.test_days
