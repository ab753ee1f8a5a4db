"""Folds: forward in time, with the gap of label maturity, and losses equal to the peers'."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from sklearn import metrics as peers

from include.declare_model import Range, Tuning
from include.errors import DataError
from include.training.evaluation.predictions import Predictions
from include.training.folds import chain, log_loss, loss_name, mean_error, windows
from include.window import Window
from tests.model_nights import CASE, training_frame

GAP = CASE.label.mature_after
TUNING = Tuning(space={"max_depth": Range(2, 6, whole=True)}, folds=3, fold_days=7)
SPAN = Window(date(2013, 2, 2), date(2013, 4, 10))


def test_folds_go_forward_and_the_newest_ends_with_the_span() -> None:
    found = windows(CASE, TUNING, SPAN)
    validation = [later for _, later in found]

    assert validation[-1].end == SPAN.end
    assert [len(window) for window in validation] == [7, 7, 7]
    for before, after in pairwise(validation):
        assert after.start == before.end + timedelta(days=1)


def test_a_fold_trains_on_everything_whose_label_was_mature_on_its_first_day() -> None:
    for earlier, later in windows(CASE, TUNING, SPAN):
        mature = [day for day in SPAN if day + timedelta(days=GAP) < later.start]
        assert list(earlier) == mature


def test_as_few_days_as_the_folds_need_are_enough_and_one_less_is_refused() -> None:
    needed = 3 * 7 + GAP + 7
    last = SPAN.start + timedelta(days=needed - 1)
    earlier, _ = windows(CASE, TUNING, Window(SPAN.start, last))[0]
    assert len(earlier) == 7
    words = rf"too few days to tune on; {needed} target dates are needed \(3 folds of 7"
    with pytest.raises(DataError, match=words):
        windows(CASE, TUNING, Window(SPAN.start, last - timedelta(days=1)))


def test_a_fold_trains_on_the_newest_rows_of_its_days_at_most() -> None:
    data = training_frame()
    tuning = replace(TUNING, max_rows=1500)
    dates = data.frame["target_date"]
    for fold, (earlier, later) in zip(
        chain(CASE, tuning, data, SPAN), windows(CASE, tuning, SPAN), strict=True
    ):
        due = data.frame[[day in later for day in dates]]
        known = data.frame[[day in earlier for day in dates]]
        assert len(known) > 1500
        newest = known.sort_values("target_date", kind="stable").iloc[-1500:]
        np.testing.assert_array_equal(fold.labels, due[data.label])
        np.testing.assert_array_equal(fold.matrices.train.get_label(), newest[data.label])
        np.testing.assert_array_equal(fold.matrices.validation.get_label(), due[data.label])


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_fold_with_one_class_is_refused_by_its_number(part: str) -> None:
    data = training_frame()
    earlier, later = windows(CASE, TUNING, SPAN)[0]
    days = earlier if part == "training" else later
    inside = data.frame["target_date"].between(days.start, days.end)
    frame = data.frame.assign(**{data.label: data.frame[data.label].mask(inside, 0.0)})
    with pytest.raises(DataError, match=rf"the fold 1 {part} rows hold 1 class"):
        chain(CASE, TUNING, replace(data, frame=frame), SPAN)


def test_losses_equal_scikit_learn_s() -> None:
    random = np.random.default_rng(5)
    labels, scores = (random.random(500) < 0.3).astype(float), random.random(500)
    scores[:4] = [0, 1, 0, 1]
    assert log_loss(labels, scores) == pytest.approx(peers.log_loss(labels, scores))

    values, wide = random.normal(size=500), random.normal(size=500) + 1
    mean = mean_error(values, Predictions(scores))
    assert mean == pytest.approx(peers.mean_absolute_error(values, scores))
    pinball = [
        peers.mean_pinball_loss(values, scores, alpha=0.5),
        peers.mean_pinball_loss(values, wide, alpha=0.9),
    ]
    both = mean_error(values, Predictions(scores, quantiles={0.9: wide}))
    assert both == pytest.approx(np.mean(pinball))


def test_a_loss_has_a_name() -> None:
    regression = replace(CASE, task="regression")
    quantiles = replace(regression, training=replace(CASE.training, quantiles=(0.1,)))
    names = [loss_name(case) for case in (CASE, regression, quantiles)]
    assert names == ["log loss", "absolute error", "pinball loss"]
