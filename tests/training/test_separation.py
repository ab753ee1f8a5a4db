"""Separation: the AUC of cross-fitted bins, equal to a slow count by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from include.training import separation
from include.training.frame import TrainingFrame
from include.training.separation import (
    Pair,
    category_bins,
    number_bins,
    separate_alone,
    separate_pairs,
    target_of,
)
from tests.model_nights import training_frame
from tests.real_frames import LABEL

DATA = training_frame()
TARGET = target_of(DATA, "binary")
DRAWN = np.random.default_rng(7)


def planted(**columns: Any) -> TrainingFrame:
    """The sample with only these features."""
    return replace(DATA, frame=DATA.frame.assign(**columns), features=tuple(columns))


def by_hand(values: list[Any]) -> float:
    """The AUC of a column whose distinct values are its bins, row by row."""
    place = {day: n for n, day in enumerate(sorted(set(DATA.frame["target_date"])))}
    fold = [place[day] % 2 for day in DATA.frame["target_date"]]
    label = DATA.frame[LABEL].tolist()
    found = []
    for scored in (0, 1):
        other = [n for n, it in enumerate(fold) if it != scored]
        rate = float(np.mean([label[n] for n in other]))
        seen: dict[Any, list[float]] = {}
        for n in other:
            seen.setdefault(values[n], []).append(label[n])
        mine = [n for n, it in enumerate(fold) if it == scored]
        scores = [float(np.mean(seen[values[n]])) if values[n] in seen else rate for n in mine]
        found.append(roc_auc_score([label[n] for n in mine], scores))
    return float(np.mean(found))


def strongest(data: TrainingFrame) -> Pair:
    return max(separate_pairs(data, TARGET, data.features, seed=1), key=lambda pair: pair.auc)


def test_categories_are_counted_as_by_hand() -> None:
    found = separate_alone(DATA, TARGET)
    for name in DATA.categorical:
        assert found[name] == pytest.approx(by_hand(DATA.frame[name].tolist()), abs=1e-12), name


def test_numbers_are_counted_as_by_hand() -> None:
    found = separate_alone(DATA, TARGET)
    for name in ("departure_minute", "origin_weather__visib", "plane__seats"):
        bins = number_bins(DATA.frame[name].to_numpy(dtype=float))
        assert found[name] == pytest.approx(by_hand(bins.tolist()), abs=1e-12), name


def test_real_flights_have_no_strong_feature_and_no_strong_pair() -> None:
    assert 0.5 < max(separate_alone(DATA, TARGET).values()) < 0.7
    numeric = [name for name in DATA.features if name not in DATA.categorical]
    pairs = list(separate_pairs(DATA, TARGET, numeric, seed=1))
    assert 0.5 < max(pair.auc for pair in pairs) < 0.7
    varying = [name for name in numeric if DATA.frame[name].nunique() > 1]
    assert len(pairs) == len(varying) * (len(varying) - 1)


def test_noise_tells_nothing_even_with_many_values() -> None:
    rows = len(DATA.frame)
    data = planted(noise=DRAWN.normal(size=rows), tags=[f"{n}" for n in range(rows)])
    found = separate_alone(replace(data, categorical=("tags",)), TARGET)
    assert found["noise"] == pytest.approx(0.5, abs=0.03)
    assert found["tags"] == 0.5, "a value never seen on other days tells nothing"


@pytest.mark.parametrize(
    "leak",
    [
        DATA.frame[LABEL],
        -DATA.frame[LABEL],
        DATA.frame[LABEL].where(DATA.frame[LABEL] == 1),  # missing unless late
        (DATA.frame[LABEL] - 0.5).abs() + DATA.frame[LABEL] * 1e-9,  # a tiny difference
        DATA.frame[LABEL] * DRAWN.uniform(1, 2, len(DATA.frame)),  # many zeros and a range
        np.where(DATA.frame[LABEL] == 1, 0, DRAWN.choice([-1.0, 1.0], len(DATA.frame))),
    ],
)
def test_a_feature_that_is_the_target_in_some_form_separates(leak: Any) -> None:
    assert separate_alone(planted(leak=leak), TARGET)["leak"] > 0.999


def test_a_rare_flag_is_not_lost_in_a_bin() -> None:
    rare = TARGET.high & (np.arange(len(TARGET.high)) % 97 == 0)
    target = replace(TARGET, high=rare)
    for flag in (rare.astype(float), 1.0 - rare, rare * DRAWN.uniform(1, 2, len(rare))):
        assert rare.mean() < 0.01 and separate_alone(planted(flag=flag), target)["flag"] > 0.99


@pytest.mark.parametrize("sign", ["+", "−"])
def test_a_pair_that_gives_the_target_is_found_though_neither_does(sign: str) -> None:
    delay = np.where(TARGET.high, 20.0, -20.0) + DRAWN.uniform(-19, 19, len(TARGET.high))
    a = DRAWN.normal(0, 5000, len(delay))
    data = planted(a=a, b=delay - a if sign == "+" else a - delay, c=DRAWN.normal(size=len(a)))
    assert max(separate_alone(data, TARGET).values()) < 0.6
    found = strongest(data)
    assert (found.left, found.sign, found.right) == ("a", sign, "b")
    assert found.auc > 0.99


def test_constant_and_missing_columns_are_left_out_of_pairs() -> None:
    rows = len(DATA.frame)
    some = np.where(TARGET.high, 1.0, np.nan)
    data = planted(one=np.ones(rows), none=np.full(rows, np.nan), two=[1.0, 2.0] * (rows // 2))
    assert not list(separate_pairs(data, TARGET, data.features, seed=1))
    data = planted(some=some * DRAWN.uniform(1, 2, rows), two=[1.0, 2.0] * (rows // 2))
    assert strongest(data).auc > 0.99, "missing in one is missing in the sum"


def test_pairs_see_at_most_the_rows_of_the_sample_and_both_folds() -> None:
    chosen = separation._sample(replace_rows(4), seed=1)
    assert len(chosen) <= separation.PAIR_ROWS < 4 * len(DATA.frame)
    assert set(replace_rows(4).cells[chosen]) == {0, 1, 2, 3}
    assert np.array_equal(chosen, separation._sample(replace_rows(4), seed=1))
    assert not np.array_equal(chosen, separation._sample(replace_rows(4), seed=2))


def replace_rows(times: int) -> separation.Target:
    return TARGET.rows(np.tile(np.arange(len(TARGET.high)), times))


def test_a_regression_tells_above_from_below_the_median() -> None:
    delay = DRAWN.exponential(30, len(DATA.frame))
    target = target_of(planted(**{LABEL: delay}), "regression")
    assert target.high.mean() == pytest.approx(0.5, abs=0.001)
    assert separate_alone(planted(delay=np.sqrt(delay)), target)["delay"] > 0.97
    most = np.where(delay > 60, 0.0, 60.0)  # the median is the highest value
    assert target_of(planted(**{LABEL: most}), "regression").high.sum() == (most == 60).sum()


def test_one_class_or_one_day_tells_nothing() -> None:
    nobody = replace(TARGET, high=np.zeros_like(TARGET.high))
    assert separation.auc_of_bins(number_bins(TARGET.high.astype(float)), nobody) == 0.5
    assert not list(separate_pairs(planted(a=TARGET.high), nobody, ("a",), seed=1))
    one_day = replace(TARGET, odd=np.zeros_like(TARGET.odd))
    assert separation.auc_of_bins(number_bins(TARGET.high.astype(float)), one_day) == 0.5


def test_infinite_and_missing_values_have_bins() -> None:
    bins = number_bins(np.array([np.nan, -np.inf, 0.0, 1.0, np.inf]))
    assert bins[0] == 0 and (np.diff(bins) > 0).all()
    assert number_bins(np.array([np.nan, np.nan])).tolist() == [0, 0]
    assert category_bins(pd.Series(["a", None, "b", "a"])).tolist() == [1, 0, 2, 1]
