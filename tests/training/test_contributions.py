"""Contributions add up to the margin, of the median too, and the fast ones are compared."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from include.declare_model import Training
from include.training.contributions import agreement, contribute
from include.training.encoding import dmatrix
from include.training.fit import fit
from include.training.model import Facts, Model
from tests.real_frames import CATEGORICAL, labelled

FEATURES = ("carrier", "origin", "departure_minute", "distance", "carrier_delays__late_rate_7d")
OUTPUTS = {"binary": 1, "mean": 1, "quantiles": 3}


@lru_cache(maxsize=1)
def _rows() -> pd.DataFrame:
    found = labelled("2013-03-01", "2013-03-28", every=10)
    minutes = found["distance"] / 8 + 20 * found["late"]
    return found.assign(minutes=minutes.astype("float64"))


@lru_cache(maxsize=3)
def _model(kind: str) -> Model:
    quantiles = (0.1, 0.9) if kind == "quantiles" else ()
    task, label = ("binary", "late") if kind == "binary" else ("regression", "minutes")
    training = Training(FEATURES, CATEGORICAL, {"max_depth": 4}, rounds=12, quantiles=quantiles)
    rows, half = _rows(), len(_rows()) // 2
    fitted = fit(
        rows.iloc[:half],
        rows.iloc[half:],
        features=FEATURES,
        categorical=CATEGORICAL,
        label=label,
        training=training,
        task=task,
    )
    facts = Facts(
        use_case="a_case",
        feature_service="a_service",
        label=label,
        as_of="2013-04-01",
        seen_through="2013-03-28",
        features=FEATURES,
        categories=fitted.categories,
        threshold=None,
        words={},
        importance={},
        reference_id="a reference",
        spans={},
        task=task,
        quantiles=quantiles,
    )
    return Model.assemble(fitted, facts)


@pytest.mark.parametrize("approximate", [False, True])
@pytest.mark.parametrize("kind", OUTPUTS)
def test_contributions_and_bias_add_up_to_the_margin(kind: str, approximate: bool) -> None:
    model, rows = _model(kind), _rows().iloc[:200]
    matrix = dmatrix(rows, model.facts.features, model.facts.categories)
    full = model.booster.predict(
        matrix, pred_contribs=True, approx_contribs=approximate, strict_shape=True
    )
    margin = model.booster.predict(matrix, output_margin=True, strict_shape=True)
    assert margin.shape == (200, OUTPUTS[kind])
    for output in range(OUTPUTS[kind]):
        found = contribute(model, rows, approximate, output)
        assert found.shape == (200, len(FEATURES))
        total = found.sum(axis=1) + full[:, output, -1]
        np.testing.assert_allclose(total, margin[:, output], atol=1e-3)


@pytest.mark.parametrize("approximate", [False, True])
def test_without_a_choice_the_prediction_itself_is_explained(approximate: bool) -> None:
    model, rows = _model("quantiles"), _rows().iloc[:200]
    found = contribute(model, rows, approximate)
    np.testing.assert_array_equal(found, contribute(model, rows, approximate, output=1))
    bias = model.predict(rows) - found.sum(axis=1)
    assert np.ptp(bias) < 1e-3, "they differ from the median by the same in every row"
    assert not np.allclose(found, contribute(model, rows, approximate, output=0))


def test_contributions_of_a_binary_model_lead_to_its_probability() -> None:
    model, rows = _model("binary"), _rows().iloc[:200]
    probability = model.predict(rows)
    margin = np.log(probability / (1 - probability))
    assert np.ptp(margin - contribute(model, rows, approximate=False).sum(axis=1)) < 1e-3


def test_agreement_equals_scipy_row_by_row() -> None:
    model, rows = _model("binary"), _rows().iloc[:300]
    exact, fast = (contribute(model, rows, approximate) for approximate in (False, True))
    found = agreement(exact, fast)

    correlations = [
        spearmanr(np.abs(ours), np.abs(theirs)).statistic
        for ours, theirs in zip(exact, fast, strict=True)
    ]
    same = [
        np.abs(ours).argmax() == np.abs(theirs).argmax()
        for ours, theirs in zip(exact, fast, strict=True)
    ]
    assert found["rows"] == 300
    assert found["rank_agreement"] == pytest.approx(np.mean(correlations))
    assert found["same_strongest"] == pytest.approx(np.mean(same))
    assert 0.5 < found["rank_agreement"] < 1


def test_agreement_by_hand() -> None:
    exact = np.array([[3.0, -2.0, 1.0], [1.0, 2.0, -3.0]])
    assert agreement(exact, exact) == {"rows": 2, "rank_agreement": 1.0, "same_strongest": 1.0}
    # signs do not matter; in the second row the order is reversed: 1 and -1
    other = np.array([[-3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    found = agreement(exact, other)
    assert found["rank_agreement"] == pytest.approx(0)
    assert found["same_strongest"] == 0.5


def test_rows_without_contributions_agree_about_nothing() -> None:
    exact = np.array([[0.0, 0.0], [2.0, 1.0], [1.0, 1.0]])
    fast = np.array([[0.0, 0.0], [2.0, 1.0], [2.0, 1.0]])
    assert agreement(exact, fast) == {"rows": 3, "rank_agreement": 1.0, "same_strongest": 1.0}
    for nothing in (np.zeros((4, 3)), np.empty((0, 3)), np.empty((4, 0))):
        found = agreement(nothing, nothing)
        assert found == {
            "rows": len(nothing),
            "rank_agreement": None,
            "same_strongest": None,
        }
        json.dumps(found, allow_nan=False)
