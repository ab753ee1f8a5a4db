"""Parameters: what a declaration may say, and what follows from the task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.errors import ConfigurationError
from include.training.parameters import complete, levels
from tests.model_nights import CASE


@pytest.mark.parametrize(
    ("task", "quantiles", "objective"),
    [
        ("binary", (), "binary:logistic"),
        ("regression", (), "reg:squarederror"),
        ("regression", (0.9, 0.1), "reg:quantileerror"),
    ],
)
def test_the_objective_follows_from_task_and_quantiles(
    task: str, quantiles: tuple[float, ...], objective: str
) -> None:
    declared = replace(CASE.training, parameters={"max_depth": 3}, quantiles=quantiles, seed=7)
    found = complete(declared, task)
    assert found["objective"] == objective
    assert found.get("quantile_alpha") == ([0.1, 0.5, 0.9] if quantiles else None)
    assert (found["max_depth"], found["seed"], found["nthread"]) == (3, 7, 2)


def test_a_declaration_may_repeat_what_follows_from_the_task() -> None:
    declared = CASE.training.parameters
    assert {"objective", "eval_metric", "tree_method"} <= set(declared)
    assert dict(declared).items() <= complete(CASE.training, "binary").items()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"objective": "binary:hinge"}, "objective is 'binary:hinge', but a binary model"),
        ({"eval_metric": "auc"}, "eval_metric is 'auc'.* fitted with 'logloss'"),
        ({"tree_method": "exact"}, "tree_method is 'exact'"),
        ({"seed": 1}, "seed is 1"),
        ({"nthread": 64}, "nthread is 64"),
        ({"scale_pos_weight": 3}, "may not give scale_pos_weight: .*declare what wrong decis"),
        ({"n_estimators": 100}, "may not give n_estimators: declare Training.rounds"),
        ({"random_state": 1}, "random_state: declare Training.seed"),
    ],
)
def test_what_is_not_the_declaration_s_to_choose_is_refused(
    parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        complete(replace(CASE.training, parameters=parameters), "binary")


@pytest.mark.parametrize(
    ("task", "quantiles", "words"),
    [
        ("binary", (0.9,), "quantiles is declared for a binary task"),
        ("regression", (0.1, 1.0), "quantiles holds 1.0; quantiles lie between 0 and 1"),
        ("ranking", (), "the task 'ranking' is unknown"),
    ],
)
def test_quantiles_and_task_must_fit(task: str, quantiles: tuple[float, ...], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        complete(replace(CASE.training, parameters={}, quantiles=quantiles), task)


def test_the_median_is_always_among_the_outputs_once() -> None:
    assert levels(()) == ()
    assert levels((0.9, 0.1)) == (0.1, 0.5, 0.9)
    assert levels((0.9, 0.5, 0.9)) == (0.5, 0.9)
