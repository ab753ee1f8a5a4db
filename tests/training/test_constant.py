"""The baseline that says the same of every row: learnt, recorded, and read back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from include.declare import UseCase
from include.training.constant import Constant
from tests.model_nights import CASE
from tests.training.evaluation.samples import QUANTILES, REGRESSION

LABELS = np.array([0.0, 0.0, 1.0, 0.0, 9.0])


def test_a_rate_is_what_a_binary_model_must_beat() -> None:
    found = Constant.of(CASE, LABELS[:4])
    assert found == Constant(0.25)
    said = found.predictions(3, threshold=0.2)
    assert (list(said.values), said.threshold) == ([0.25] * 3, 0.2)


def test_a_median_and_quantiles_are_what_a_regression_must_beat() -> None:
    found = Constant.of(REGRESSION, LABELS)
    assert found.value == 0
    assert found.quantiles == pytest.approx(dict(zip(QUANTILES, (0.0, 5.8), strict=True)))
    assert list(found.predictions(2).quantiles[0.9]) == [pytest.approx(5.8)] * 2


@pytest.mark.parametrize("case", [CASE, REGRESSION], ids=["binary", "regression"])
def test_what_is_recorded_is_read_back(case: UseCase) -> None:
    constant = Constant.of(case, LABELS)
    evidence = json.loads(json.dumps({"constant": constant.plain()}))
    assert Constant.recorded(case, evidence) == constant


def test_models_from_before_have_a_rate_and_no_median() -> None:
    evidence = {"label_means": {"train": 0.2}}
    assert Constant.recorded(CASE, evidence) == Constant(0.2)
    assert Constant.recorded(REGRESSION, evidence) is None
    assert Constant.recorded(CASE, {}) is None
