"""Fits XGBoost; the same rows and declaration give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from include.declare import Training
from include.errors import DataError
from include.training.boosting import THREADS, xgb
from include.training.encoding import Categories, Floats, dmatrix, list_categories

_ALWAYS = {"objective": "binary:logistic", "tree_method": "hist", "verbosity": 0}


@dataclass(frozen=True)
class Fitted:
    """A booster and the category lists its codes refer to.

    Attributes:
        booster: cut back to the best round.
        rounds: boosting rounds kept.
    """

    booster: xgb.Booster
    features: tuple[str, ...]
    categories: Categories
    rounds: int

    def predict(self, frame: pd.DataFrame) -> Floats:
        """Return the probability of each row, float64 of XGBoost's single precision."""
        return predict(self.booster, frame, self.features, self.categories)


def fit(
    train: pd.DataFrame,
    validation: pd.DataFrame,
    *,
    features: Sequence[str],
    categorical: Sequence[str],
    label: str,
    training: Training,
) -> Fitted:
    """Grow trees on `train` until `validation` stops improving.

    Rows must come in a fixed order: another order gives other bytes. The column sampling is
    seeded; nothing else is random.

    Raises:
        DataError: a part holds one class only, or every feature is missing.
    """
    for name, part in (("training", train), ("validation", validation)):
        _require_both_classes(part, label, name)
    _require_values(train, features)
    chosen = [name for name in categorical if name in features]
    categories = list_categories(train, chosen)
    rows = dmatrix(train, features, categories, labels_of(train, label))
    held_out = dmatrix(validation, features, categories, labels_of(validation, label))
    booster = xgb.train(
        _parameters(training),
        rows,
        num_boost_round=training.rounds,
        evals=[(held_out, "validation")],
        early_stopping_rounds=training.early_stopping_rounds,
        verbose_eval=False,
    )
    best = booster[: booster.best_iteration + 1]
    best.set_attr(best_iteration=None, best_score=None)
    return Fitted(best, tuple(features), categories, best.num_boosted_rounds())


def _parameters(training: Training) -> dict[str, object]:
    """Return XGBoost's parameters: as declared, except what this project relies on."""
    fixed = {**_ALWAYS, "seed": training.seed, "nthread": THREADS}
    return {"eval_metric": "logloss", **training.parameters, **fixed}


def predict(
    booster: xgb.Booster, frame: pd.DataFrame, features: Sequence[str], categories: Categories
) -> Floats:
    """Return predictions of a frame; a row's does not depend on the rows beside it."""
    if frame.empty:
        return np.empty(0, dtype=np.float64)
    found = booster.predict(dmatrix(frame, features, categories))
    return np.asarray(found, dtype=np.float64)


def labels_of(frame: pd.DataFrame, label: str) -> Floats:
    """Return the label column as float64."""
    return frame[label].to_numpy(dtype=np.float64)


def _require_both_classes(frame: pd.DataFrame, label: str, part: str) -> None:
    found = sorted(frame[label].dropna().unique())
    if len(found) != 2:
        raise DataError(
            f"the {part} rows hold {len(found)} class(es) of {label} in {len(frame)} rows "
            f"({found or 'none'}); a binary model needs both. Check the label SQL and the window"
        )


def _require_values(frame: pd.DataFrame, features: Sequence[str]) -> None:
    empty = [name for name in features if name in frame and frame[name].isna().all()]
    if empty and len(empty) == len(features):
        raise DataError(
            "every feature is missing in every training row; build the features of the days "
            "before, and check that the feature service names the right views"
        )
