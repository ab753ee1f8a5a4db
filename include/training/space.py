"""The space of a search: which parameters may be tried, and where the search starts."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import optuna

from include.declare import UseCase
from include.declare_model import Range, Tuning
from include.errors import ConfigurationError
from include.training.parameters import require_declarable

_DEFAULTS: Mapping[str, float] = {
    "colsample_bylevel": 1,
    "colsample_bynode": 1,
    "colsample_bytree": 1,
    "gamma": 0,
    "learning_rate": 0.3,
    "max_delta_step": 0,
    "max_depth": 6,
    "max_leaves": 0,
    "min_child_weight": 1,
    "reg_alpha": 0,
    "reg_lambda": 1,
    "subsample": 1,
}
"""What may be tuned → XGBoost's own value. What a model means (objective, quantiles) and what
makes it reproducible (seed, threads) is not among it."""

_OTHER_NAMES = {
    "gamma": "min_split_loss",
    "learning_rate": "eta",
    "reg_alpha": "alpha",
    "reg_lambda": "lambda",
}
_WHOLE = ("max_depth", "max_leaves")


def require_space(use_case: UseCase) -> Tuning:
    """Return the declared search.

    Raises:
        ConfigurationError: there is none, a parameter of it cannot be tuned, a range is empty
            or impossible, or the declared value lies outside of it.
    """
    tuning, declared = use_case.training.tuning, use_case.training.parameters
    if tuning is None or not tuning.space:
        raise ConfigurationError(
            f"{use_case.name} declares no parameters to tune; give Training.tuning a space"
        )
    for name in ("trials", "folds", "fold_days", "max_rows"):
        if getattr(tuning, name) < 1:
            raise ConfigurationError(f"Tuning.{name} is {getattr(tuning, name)}; it is 1 or more")
    require_declarable(tuning.space)
    for name, range_ in tuning.space.items():
        _require_range(name, range_)
        _require_inside(name, range_, declared)
    return tuning


def suggest(trial: optuna.Trial, space: Mapping[str, Range]) -> dict[str, float]:
    """Return the values a trial tries."""
    return {
        name: (
            trial.suggest_int(name, int(range_.low), int(range_.high), log=range_.log)
            if range_.whole
            else trial.suggest_float(name, range_.low, range_.high, log=range_.log)
        )
        for name, range_ in space.items()
    }


def start(space: Mapping[str, Range], declared: Mapping[str, Any]) -> dict[str, float]:
    """Return the declared values; of what is not declared XGBoost's own, or the end nearest it."""
    return {
        name: declared.get(name, min(max(_DEFAULTS[name], range_.low), range_.high))
        for name, range_ in space.items()
    }


def _require_range(name: str, range_: Range) -> None:
    if name not in _DEFAULTS:
        raise ConfigurationError(
            f"Tuning.space has {name}, which cannot be tuned; {', '.join(_DEFAULTS)} can be"
        )
    where, ends = f"Tuning.space gives {name} the range", (range_.low, range_.high)
    told = f"{range_.low:g} to {range_.high:g}"
    if not all(map(isfinite, ends)) or range_.low > range_.high:
        raise ConfigurationError(f"{where} {told}; its low end must not lie above its high end")
    if range_.log and range_.low <= 0:
        raise ConfigurationError(f"{where} {told} on a logarithmic scale; it must begin above 0")
    if name in _WHOLE and not range_.whole:
        raise ConfigurationError(f"{where} {told}; {name} takes whole=True, as it is a count")
    if range_.whole and any(end != int(end) for end in ends):
        raise ConfigurationError(f"{where} {told} of whole numbers; its ends are not whole")


def _require_inside(name: str, range_: Range, declared: Mapping[str, Any]) -> None:
    other = _OTHER_NAMES.get(name)
    if other in declared:
        raise ConfigurationError(
            f"Training.parameters says {other} and Tuning.space says {name}, which is the same; "
            f"call it {name} in both"
        )
    value = declared.get(name, range_.low)
    number = isinstance(value, int | float) and range_.low <= value <= range_.high
    if not number or (range_.whole and value != int(value)):
        kind = "whole numbers" if range_.whole else "numbers"
        raise ConfigurationError(
            f"Training.parameters says {name} is {value!r}, outside of the {kind} from "
            f"{range_.low:g} to {range_.high:g} that Tuning.space lets be tried; the search "
            "starts at what is declared. Widen the range or declare another value"
        )
