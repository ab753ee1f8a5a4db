"""Metrics of predicted numbers: by hand, against scikit-learn, and rows written out."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as peers

from include.training.evaluation.bootstrap import Draws
from include.training.evaluation.predictions import Predictions
from include.training.evaluation.regression import metrics
from include.training.evaluation.rows import Rows
from tests.training.evaluation.samples import QUANTILES, days_of, once, regression, weighted

METRICS = metrics(QUANTILES)


def _slowly(rows: Rows, weights: np.ndarray) -> dict[str, float]:
    quantiles = rows.predictions.quantiles
    given = {"sample_weight": weights}
    inside = [
        low <= label <= high
        for label, low, high in zip(rows.labels, quantiles[0.1], quantiles[0.9], strict=True)
    ]
    return {
        "mae": peers.mean_absolute_error(rows.labels, rows.scores, **given),
        "rmse": peers.root_mean_squared_error(rows.labels, rows.scores, **given),
        "pinball_0.1": peers.mean_pinball_loss(rows.labels, quantiles[0.1], alpha=0.1, **given),
        "pinball_0.9": peers.mean_pinball_loss(rows.labels, quantiles[0.9], alpha=0.9, **given),
        "coverage": float(np.average(inside, weights=weights)),
    }


def test_metrics_by_hand() -> None:
    quantiles = {0.1: np.array([1.0, 0.0, 0.0]), 0.9: np.array([2.0, 2.0, 2.0])}
    predictions = Predictions(np.array([1.0, 1.0, 1.0]), quantiles=quantiles)
    rows = Rows(np.array([1.0, 2.0, 5.0]), predictions, once(3))
    found = {name: metric.compute(rows)[0] for name, metric in METRICS.items()}

    assert found["mae"] == pytest.approx((0 + 1 + 4) / 3)
    assert found["rmse"] == pytest.approx(np.sqrt((0 + 1 + 16) / 3))
    # labels above a low quantile cost a tenth, above a high one nine tenths, below it a tenth
    assert found["pinball_0.1"] == pytest.approx((0.1 * 0 + 0.1 * 2 + 0.1 * 5) / 3)
    assert found["pinball_0.9"] == pytest.approx((0.1 * 1 + 0.9 * 0 + 0.9 * 3) / 3)
    # 1 and 2 lie on an edge, 5 beyond it
    assert found["coverage"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("seed", range(5))
def test_weighted_metrics_equal_scikit_learn(seed: int) -> None:
    weights = np.random.default_rng(seed).integers(0, 3, 500).astype(float)
    rows = regression(seed, weighted(weights))
    expected = _slowly(rows, weights)
    assert set(expected) == set(METRICS)
    for name, metric in METRICS.items():
        assert metric.compute(rows) == pytest.approx([expected[name]], abs=1e-12), name


def test_resamples_equal_metrics_of_rows_written_out() -> None:
    draws = Draws.of(days_of(500, 15), seed=2)
    rows = regression(7, draws)
    found = {name: metric.compute(rows) for name, metric in METRICS.items()}
    for place in (0, 1, 57, 400):
        drawn = np.repeat(np.arange(500), draws.counts[place][draws.blocks].astype(int))
        expected = _slowly(rows.take(drawn), np.ones(len(drawn)))
        for name, values in found.items():
            assert values[place] == pytest.approx(expected[name], abs=1e-12), (name, place)


def test_the_right_quantile_has_the_lowest_pinball_loss() -> None:
    labels = np.random.default_rng(1).exponential(10, 20_000)
    losses = {}
    for q in (0.7, 0.8, 0.9, 0.95):
        guess = np.full(20_000, np.quantile(labels, q))
        rows = Rows(labels, Predictions(guess, quantiles={0.9: guess}), once(20_000))
        losses[q] = metrics((0.9,))["pinball_0.9"].compute(rows)[0]
    assert min(losses, key=losses.__getitem__) == 0.9


def test_metrics_follow_from_the_quantiles() -> None:
    assert list(metrics(())) == ["mae", "rmse"]
    assert list(metrics((0.5,))) == ["mae", "rmse", "pinball_0.5"]
    assert list(metrics((0.95, 0.05))) == [
        *("mae", "rmse", "pinball_0.05", "pinball_0.95", "coverage")
    ]


def test_a_quantile_that_a_model_does_not_predict_is_undefined() -> None:
    rows = regression(1)
    without = Rows(rows.labels, Predictions(rows.scores), rows.draws)
    for name in ("pinball_0.1", "pinball_0.9", "coverage"):
        assert np.isnan(METRICS[name].compute(without)).all(), name
    assert np.isfinite(METRICS["mae"].compute(without)).all()
