"""What a fitted model is worth on out-of-time rows, beside its baselines, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from include.declare import UseCase
from include.training import contributions
from include.training.evaluation.calibration import reliability
from include.training.evaluation.evaluate import difference, evaluate, rows_of
from include.training.evaluation.predictions import Floats, Predictions
from include.training.evaluation.slices import by_slice, fairness
from include.training.fit import Fitted, labels_of
from include.training.model import Model
from include.training.split import as_days

SCHEDULE_ONLY = "schedule_only"
AGREEMENT_ROWS = 1_000
"""Rows on which approximate reasons are compared with exact ones; exact ones are slow."""


def assess(
    use_case: UseCase, model: Model, plain: Fitted, train: pd.DataFrame, test: pd.DataFrame
) -> dict[str, Any]:
    """Return metrics, baselines, slices, fairness, calibration and agreement of reasons.

    Args:
        use_case: declares metric, slices, costs and seed.
        model: what is assessed.
        plain: the model without history features, a baseline.
        train: rows both were fitted on; the constant baseline comes from their labels.
        test: out-of-time rows neither has seen.
    """
    labels, days = labels_of(test, use_case.label.column), as_days(test["target_date"])
    ours, theirs = model.predictions(test), plain.predictions(test, model.facts.threshold)
    name, constant = _constant(use_case, labels_of(train, use_case.label.column), len(test))
    baselines = {name: constant, SCHEDULE_ONLY: theirs}
    gain = difference(
        use_case,
        use_case.gate.metric,
        *(rows_of(use_case, labels, it, days) for it in (ours, theirs)),
    )
    return {
        "task": use_case.task,
        "metric": use_case.gate.metric,
        "model": evaluate(use_case, labels, ours, days).plain(),
        "baselines": {
            baseline: evaluate(use_case, labels, predictions, days).plain()
            for baseline, predictions in baselines.items()
        },
        "history_gain": None if gain is None else asdict(gain),
        "slices": [it.plain() for it in by_slice(use_case, test, labels, ours, days)],
        "fairness": [asdict(it) for it in fairness(use_case, test, labels, ours, days)],
        "calibration": (
            reliability(labels, ours.values, days, use_case.training.seed)
            if use_case.task == "binary"
            else []
        ),
        "reasons": _agreement(use_case, model, test),
        "costs": _costs(use_case, labels),
    }


def _constant(use_case: UseCase, train_labels: Floats, rows: int) -> tuple[str, Predictions]:
    """Return the baseline that says the same of every row."""
    if use_case.task == "binary":
        values = np.full(rows, float(train_labels.mean()))
        return "constant_rate", Predictions(values, threshold=_threshold(use_case))
    quantiles = {
        q: np.full(rows, float(np.quantile(train_labels, q))) for q in use_case.training.quantiles
    }
    values = np.full(rows, float(np.median(train_labels)))
    return "constant_median", Predictions(values, quantiles=quantiles)


def _threshold(use_case: UseCase) -> float | None:
    return None if use_case.costs is None else use_case.costs.threshold


def _costs(use_case: UseCase, labels: Floats) -> Mapping[str, float] | None:
    """Return the declared costs, and what always and never acting would cost per row."""
    costs = use_case.costs
    if costs is None:
        return None
    rate = float(labels.mean())
    return {
        **asdict(costs),
        "threshold": costs.threshold,
        "always": costs.false_alarm * (1 - rate),
        "never": costs.miss * rate,
    }


def _agreement(use_case: UseCase, model: Model, test: pd.DataFrame) -> dict[str, Any]:
    """Compare approximate with exact contributions on a seeded sample."""
    random = np.random.default_rng(use_case.training.seed)
    size = min(AGREEMENT_ROWS, len(test))
    sample = test.iloc[np.sort(random.choice(len(test), size, replace=False))]
    exact, approximate = (
        contributions.contribute(model, sample, approximate) for approximate in (False, True)
    )
    return contributions.agreement(exact, approximate)
