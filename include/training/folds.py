"""Forward-chaining folds: each trains on what lies before it, as service would.

The newest validation window ends with the training span. A gap as long as labels take to
mature lies before each, so that a fold knows no label that was not known on its first day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from include.declare import UseCase
from include.declare_model import Training, Tuning
from include.errors import DataError
from include.training.encoding import Floats
from include.training.evaluation.predictions import Predictions
from include.training.fit import Matrices, arrange, boost, labels_of, prepare
from include.training.frame import TrainingFrame
from include.training.parameters import MEDIAN
from include.training.split import within
from include.window import Window


@dataclass(frozen=True)
class Fold:
    """One fold as matrices, built once for all trials, and the labels it validates on."""

    matrices: Matrices
    labels: Floats

    def loss(self, parameters: Mapping[str, Any], training: Training) -> float:
        """Fit with parameters as XGBoost takes them and return the loss on later rows.

        Boosting stops by the same rows: that flatters all parameters alike, so it serves to
        choose between them, and is too good to be quoted.
        """
        booster = boost(self.matrices, parameters, training)
        outputs = np.asarray(booster.predict(self.matrices.validation), dtype=np.float64)
        predictions = arrange(outputs, training.quantiles)
        if parameters["objective"] == "binary:logistic":
            return log_loss(self.labels, predictions.values)
        return mean_error(self.labels, predictions)


def chain(use_case: UseCase, tuning: Tuning, data: TrainingFrame, span: Window) -> list[Fold]:
    """Return the folds of a span, oldest first; raises `DataError` where one cannot be judged."""
    folds = []
    for number, (earlier, later) in enumerate(windows(use_case, tuning, span), start=1):
        train = _rows(data, earlier).iloc[-tuning.max_rows :]
        validation = _rows(data, later)
        parts = {f"fold {number} training": train, f"fold {number} validation": validation}
        matrices = prepare(parts, data.features, data.categorical, data.label, use_case.task)
        folds.append(Fold(matrices, labels_of(validation, data.label)))
    return folds


def windows(use_case: UseCase, tuning: Tuning, span: Window) -> list[tuple[Window, Window]]:
    """Return the target dates each fold trains and validates on, oldest fold first.

    Raises:
        DataError: the oldest fold would train on fewer days than it validates on.
    """
    gap, length = use_case.label.mature_after, tuning.fold_days
    needed = tuning.folds * length + gap + length
    if len(span) < needed:
        raise DataError(
            f"{use_case.name}: labels from {span.start} to {span.end} are too few days to tune "
            f"on; {needed} target dates are needed ({tuning.folds} folds of {length} to "
            "validate, a gap, and as many as one to train). Backfill earlier days first, or "
            "declare fewer or shorter folds"
        )
    found = []
    for later in range(tuning.folds - 1, -1, -1):
        last = span.end - timedelta(days=later * length)
        first = last - timedelta(days=length - 1)
        before = Window(span.start, first - timedelta(days=gap + 1))
        found.append((before, Window(first, last)))
    return found


def loss_name(use_case: UseCase) -> str:
    """Return what the loss of the use case's folds is called."""
    if use_case.task == "binary":
        return "log loss"
    return "pinball loss" if use_case.training.quantiles else "absolute error"


def log_loss(labels: Floats, probabilities: Floats) -> float:
    """Return the mean negative logarithm of the probability given to what happened."""
    tiny = np.finfo(np.float64).eps  # single precision reaches 0 and 1
    given = np.clip(np.where(labels == 1, probabilities, 1 - probabilities), tiny, 1 - tiny)
    return float(-np.log(given).mean())


def mean_error(labels: Floats, predictions: Predictions) -> float:
    """Return the mean pinball loss over quantiles and median (Koenker and Bassett 1978).

    Without quantiles it is the mean absolute error of the point prediction.
    """
    if not predictions.quantiles:
        return float(np.abs(labels - predictions.values).mean())
    losses = []
    for quantile, values in {**predictions.quantiles, MEDIAN: predictions.values}.items():
        error = labels - values
        losses.append(np.maximum(quantile * error, (quantile - 1) * error).mean())
    return float(np.mean(losses))


def _rows(data: TrainingFrame, window: Window) -> pd.DataFrame:
    return data.frame[within(data.frame["target_date"], window)]
