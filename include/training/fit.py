"""Fits XGBoost; the same rows and declaration give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from include.declare_model import Training
from include.errors import ConfigurationError, DataError
from include.training.boosting import xgb
from include.training.encoding import Categories, Floats, dmatrix, list_categories
from include.training.evaluation.predictions import Predictions
from include.training.parameters import MEDIAN, complete, levels


@dataclass(frozen=True)
class Fitted:
    """A booster and the category lists its codes refer to.

    Attributes:
        booster: cut back to the best round.
        rounds: boosting rounds kept.
        quantiles: those predicted beside the point, as declared, ascending; a regression's.
    """

    booster: xgb.Booster
    features: tuple[str, ...]
    categories: Categories
    rounds: int
    quantiles: tuple[float, ...] = ()

    def predict(self, frame: pd.DataFrame) -> Floats:
        """Return the probability or point of each row, float64 of XGBoost's single precision."""
        return self.predictions(frame).values

    def predictions(self, frame: pd.DataFrame, threshold: float | None = None) -> Predictions:
        """Return the probability, or the point and its quantiles, of each row."""
        return predict(
            self.booster, frame, self.features, self.categories, self.quantiles, threshold
        )


@dataclass(frozen=True)
class Matrices:
    """Rows to grow trees on and rows to stop by, as XGBoost reads them; may be used often."""

    train: xgb.DMatrix
    validation: xgb.DMatrix
    categories: Categories


def fit(
    train: pd.DataFrame,
    validation: pd.DataFrame,
    *,
    features: Sequence[str],
    categorical: Sequence[str],
    label: str,
    training: Training,
    task: str = "binary",
) -> Fitted:
    """Grow trees on `train` until `validation` stops improving.

    Rows must come in a fixed order: another order gives other bytes. The sampling of rows and
    columns is seeded; nothing else is random. A regression predicts the mean, or, where
    quantiles are declared, the median and these, all from one booster.

    Raises:
        DataError: labels are missing or infinite, a part holds one class or value only, or
            every feature is missing.
        ConfigurationError: a parameter is declared that is not the declaration's to choose.
    """
    parameters = complete(training, task)
    matrices = prepare(
        {"training": train, "validation": validation}, features, categorical, label, task
    )
    best = boost(matrices, parameters, training)
    return Fitted(
        best,
        tuple(features),
        matrices.categories,
        best.num_boosted_rounds(),
        tuple(sorted(set(training.quantiles))),
    )


def refit(
    rows: pd.DataFrame,
    *,
    features: Sequence[str],
    categorical: Sequence[str],
    label: str,
    training: Training,
    task: str,
    rounds: int,
) -> Fitted:
    """Grow `rounds` rounds of trees on all rows; nothing is held out to stop by.

    Raises what `fit` raises.
    """
    parameters = complete(training, task)
    _require_labels(rows, label, "training", task)
    _require_values(rows, features)
    categories = _categories(rows, features, categorical)
    matrix = dmatrix(rows, features, categories, labels_of(rows, label))
    booster = _train(parameters, matrix, rounds)
    quantiles = tuple(sorted(set(training.quantiles)))
    return Fitted(booster, tuple(features), categories, rounds, quantiles)


def prepare(
    parts: Mapping[str, pd.DataFrame],
    features: Sequence[str],
    categorical: Sequence[str],
    label: str,
    task: str,
) -> Matrices:
    """Return the matrices of a training and a validation part, in that order.

    Args:
        parts: what a part is called in messages → its rows.

    Raises:
        DataError: as in `fit`.
    """
    for name, part in parts.items():
        _require_labels(part, label, name, task)
    train, validation = parts.values()
    _require_values(train, features)
    categories = _categories(train, features, categorical)
    return Matrices(
        dmatrix(train, features, categories, labels_of(train, label)),
        dmatrix(validation, features, categories, labels_of(validation, label)),
        categories,
    )


def boost(matrices: Matrices, parameters: Mapping[str, Any], training: Training) -> xgb.Booster:
    """Return the booster of the round with the lowest loss on the validation rows."""
    booster = _train(
        parameters,
        matrices.train,
        training.rounds,
        evals=[(matrices.validation, "validation")],
        early_stopping_rounds=training.early_stopping_rounds,
        verbose_eval=False,
    )
    best = booster[: booster.best_iteration + 1]
    best.set_attr(best_iteration=None, best_score=None)
    return best


