"""What a fitted model is worth on out-of-time rows, beside its baselines, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from include.declare import UseCase
from include.training import contributions, declared
from include.training.constant import CONSTANT, NAMES, Constant
from include.training.declared import DECLARED
from include.training.evaluation.calibration import reliability
from include.training.evaluation.evaluate import difference, evaluate, rows_of
from include.training.evaluation.predictions import Floats
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
    constant = Constant.of(use_case, labels_of(train, use_case.label.column))
    same = constant.predictions(len(test), _threshold(use_case))
    baselines = {NAMES[use_case.task]: same, SCHEDULE_ONLY: theirs}
    rule = declared.rule_predictions(use_case, test, constant)
    if use_case.baseline is not None and rule is not None:
        baselines[use_case.baseline.name] = rule
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
        DECLARED: rule and declared.told(use_case, test, labels, ours, rule, days),
        "slices": [it.plain() for it in by_slice(use_case, test, labels, ours, days)],
        "fairness": [asdict(it) for it in fairness(use_case, test, labels, ours, days)],
        "calibration": (
            reliability(labels, ours.values, days, use_case.training.seed)
            if use_case.task == "binary"
            else []
        ),
        "reasons": _agreement(use_case, model, test),
        "costs": _costs(use_case, labels),
        CONSTANT: constant.plain(),
    }


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
