"""Challengers that are no better than their champion, judged by the gate as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from bench.training import rows
from bench.training.plan import KINDS, SEED, Sizes, declared
from include.declare import UseCase
from include.declare_model import Guardrails
from include.training import fit as fitting
from include.training.evaluation.predictions import Predictions
from include.training.fit import Fitted, labels_of
from include.training.frame import TrainingFrame
from include.training.guardrails import Contest
from include.training.promotion import judge
from include.training.split import as_days, split_by_date

DAYS = 28
ROWS_A_DAY = 30
NOISE = "noise"


def simulate(sizes: dict[str, Any]) -> list[dict[str, Any]]:
    """Judge challengers that know as much as the champion, each with noise of its own.

    Nothing but the interval of the difference decides: bounds and guardrails are open.

    Returns:
        Per challenger `decision`, and `difference` and `lower` end of its interval in the
        primary metric.
    """
    wanted = Sizes(**sizes)
    use_case = declared(wanted)
    gate = replace(
        use_case.gate,
        worst=0.0,
        too_good=1.0,
        least_gain=0.0,
        slices=(),
        guardrails=Guardrails(calibration_error=1.0),
    )
    opened = replace(use_case, gate=gate)
    return [_judged(opened, _simulated(seed)) for seed in range(wanted.noise)]


def fit_and_judge(folder: str, sizes: dict[str, Any], span: int) -> list[dict[str, Any]]:
    """Fit a champion and challengers on real flights and judge these by the declared gate.

    All are fitted on the same thinned rows and judged on all rows of the same out-of-time days.
    The bounds on the metric itself are open: they would refuse before anything is compared.

    Args:
        folder: where the labelled frame is.
        sizes: how many.
        span: how many times the length of the out-of-time span these days are back.

    Returns:
        As `simulate`, and the `kind` of each.
    """
    wanted, data = Sizes(**sizes), rows.read(folder)
    use_case = declared(wanted)
    use_case = replace(use_case, gate=replace(use_case.gate, worst=0.0, too_good=1.0))
    parts = _parts(use_case, data, span)
    thin = {name: parts[name].iloc[:: wanted.every] for name in ("train", "validation")}
    test = parts["test"]
    champion = _fit(use_case, data, thin["train"], thin["validation"])
    contest = Contest(
        frame=test,
        labels=labels_of(test, data.label),
        days=as_days(test["target_date"]),
        challenger=_said(use_case, champion, test),
        champion=_said(use_case, champion, test),
        champion_version="1",
    )
    found = []
    for kind in KINDS:
        for number in range(wanted.challengers):
            seed = SEED + 1 + number + wanted.challengers * span
            challenger = _challenger(use_case, data, {**thin, "test": test}, kind, seed)
            verdict = _judged(use_case, replace(contest, challenger=challenger))
            found.append({"kind": kind, **verdict})
    return found


def _parts(use_case: UseCase, data: TrainingFrame, span: int) -> dict[str, pd.DataFrame]:
    """Return train, validation and test rows as if the frame had ended some spans earlier."""
    dates = data.frame["target_date"]
    first = as_days(dates).min().item()
    last = data.span.end - timedelta(days=span * use_case.training.test_days)
    split = split_by_date(use_case, first, last)
    return {name: data.frame[split.part(dates, name)] for name in ("train", "validation", "test")}


def _challenger(
    use_case: UseCase, data: TrainingFrame, parts: dict[str, pd.DataFrame], kind: str, seed: int
) -> Predictions:
    """Return what a model that learned nothing more says of the test rows."""
    random = np.random.default_rng(seed)
    train, validation, test = (parts[name] for name in ("train", "validation", "test"))
    if kind == "days":
        train = _drawn(train, random)
    if kind == "noise":
        train, validation, test = (
            part.assign(**{NOISE: random.standard_normal(len(part))})
            for part in (train, validation, test)
        )
        data = replace(data, features=(*data.features, NOISE))
    if kind != "days":
        use_case = replace(use_case, training=replace(use_case.training, seed=seed))
    return _said(use_case, _fit(use_case, data, train, validation), test)


def _drawn(train: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Return as many days as there are, drawn with replacement, oldest first."""
    names, blocks = np.unique(as_days(train["target_date"]), return_inverse=True)
    times = np.bincount(random.integers(0, len(names), len(names)), minlength=len(names))
    return train.iloc[np.repeat(np.arange(len(train)), times[blocks])]


def _fit(
    use_case: UseCase, data: TrainingFrame, train: pd.DataFrame, validation: pd.DataFrame
) -> Fitted:
    return fitting.fit(
        train,
        validation,
        features=data.features,
        categorical=data.categorical,
        label=data.label,
        training=use_case.training,
        task=use_case.task,
    )


def _said(use_case: UseCase, fitted: Fitted, frame: pd.DataFrame) -> Predictions:
    return fitted.predictions(frame, use_case.costs.threshold if use_case.costs else None)


def _judged(use_case: UseCase, contest: Contest) -> dict[str, Any]:
    verdict = judge(use_case, contest)
    difference = verdict.evidence["difference"]
    return {
        "decision": verdict.decision,
        "difference": difference["value"],
        "lower": difference["lower"],
    }


def _simulated(seed: int) -> Contest:
    """Return rows of which both models see the same thing, each with noise of its own."""
    random = np.random.default_rng(seed)
    count = DAYS * ROWS_A_DAY
    by_day = np.repeat(random.normal(0, 0.05, DAYS), ROWS_A_DAY)
    labels = (random.random(count) < np.clip(0.3 + by_day, 0, 1)).astype(np.float64)
    shared = 0.3 + 0.1 * labels + random.normal(0, 0.1, count)
    ours, theirs = (
        Predictions(np.clip(shared + random.normal(0, 0.05, count), 0, 1), 0.25) for _ in range(2)
    )
    days = np.repeat(np.arange(DAYS), ROWS_A_DAY)
    return Contest(pd.DataFrame(index=range(count)), labels, days, ours, theirs, "1")
