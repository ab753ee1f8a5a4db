"""Reliability bins: equal numbers of rows, shares with intervals."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from include.training.evaluation.calibration import BINS, bins_of, reliability
from tests.training.evaluation.samples import days_of

ROWS = 5_000


def _calibrated(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    scores = random.beta(2, 6, ROWS)
    return (random.random(ROWS) < scores).astype(float), scores


def test_bins_hold_equal_numbers_of_rows() -> None:
    _, scores = _calibrated()
    assert list(np.bincount(bins_of(scores))) == [ROWS // BINS] * BINS


def test_equal_scores_share_a_bin() -> None:
    scores = np.repeat([0.1, 0.2, 0.7], [70, 25, 5])
    bins = bins_of(scores)
    assert all(len(set(bins[scores == score])) == 1 for score in (0.1, 0.2, 0.7))
    assert list(np.unique(bins_of(np.full(100, 0.3)), return_counts=True)[1]) == [100]


def test_no_rows_have_no_bins() -> None:
    assert len(bins_of(np.empty(0))) == 0
    assert reliability(np.empty(0), np.empty(0), np.empty(0), 1) == []


@pytest.mark.parametrize("places", [12, 1])
def test_bins_equal_those_of_scikit_learn(places: int) -> None:
    labels, scores = _calibrated()
    scores = scores.round(places)
    observed, predicted = calibration_curve(labels, scores, n_bins=BINS, strategy="quantile")
    found = reliability(labels, scores, days_of(ROWS, 28), seed=1)

    assert [it["observed"] for it in found] == pytest.approx(list(observed))
    assert [it["predicted"] for it in found] == pytest.approx(list(predicted))


def test_bins_are_plain_values_in_order_and_lose_no_row() -> None:
    labels, scores = _calibrated()
    found = reliability(labels, scores, days_of(ROWS, 28), seed=1)

    assert json.loads(json.dumps(found)) == found
    assert sum(it["rows"] for it in found) == ROWS
    assert found[0]["low"] == scores.min() and found[-1]["high"] == scores.max()
    for before, after in pairwise(found):
        assert before["low"] <= before["predicted"] <= before["high"] < after["low"]
    assert all(it["lower"] <= it["observed"] <= it["upper"] for it in found)


def test_intervals_hold_honest_predictions_and_not_others() -> None:
    labels, scores = _calibrated()
    days = days_of(ROWS, 28)
    honest = reliability(labels, scores, days, seed=1)
    assert sum(it["lower"] <= it["predicted"] <= it["upper"] for it in honest) >= BINS - 2

    doubled = reliability(labels, np.clip(2 * scores, 0, 1), days, seed=1)
    assert all(it["predicted"] > it["upper"] for it in doubled)


def test_intervals_widen_when_rows_of_a_day_agree() -> None:
    labels = np.repeat((np.random.default_rng(1).random(40) < 0.4).astype(float), 25)
    scores = np.full(1000, 0.4)
    (by_day,) = reliability(labels, scores, np.repeat(np.arange(40), 25), seed=1)
    (by_row,) = reliability(labels, scores, np.arange(1000), seed=1)
    assert by_day["upper"] - by_day["lower"] > 3 * (by_row["upper"] - by_row["lower"])
