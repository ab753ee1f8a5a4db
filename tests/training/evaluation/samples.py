"""Rows to evaluate: seeded, with equal scores and days of unequal size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from include.declare_model import Costs
from include.training.evaluation.bootstrap import Draws
from include.training.evaluation.predictions import Floats, Predictions
from include.training.evaluation.rows import Rows
from tests.model_nights import CASE

COSTS = Costs(false_alarm=1, miss=3)
QUANTILES = (0.1, 0.9)
REGRESSION = replace(
    CASE,
    task="regression",
    costs=None,
    training=replace(CASE.training, quantiles=QUANTILES),
    gate=replace(CASE.gate, metric="mae", slices=()),
)


def binary(seed: int, draws: Draws | None = None, count: int = 500) -> Rows:
    """Return rows of a binary task with many equal scores; every row once without draws."""
    random = np.random.default_rng(seed)
    labels = (random.random(count) < 0.3).astype(float)
    noisy = 0.3 + 0.2 * labels + random.normal(0, 0.2, count)
    scores = np.round(np.clip(noisy, 0.01, 0.99), 2)
    return Rows(labels, Predictions(scores, 0.4), draws or once(count), COSTS)


def regression(seed: int, draws: Draws | None = None, count: int = 500) -> Rows:
    """Return rows of a regression with skewed labels and two quantiles."""
    random = np.random.default_rng(seed)
    labels = random.exponential(10, count) - 5
    values = 0.5 * labels + random.normal(0, 4, count)
    quantiles = {0.1: values - random.exponential(4, count), 0.9: values + 6}
    return Rows(labels, Predictions(values, quantiles=quantiles), draws or once(count))


def once(count: int) -> Draws:
    """Return the one weighting in which every row counts once."""
    return weighted(np.ones(count))


def weighted(weights: Floats) -> Draws:
    """Return one weighting of rows: each is a day of its own."""
    return Draws(np.arange(len(weights)), np.asarray(weights, dtype=np.float64)[None, :])


def days_of(count: int, days: int, seed: int = 0) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return a day for each row, in no order, every one of them used."""
    random = np.random.default_rng(seed)
    return np.concatenate([np.arange(days), random.integers(0, days, count - days)])
