"""XGBoost's parameters: those engineers declare, and those that follow from the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.declare_model import Training
from include.errors import ConfigurationError
from include.training.boosting import THREADS

MEDIAN = 0.5

_ELSEWHERE = {
    "scale_pos_weight": (
        "weighted classes make probabilities wrong; declare what wrong decisions cost in "
        "UseCase.costs, and the threshold follows from that"
    ),
    "n_estimators": "declare Training.rounds",
    "num_boost_round": "declare Training.rounds",
    "early_stopping_rounds": "declare Training.early_stopping_rounds",
    "random_state": "declare Training.seed",
    "n_jobs": f"{THREADS} threads are used everywhere",
}
"""What XGBoost or its scikit-learn face would take and a declaration may not give."""


def complete(training: Training, task: str) -> dict[str, Any]:
    """Return all parameters of a booster: as declared, and what follows from the task.

    Raises:
        ConfigurationError: the declaration contradicts what follows from the task, or gives
            what is declared elsewhere.
    """
    settled = {
        **_settled(task, training.quantiles),
        "tree_method": "hist",
        "seed": training.seed,
        "nthread": THREADS,
        "verbosity": 0,
    }
    require_declarable(training.parameters)
    for name, value in settled.items():
        declared = training.parameters.get(name, value)
        if declared != value:
            raise ConfigurationError(
                f"Training.parameters says {name} is {declared!r}, but a {task} model is fitted "
                f"with {value!r}: it follows from task, quantiles and seed. Remove {name}"
            )
    return {**training.parameters, **settled}


def require_declarable(parameters: Mapping[str, Any]) -> None:
    """Raise `ConfigurationError` naming a parameter that is declared elsewhere or not at all."""
    for name, instead in _ELSEWHERE.items():
        if name in parameters:
            raise ConfigurationError(f"Training.parameters may not give {name}: {instead}")


def levels(quantiles: tuple[float, ...]) -> tuple[float, ...]:
    """Return the quantiles a booster predicts, in the order of its outputs.

    The median is always among them: it is the point prediction. None are without quantiles.
    """
    return tuple(sorted({*quantiles, MEDIAN})) if quantiles else ()


def _settled(task: str, quantiles: tuple[float, ...]) -> dict[str, Any]:
    """Return the objective of a task and the metric that ends boosting early."""
    outside = [q for q in quantiles if not 0 < q < 1]
    if outside:
        raise ConfigurationError(
            f"Training.quantiles holds {outside[0]}; quantiles lie between 0 and 1, such as 0.9"
        )
    if task == "binary" and not quantiles:
        return {"objective": "binary:logistic", "eval_metric": "logloss"}
    if task == "binary":
        raise ConfigurationError(
            "Training.quantiles is declared for a binary task, which predicts a probability; "
            "remove it, or declare task='regression'"
        )
    if task != "regression":
        raise ConfigurationError(f"the task {task!r} is unknown; it is 'binary' or 'regression'")
    if quantiles:
        alpha = list(levels(quantiles))
        return {
            "objective": "reg:quantileerror",
            "eval_metric": "quantile",
            "quantile_alpha": alpha,
        }
    return {"objective": "reg:squarederror", "eval_metric": "rmse"}
