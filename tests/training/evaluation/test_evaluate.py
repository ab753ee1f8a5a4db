"""Evaluations and comparisons of a use case's models, with intervals that know about days."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from include.errors import ConfigurationError, DataError
from include.training.evaluation.evaluate import (
    better_when_higher,
    compare,
    evaluate,
    metric_names,
)
from include.training.evaluation.predictions import Floats, Predictions
from tests.model_nights import CASE
from tests.training.evaluation.samples import REGRESSION, binary, days_of, regression


def _rows(seed: int = 5, count: int = 400) -> tuple[Floats, Predictions, np.ndarray]:
    rows = binary(seed, count=count)
    return rows.labels, rows.predictions, np.repeat(np.arange(20), count // 20)


def test_every_metric_of_the_task_is_there_as_plain_values() -> None:
    labels, predictions, days = _rows()
    found = evaluate(CASE, labels, predictions, days)
    plain = found.plain()

    assert tuple(found.metrics) == metric_names(CASE)
    assert (plain["rows"], plain["days"]) == (400, 20)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert set(plain["metrics"]["auc"]) == {"value", "lower", "upper"}
    for name, it in found.metrics.items():
        assert it.lower <= it.value <= it.upper, name


def test_metrics_follow_from_task_costs_and_quantiles() -> None:
    assert "cost" in metric_names(CASE)
    assert "cost" not in metric_names(replace(CASE, costs=None))
    expected = ("mae", "rmse", "pinball_0.1", "pinball_0.9", "coverage")
    assert metric_names(REGRESSION) == expected


def test_a_regression_is_evaluated_by_errors_and_quantiles() -> None:
    rows = regression(3)
    found = evaluate(REGRESSION, rows.labels, rows.predictions, days_of(500, 20))
    assert tuple(found.metrics) == metric_names(REGRESSION)
    constant = evaluate(REGRESSION, rows.labels, Predictions(rows.scores), days_of(500, 20))
    assert tuple(constant.metrics) == ("mae", "rmse")


def test_undefined_metrics_are_left_out() -> None:
    labels, predictions, days = _rows()
    one_class = evaluate(CASE, labels * 0, predictions, days).metrics
    assert "auc" not in one_class and "recall" not in one_class
    assert "brier" in one_class and "flagged" in one_class
    undecided = evaluate(CASE, labels, Predictions(predictions.values), days).metrics
    assert "f1" not in undecided and "auc" in undecided


def test_no_rows_have_no_metrics() -> None:
    nothing = np.empty(0)
    for case in (CASE, REGRESSION):
        found = evaluate(case, nothing, Predictions(nothing, 0.25), nothing)
        assert (found.metrics, found.rows, found.days) == ({}, 0, 0)


def test_rows_without_a_label_are_refused() -> None:
    labels, predictions, days = _rows()
    labels = np.where(np.arange(400) < 3, np.nan, labels)
    with pytest.raises(DataError, match="3 of 400 rows to evaluate have no label"):
        evaluate(CASE, labels, predictions, days)


def test_predictions_of_other_rows_are_refused() -> None:
    labels, predictions, days = _rows()
    with pytest.raises(DataError, match="399 labels and 400 predictions"):
        evaluate(CASE, labels[1:], predictions, days[1:])


def test_intervals_widen_when_rows_of_a_day_agree() -> None:
    """Twenty copies of every day's row are no more evidence than one."""
    random = np.random.default_rng(3)
    labels = np.repeat((random.random(30) < 0.4).astype(float), 20)
    scores = np.clip(labels * 0.2 + np.repeat(random.random(30), 20), 0, 1)
    predictions = Predictions(scores, 0.5)
    by_day = evaluate(CASE, labels, predictions, np.repeat(np.arange(30), 20)).metrics["auc"]
    by_row = evaluate(CASE, labels, predictions, np.arange(600)).metrics["auc"]

    assert by_day.value == by_row.value
    assert by_day.upper - by_day.lower > 2 * (by_row.upper - by_row.lower)


