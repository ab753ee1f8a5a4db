"""The space of a search: what cannot be tuned is refused by name, and the start is declared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import optuna
import pytest

from include.declare import UseCase
from include.declare_model import Range, Tuning
from include.errors import ConfigurationError
from include.training.boosting import xgb
from include.training.space import require_space, start, suggest
from include.use_cases.flight_delay.declaration import USE_CASE
from tests.model_nights import CASE

DEPTH = Range(3, 8, whole=True)


def _case(space: Mapping[str, Range], declared: Mapping[str, Any], **settings: Any) -> UseCase:
    tuning = Tuning(space=space, **settings)
    return replace(CASE, training=replace(CASE.training, parameters=declared, tuning=tuning))


def test_the_real_declaration_is_a_space_and_starts_at_what_is_declared() -> None:
    tuning = require_space(USE_CASE)
    declared = USE_CASE.training.parameters
    assert start(tuning.space, declared) == {name: declared[name] for name in tuning.space}


@pytest.mark.parametrize("name", ["quantile_alpha", "seed", "nthread", "objective", "max_depht"])
def test_a_parameter_that_cannot_be_tuned_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"has {name}, which cannot be tuned; .*max_depth"):
        require_space(_case({name: Range(1, 2)}, {}))


def test_class_weights_are_refused_with_the_reason() -> None:
    with pytest.raises(ConfigurationError, match="scale_pos_weight: weighted classes"):
        require_space(_case({"scale_pos_weight": Range(1, 5)}, {}))


@pytest.mark.parametrize(
    ("name", "range_", "words"),
    [
        ("gamma", Range(3, 2), "gamma the range 3 to 2; its low end must not lie above"),
        ("gamma", Range(0, float("inf")), "range 0 to inf"),
        ("gamma", Range(float("nan"), 1), "range nan to 1"),
        ("reg_alpha", Range(0, 2, log=True), "reg_alpha .* must begin above 0"),
        ("max_depth", Range(3, 8), "max_depth takes whole=True"),
        ("max_depth", Range(2.5, 8, whole=True), "its ends are not whole"),
    ],
)
def test_a_range_that_cannot_be_searched_is_refused(name: str, range_: Range, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        require_space(_case({name: range_}, {}))


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (9, "max_depth is 9, outside of the whole numbers from 3 to 8"),
        (2, "max_depth is 2, outside"),
        (4.5, "max_depth is 4.5, outside of the whole numbers"),
        ("deep", "max_depth is 'deep', outside"),
    ],
)
def test_a_declared_value_outside_its_range_is_refused(declared: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        require_space(_case({"max_depth": DEPTH}, {"max_depth": declared}))


def test_one_parameter_under_two_names_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"says eta and .* says learning_rate"):
        require_space(_case({"learning_rate": Range(0.01, 0.3)}, {"eta": 0.1}))


@pytest.mark.parametrize("name", ["trials", "folds", "fold_days", "max_rows"])
def test_an_empty_budget_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Tuning.{name} is 0"):
        require_space(_case({"max_depth": DEPTH}, {}, **{name: 0}))


def test_a_search_needs_a_space() -> None:
    for case in (CASE, _case({}, {})):
        with pytest.raises(ConfigurationError, match="flight_delay declares no parameters to tune"):
            require_space(case)


def test_what_is_not_declared_starts_at_xgboost_s_own_value_or_the_end_nearest_it() -> None:
    space = {"gamma": Range(0, 5), "reg_alpha": Range(0.1, 1), "subsample": Range(0.3, 0.8)}
    assert start(space, {"max_depth": 3}) == {"gamma": 0, "reg_alpha": 0.1, "subsample": 0.8}


def test_the_values_a_search_starts_at_are_those_of_xgboost() -> None:
    import json

    matrix = xgb.DMatrix([[0.0], [1.0]], label=[0.0, 1.0])
    booster = xgb.train({"objective": "binary:logistic"}, matrix, num_boost_round=1)
    trees = json.loads(booster.save_config())["learner"]["gradient_booster"]["tree_train_param"]
    own = {name: Range(0, 10, whole=name.startswith("max")) for name in start_names()}
    for name, value in start(own, {}).items():
        assert float(trees[name]) == pytest.approx(value), name


def start_names() -> list[str]:
    """Return every parameter that can be tuned, as the refusal of another lists them."""
    with pytest.raises(ConfigurationError) as refused:
        require_space(_case({"none": Range(0, 1)}, {}))
    listed = str(refused.value).split("; ")[1].removesuffix(" can be")
    return listed.split(", ")


def test_suggestions_stay_inside_and_whole_ones_are_whole() -> None:
    space = {"max_depth": DEPTH, "reg_lambda": Range(0.5, 20, log=True), "gamma": Range(1, 1)}
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=1))
    found = [suggest(study.ask(), space) for _ in range(200)]
    depths = {it["max_depth"] for it in found}
    assert depths == {3, 4, 5, 6, 7, 8} and all(isinstance(it, int) for it in depths)
    assert all(0.5 <= it["reg_lambda"] <= 20 for it in found)
    assert sum(it["reg_lambda"] < 3.2 for it in found) == pytest.approx(100, abs=30)  # log scale
    assert {it["gamma"] for it in found} == {1.0}