def _train(
    parameters: Mapping[str, Any], rows: xgb.DMatrix, rounds: int, **stopping: Any
) -> xgb.Booster:
    try:
        return xgb.train(dict(parameters), rows, num_boost_round=rounds, **stopping)
    except xgb.core.XGBoostError as error:  # labels and features have been checked before
        told = str(error).split("Stack trace:")[0].strip()
        raise ConfigurationError(
            f"XGBoost refuses the parameters {dict(parameters)}: {told}. Correct "
            "Training.parameters, or the range in Tuning.space"
        ) from error


def predict(
    booster: xgb.Booster,
    frame: pd.DataFrame,
    features: Sequence[str],
    categories: Categories,
    quantiles: tuple[float, ...] = (),
    threshold: float | None = None,
) -> Predictions:
    """Return predictions of a frame; a row's does not depend on the rows beside it."""
    if frame.empty:
        outputs = np.empty((0, max(1, len(levels(quantiles)))), dtype=np.float64)
    else:
        found = booster.predict(dmatrix(frame, features, categories))
        outputs = np.asarray(found, dtype=np.float64)
    return arrange(outputs, quantiles, threshold)


def arrange(
    outputs: Floats, quantiles: tuple[float, ...], threshold: float | None = None
) -> Predictions:
    """Return a booster's outputs, rows × `levels(quantiles)`, as predictions.

    The median is the output as it is, so that contributions add up to it. Each output is
    fitted alone, so they may cross: those below the median are kept at or below it and
    sorted, those above it likewise.
    """
    if not quantiles:
        return Predictions(outputs.reshape(-1), threshold)
    predicted = levels(quantiles)
    outputs, middle = outputs.reshape(-1, len(predicted)), predicted.index(MEDIAN)
    median = outputs[:, [middle]]
    lower = np.sort(np.minimum(outputs[:, :middle], median), axis=1)
    upper = np.sort(np.maximum(outputs[:, middle + 1 :], median), axis=1)
    ordered = np.concatenate([lower, median, upper], axis=1)
    columns = dict(zip(predicted, np.ascontiguousarray(ordered.T), strict=True))
    return Predictions(columns[MEDIAN], threshold, {q: columns[q] for q in sorted(quantiles)})


def labels_of(frame: pd.DataFrame, label: str) -> Floats:
    """Return the label column as float64, NaN where missing."""
    return frame[label].to_numpy(dtype=np.float64, na_value=np.nan)


def _categories(
    frame: pd.DataFrame, features: Sequence[str], categorical: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    return list_categories(frame, [name for name in categorical if name in features])


def _require_labels(frame: pd.DataFrame, label: str, part: str, task: str) -> None:
    labels = labels_of(frame, label)
    unusable = int((~np.isfinite(labels)).sum())
    if unusable:
        raise DataError(
            f"{label} is missing or infinite in {unusable} of {len(frame)} {part} rows; rows "
            "without a label must be left out. Check the label SQL"
        )
    found = np.unique(labels)
    if task == "binary" and not np.isin(found, (0, 1)).all():
        raise DataError(
            f"{label} is {found[~np.isin(found, (0, 1))][0]:g} in the {part} rows; a binary "
            "model needs 0 and 1. Check the label SQL, or declare task='regression'"
        )
    if len(found) < 2:
        kind, need = ("class(es)", "both") if task == "binary" else ("value(s)", "at least two")
        raise DataError(
            f"the {part} rows hold {len(found)} {kind} of {label} in {len(frame)} rows "
            f"({found.tolist() or 'none'}); a {task} model needs {need}. Check the label SQL "
            "and the window"
        )


def _require_values(frame: pd.DataFrame, features: Sequence[str]) -> None:
    empty = [name for name in features if name in frame and frame[name].isna().all()]
    if empty and len(empty) == len(features):
        raise DataError(
            "every feature is missing in every training row; build the features of the days "
            "before, and check that the feature service names the right views"
        )