def test_the_declared_seed_gives_the_same_interval_and_another_another() -> None:
    labels, predictions, days = _rows()
    found = [
        evaluate(
            replace(CASE, training=replace(CASE.training, seed=seed)), labels, predictions, days
        ).metrics["auc"]
        for seed in (1, 1, 2)
    ]
    assert found[0] == found[1] != found[2]
    assert found[0].lower < found[0].value < found[0].upper


@pytest.mark.parametrize("metric", ["auc", "log_loss", "brier", "f1", "cost", "lift_at_10pct"])
def test_a_model_does_not_differ_from_itself_and_beats_its_reverse(metric: str) -> None:
    labels, predictions, days = _rows()
    reverse = Predictions(1 - predictions.values, predictions.threshold)
    same = compare(CASE, metric, labels, predictions, predictions, days)
    better = compare(CASE, metric, labels, predictions, reverse, days)
    worse = compare(CASE, metric, labels, reverse, predictions, days)

    assert (same.value, same.lower, same.upper) == (0, 0, 0)
    assert better.lower > 0
    assert (worse.value, worse.lower, worse.upper) == pytest.approx(
        (-better.value, -better.upper, -better.lower)
    )


def test_a_smaller_error_is_a_positive_difference() -> None:
    rows, days = regression(3), days_of(500, 20)
    noise = np.random.default_rng(1).normal(0, 8, 500)
    noisy = Predictions(rows.scores + noise, quantiles=rows.predictions.quantiles)
    found = compare(REGRESSION, "mae", rows.labels, rows.predictions, noisy, days)
    errors = [
        evaluate(REGRESSION, rows.labels, it, days).metrics["mae"].value
        for it in (noisy, rows.predictions)
    ]
    assert found.value == pytest.approx(errors[0] - errors[1])
    assert found.lower > 0


def test_a_paired_interval_is_narrower_than_the_models_own() -> None:
    labels, predictions, days = _rows(count=2000)
    nudge = np.random.default_rng(1).normal(0, 0.02, 2000)
    other = Predictions(np.clip(predictions.values + nudge, 0.01, 0.99), predictions.threshold)
    own = evaluate(CASE, labels, predictions, days).metrics["auc"]
    paired = compare(CASE, "auc", labels, other, predictions, days)
    assert paired.upper - paired.lower < (own.upper - own.lower) / 2


@pytest.mark.parametrize(
    ("metric", "higher"),
    [
        *(("auc", True), ("average_precision", True), ("precision", True), ("f1", True)),
        *(("recall", True), ("lift_at_1pct", True), ("flagged", None), ("coverage", None)),
        *(("log_loss", False), ("brier", False), ("ece", False), ("cost", False)),
        *(("mae", False), ("rmse", False), ("pinball_0.05", False)),
    ],
)
def test_every_metric_has_its_direction(metric: str, higher: bool | None) -> None:
    assert better_when_higher(metric) is higher


@pytest.mark.parametrize("name", ["gini", "pinball_high", "pinball_1.5"])
def test_an_unknown_metric_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(KeyError, match=rf"no metric '{name}'.*auc, .*pinball_0.1"):
        better_when_higher(name)
    labels, predictions, days = _rows()
    with pytest.raises(KeyError, match="no metric 'gini'"):
        compare(CASE, "gini", labels, predictions, predictions, days)


def test_a_metric_of_the_other_task_is_refused_with_those_there_are() -> None:
    labels, predictions, days = _rows()
    with pytest.raises(KeyError, match="no metric 'mae'; there is: auc"):
        compare(CASE, "mae", labels, predictions, predictions, days)


def test_models_are_not_compared_by_what_has_no_better() -> None:
    labels, predictions, days = _rows()
    with pytest.raises(ConfigurationError, match="neither more nor less flagged is better"):
        compare(CASE, "flagged", labels, predictions, predictions, days)


def test_a_comparison_that_is_undefined_says_so() -> None:
    labels, predictions, days = _rows()
    with pytest.raises(DataError, match="auc is undefined on the 400 rows"):
        compare(CASE, "auc", labels * 0, predictions, predictions, days)
