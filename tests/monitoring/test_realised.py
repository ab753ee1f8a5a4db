"""The figures of one target date: what is measured, on which rows, and how sure it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from include.declare import UseCase
from include.declare_model import Slice
from include.monitoring.matured import Origin
from include.monitoring.realised import ALL, LEAST_ROWS, Figure, figures
from include.training.constant import Constant
from tests.model_nights import CASE

TARGET = date(2013, 4, 22)
ORIGINS = {"1": Origin(Constant(0.25), learnt_through=TARGET - timedelta(days=1))}


def scored(count: int = 900, seed: int = 1, **columns: object) -> pd.DataFrame:
    """Return scores about one date, nearly all of them with an outcome."""
    random = np.random.default_rng(seed)
    labels = (random.random(count) < 0.2).astype(float)
    rows = pd.DataFrame(
        {
            "target_date": TARGET,
            "data_day": TARGET - timedelta(days=1),
            "model_version": "1",
            "prediction": np.clip(0.2 + 0.05 * labels + random.normal(0, 0.1, count), 0.01, 0.99),
            "threshold": 0.25,
            "origin": random.choice(["EWR", "JFK", "LGA"], count),
            "label": np.where(random.random(count) < 0.02, np.nan, labels),
            "newest": True,
        }
    )
    return rows.assign(**columns)


def told(rows: pd.DataFrame, use_case: UseCase = CASE) -> dict[tuple[str, str, str], Figure]:
    found = list(figures(use_case, rows, ORIGINS))
    by_name = {(it.model_version, it.slice, it.metric): it for it in found}
    assert len(by_name) == len(found), "the table is keyed by them"
    return by_name


def test_the_interval_is_that_of_resampled_rows() -> None:
    rows = scored()
    known = rows[rows["label"].notna()].reset_index(drop=True)
    random = np.random.default_rng(3)
    drawn = []
    for _ in range(400):
        sample = known.iloc[random.integers(0, len(known), len(known))]
        drawn.append(roc_auc_score(sample["label"], sample["prediction"]))
    low, high = np.quantile(drawn, [0.025, 0.975])

    found = told(rows)["1", ALL, "auc"]

    assert found.value == pytest.approx(roc_auc_score(known["label"], known["prediction"]))
    assert found.lower < found.value < found.upper
    assert 0.8 < (found.upper - found.lower) / (high - low) < 1.25


def test_fewer_rows_are_less_sure() -> None:
    few, many = (told(scored(count))["1", ALL, "brier"] for count in (200, 3200))
    assert (few.upper - few.lower) / (many.upper - many.lower) > 2.5


def test_the_order_of_other_dates_changes_nothing() -> None:
    other = scored(700, seed=2, target_date=TARGET + timedelta(days=1))
    alone = list(figures(CASE, scored(), ORIGINS))
    together = figures(CASE, pd.concat([other, scored()]), ORIGINS)
    assert [it for it in together if it.target_date == TARGET] == alone


@pytest.mark.parametrize(
    ("labels", "undefined"),
    [
        (np.zeros(400), {"auc", "recall"}),
        (np.full(400, np.nan), None),
        (np.where(np.arange(400) < LEAST_ROWS - 1, 1.0, np.nan), None),
    ],
    ids=["one class", "no outcome", "too few outcomes"],
)
def test_what_is_undefined_is_empty_and_nothing_fails(
    labels: np.ndarray, undefined: set[str] | None
) -> None:
    found = told(scored(400, label=labels))
    whole = {metric: it for (_, slice, metric), it in found.items() if slice == ALL}
    empty = {metric for metric, it in whole.items() if it.value is None}
    assert empty == (set(whole) if undefined is None else undefined)
    assert all(
        (it.lower is None) == (it.upper is None) == (it.value is None) for it in whole.values()
    )
    assert whole["auc"].n == np.isfinite(labels).sum()
    assert whole["auc"].label_coverage == np.isfinite(labels).mean()


def test_nothing_decided_has_no_precision_and_costs_what_never_acting_does() -> None:
    found = told(scored(prediction=0.1))
    assert found["1", ALL, "precision"].value is None
    assert found["1", ALL, "cost"].value == found["1", ALL, "cost_never"].value > 0
    assert found["1", ALL, "cost_always"].value > found["1", ALL, "cost"].value


def test_two_models_of_one_date_are_measured_apart() -> None:
    first, second = scored(), scored(seed=2, model_version="2")
    found = told(pd.concat([first, second]))
    for rows, version in ((first, "1"), (second, "2")):
        known = rows[rows["label"].notna()]
        expected = brier_score_loss(known["label"], known["prediction"])
        assert found[version, ALL, "brier"].value == pytest.approx(expected)
    assert ("1", ALL, "brier_constant_rate") in found
    assert ("2", ALL, "brier_constant_rate") not in found, "nothing is known of its labels"
    assert found["1", ALL, "auc"].out_of_time is True
    assert found["2", ALL, "auc"].out_of_time is None


def test_of_several_horizons_the_newest_counts_and_each_is_told() -> None:
    two_days = replace(CASE, horizons=(1, 2))
    newest, older = scored(), scored(seed=2, newest=False, data_day=TARGET - timedelta(days=2))
    found = told(pd.concat([older, newest]), two_days)
    assert found["1", ALL, "auc"].value == found["1", "horizon=1", "auc"].value
    assert found["1", "horizon=2", "auc"].value != found["1", "horizon=1", "auc"].value
    assert found["1", ALL, "auc"].n == newest["label"].notna().sum()


def test_groups_without_a_value_and_columns_the_scores_lack() -> None:
    slices = (Slice("origin"), Slice("tail_number"))
    use_case = replace(CASE, gate=replace(CASE.gate, slices=slices))
    rows = scored()
    rows.loc[rows["origin"] == "LGA", "origin"] = None
    found = told(rows, use_case)
    names = {slice for _, slice, _ in found}
    assert names == {ALL, "origin=EWR", "origin=JFK", "origin=missing"}
    sizes = [found["1", name, "auc"].n for name in names - {ALL}]
    assert sum(sizes) == found["1", ALL, "auc"].n
