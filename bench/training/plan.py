"""What is measured of training, scoring and the gate: on how much, and beside whom.

Standard library only: the process that starts the children imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from bench.machine import GB
from include.declare import UseCase
from include.use_cases.flight_delay.declaration import USE_CASE

AS_OF = date(2013, 10, 3)
"""The first day as of which all target dates of the declared history had landed days before."""

SEED = 20130101


@dataclass(frozen=True)
class Sizes:
    """How much is measured. Tests measure less of everything.

    Attributes:
        training: fields of `Training` that are other than flight_delay declares them.
        tuning: fields of `Tuning` likewise.
        trees: of the model that predicts and gives reasons.
        depth: of these trees.
        night: rows of one target date to predict.
        explained: rows of one target date to give reasons for.
        nights: rows of as many target dates as they fill.
        sample: those of `nights` whose contributions are computed exactly.
        noise: simulated challengers.
        spans: out-of-time spans, one before the other, each with a champion of its own.
        challengers: fitted per span and kind.
        every: the models of those spans are fitted on every n-th row.
    """

    training: Mapping[str, Any] = field(default_factory=dict)
    tuning: Mapping[str, Any] = field(default_factory=dict)
    trees: int = 300
    depth: int = 6
    night: int = 1_000_000
    explained: int = 200_000
    nights: int = 60_000
    sample: int = 6_000
    noise: int = 200
    spans: int = 4
    challengers: int = 4
    every: int = 5


def declared(sizes: Sizes) -> UseCase:
    """Return flight_delay as it is declared, but for its sizes."""
    training = USE_CASE.training
    assert training.tuning is not None
    tuning = replace(training.tuning, **sizes.tuning)
    return replace(USE_CASE, training=replace(training, tuning=tuning, **sizes.training))


@dataclass(frozen=True)
class Contender:
    """One way to do the work of a case.

    Attributes:
        name: key of the contender.
        title: what it is, for people.
        measure: `package.module:function` that does the work once.
        options: its keyword arguments.
        repetitions: how often it is measured.
        needs: bytes of free memory without which it is not started.
    """

    name: str
    title: str
    measure: str
    options: Mapping[str, Any] = field(default_factory=dict)
    repetitions: int = 3
    needs: int = 0


@dataclass(frozen=True)
class Case:
    """Work that several can do.

    Attributes:
        name: key of the case.
        title: what it is, for people.
        contenders: the project first.
        compare: `package.module:function` that compares what they found.
    """

    name: str
    title: str
    contenders: tuple[Contender, ...]
    compare: str


TUNED = Contender("ours", "this project, as part of `build`", "bench.training.tuning:build")
TUNED_BY_HAND = Contender(
    "by_hand",
    "Optuna and `xgb.train` by hand, no pruning, matrices anew",
    "bench.training.by_hand:search",
    repetitions=2,
)
PREDICTED = Contender(
    "ours",
    "`Model.predict`, strings as retrieved",
    "bench.training.prediction:ours",
    needs=3 * GB,
)
PLAIN = Contender(
    "plain",
    "`XGBClassifier.predict_proba`, strings made categories",
    "bench.training.prediction:plain",
    {"prepared": False},
    needs=3 * GB,
)
PREPARED = Contender(
    "prepared",
    "`XGBClassifier.predict_proba`, categories made before",
    "bench.training.prediction:plain",
    {"prepared": True},
    repetitions=2,
    needs=3 * GB,
)
NIGHTS = Contender(
    "nights",
    "`explain`, nights of 900 flights",
    "bench.training.reasons:explain",
    {"rows_of": "nights"},
)
NIGHT = Contender(
    "night",
    "`explain`, one large night",
    "bench.training.reasons:explain",
    {"rows_of": "night"},
)
APPROXIMATE = Contender(
    "approximate",
    "XGBoost's approximate contributions alone",
    "bench.training.reasons:contribute",
    {"approximate": True},
)
EXACT = Contender(
    "exact",
    "XGBoost's exact contributions alone, a sample",
    "bench.training.reasons:contribute",
    {"approximate": False},
)

TUNING = Case(
    "tuning",
    "The search for parameters",
    (TUNED, TUNED_BY_HAND),
    "bench.training.tuning:compare",
)
PREDICTION = Case(
    "prediction",
    "Predictions",
    (PREDICTED, PLAIN, PREPARED),
    "bench.training.prediction:compare",
)
REASONS = Case(
    "reasons",
    "The three strongest reasons of each prediction",
    (NIGHTS, NIGHT, APPROXIMATE, EXACT),
    "bench.training.reasons:compare",
)
CASES = (TUNING, PREDICTION, REASONS)

KINDS = {
    "seed": "another seed",
    "days": "training days drawn with replacement",
    "noise": "a feature of noise added, another seed",
}
"""How a challenger differs from a champion that it is not better than."""
