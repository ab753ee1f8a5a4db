"""A model's scores: the same columns for every task, those of a regression without decisions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from include.scoring.batch import predict
from include.scoring.reasons import explain
from include.scoring.score import score
from include.training.contributions import contribute
from include.warehouse.use_cases import apply, use_case_tables
from include.workspace import Workspace
from tests.model_nights import CASE, NIGHTS, crown, fitted, prepare, wire
from tests.real_frames import KEYS
from tests.scoring.models import REGRESSION, due, read, regression


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """What is due on two nights; the index must not matter."""
    return due(NIGHTS.days[:2]).set_index(pd.Index(np.arange(500, 500 + len(due(NIGHTS.days[:2])))))


def test_a_probability_is_decided_at_the_models_threshold(rows: pd.DataFrame) -> None:
    model = fitted().model
    said = predict(CASE, model, rows)
    assert list(said.columns) == ["prediction", "decision", "threshold"]
    assert said.index.equals(rows.index)
    expected = [p >= model.facts.threshold for p in model.predict(rows)]
    assert list(said["decision"]) == expected and 0 < sum(expected) < len(expected)
    assert set(said["threshold"]) == {model.facts.threshold}


def test_a_regression_predicts_a_median_and_quantiles_and_decides_nothing(
    rows: pd.DataFrame,
) -> None:
    model = regression().model
    said = predict(REGRESSION, model, rows)
    assert said[["decision", "threshold"]].isna().all(axis=None)
    found = model.predictions(rows)
    np.testing.assert_array_equal(said["prediction"], found.values)
    np.testing.assert_array_equal(said["prediction_q10"], found.quantiles[0.1])
    np.testing.assert_array_equal(said["prediction_q90"], found.quantiles[0.9])
    assert (said["prediction_q10"] < said["prediction_q90"]).mean() > 0.9


def test_a_quantile_the_model_was_not_trained_for_is_missing(rows: pd.DataFrame) -> None:
    said = predict(REGRESSION, fitted().model, rows)
    assert said[["prediction_q10", "prediction_q90"]].isna().all(axis=None)
    assert said["prediction"].notna().all()


def test_reasons_of_a_regression_are_those_of_its_median(rows: pd.DataFrame) -> None:
    model = regression().model
    found = explain(model, rows, model.predict(rows), KEYS, exact_rows=len(rows))
    contributions = contribute(model, rows, approximate=False, output=1)
    strongest = np.abs(contributions).argmax(axis=1)
    names = [model.facts.features[place] for place in strongest]
    assert list(found["reason_1_feature"]) == names
    values = contributions[np.arange(len(rows)), strongest]
    np.testing.assert_array_equal(found["reason_1_contribution"], values)
    ways = np.where(values > 0, "raises", "lowers")
    for words, way in zip(found["reason_1"], ways, strict=True):
        assert words.endswith(f", {way} the prediction")


def test_a_regression_is_scored_into_the_warehouse(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a use case that was binary, when it is a regression, its table is wider."""
    wire(monkeypatch)
    prepare(workspace)
    apply(workspace.warehouse, REGRESSION)
    crown(workspace, regression())
    result = score(workspace, REGRESSION, NIGHTS)
    scores, model = read(workspace, use_case_tables(REGRESSION).scores), regression().model

    found = model.predictions(due(NIGHTS.days))
    assert result.rows_out == len(scores) == len(found)
    assert scores[["decision", "threshold"]].isna().all(axis=None)
    np.testing.assert_array_equal(scores["prediction"], found.values)
    np.testing.assert_array_equal(scores["prediction_q90"], found.quantiles[0.9])
    assert np.isfinite(scores[["prediction", "prediction_q10"]].to_numpy(float)).all()
    assert not score(workspace, REGRESSION, NIGHTS).changed
