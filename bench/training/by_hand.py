"""The same search for parameters as one would write it with Optuna and XGBoost alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Before scikit-learn, which loads OpenMP: its threads are to wait as everybody's do.
from include.training.boosting import THREADS, xgb  # isort: skip

import numpy as np
import optuna
import pandas as pd
from sklearn.metrics import log_loss

from bench.measuring import measured
from bench.training import rows
from bench.training.plan import Sizes, declared
from include.declare import UseCase
from include.declare_model import Training, Tuning
from include.training.folds import windows
from include.training.frame import TrainingFrame
from include.training.split import as_days, split_by_date, within
from include.window import Window

RANDOM_TRIALS = 3
"""As few as in the project's search, so that both learn alike."""

Fold = tuple[pd.DataFrame, pd.DataFrame]
"""Rows to train on, and later rows to validate on."""


def search(folder: str, sizes: dict[str, Any], values: str) -> dict[str, Any]:
    """Search the same space on the same folds with `study.optimize`, every trial to its end.

    Returns:
        The fields of `Cost`; `trials`, `pruned` and `best` loss; `rows` of the frame, and the
        `fingerprint` of the losses.
    """
    use_case, data = declared(Sizes(**sizes)), rows.read(folder)
    study, cost = measured(lambda: _optimize(use_case, data))
    trials = [(trial.params, trial.value) for trial in study.trials]
    losses = [loss for _, loss in trials]
    Path(values).write_text(json.dumps(trials), encoding="utf-8")
    return {
        **asdict(cost),
        "trials": len(losses),
        "pruned": 0,
        "best": min(losses),
        "rows": len(data.frame),
        "fingerprint": rows.fingerprint(np.array(losses)),
    }


def _optimize(use_case: UseCase, data: TrainingFrame) -> optuna.Study:
    training, tuning = use_case.training, use_case.training.tuning
    assert tuning is not None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=training.seed, n_startup_trials=RANDOM_TRIALS)
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial({name: training.parameters[name] for name in tuning.space})
    folds = _folds(use_case, data, tuning)
    study.optimize(_objective(data, training, tuning, folds), n_trials=tuning.trials)
    return study


def _folds(use_case: UseCase, data: TrainingFrame, tuning: Tuning) -> list[Fold]:
    first = as_days(data.frame["target_date"]).min().item()
    span = split_by_date(use_case, first, data.span.end).train
    return [
        (_rows(data, earlier).iloc[-tuning.max_rows :], _rows(data, later))
        for earlier, later in windows(use_case, tuning, span)
    ]


def _objective(
    data: TrainingFrame, training: Training, tuning: Tuning, folds: Sequence[Fold]
) -> Callable[[optuna.Trial], float]:
    def objective(trial: optuna.Trial) -> float:
        chosen = {
            name: trial.suggest_int(name, int(it.low), int(it.high), log=it.log)
            if it.whole
            else trial.suggest_float(name, it.low, it.high, log=it.log)
            for name, it in tuning.space.items()
        }
        return float(np.mean([_loss(data, *fold, training, chosen) for fold in folds]))

    return objective


def _rows(data: TrainingFrame, window: Window) -> pd.DataFrame:
    return data.frame[within(data.frame["target_date"], window)]


def _loss(
    data: TrainingFrame,
    earlier: pd.DataFrame,
    later: pd.DataFrame,
    training: Training,
    chosen: dict[str, float],
) -> float:
    """Return the log loss on later rows of a model fitted on matrices of its own."""
    known = {name: sorted(earlier[name].dropna().unique()) for name in data.categorical}
    train, validation = (_matrix(data, it, known) for it in (earlier, later))
    booster = xgb.train(
        {**training.parameters, **chosen, "seed": training.seed, "nthread": THREADS},
        train,
        num_boost_round=training.rounds,
        evals=[(validation, "validation")],
        early_stopping_rounds=training.early_stopping_rounds,
        verbose_eval=False,
    )
    best = (0, booster.best_iteration + 1)
    predicted = booster.predict(validation, iteration_range=best)
    return float(log_loss(later[data.label], predicted.astype(np.float64)))


def _matrix(data: TrainingFrame, frame: pd.DataFrame, known: dict[str, list[Any]]) -> xgb.DMatrix:
    columns = {name: pd.Categorical(frame[name], categories=known[name]) for name in known}
    features = frame[list(data.features)].assign(**columns)
    return xgb.DMatrix(features, frame[data.label], enable_categorical=True, nthread=THREADS)
