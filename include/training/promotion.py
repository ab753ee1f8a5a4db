"""The gate: whether a trained model may serve, decided on evidence, in words and numbers.

Both models are judged on the same out-of-time rows, rows that neither has seen, by the
interval of their difference; days are resampled together for both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from include.declare import UseCase
from include.errors import ConfigurationError
from include.training.encoding import Floats
from include.training.evaluate import HIGHER_IS_BETTER, Days, Estimate, Evaluation, compare

LEAST_DAYS = 7
"""Fewest out-of-time days on which two models are compared."""

Decision = Literal["promoted", "kept", "refused"]


@dataclass(frozen=True)
class Verdict:
    """What the gate decided: promote the challenger, keep the champion, or refuse.

    Attributes:
        reasons: why, in words with numbers.
        evidence: the numbers, as plain values.
    """

    decision: Decision
    reasons: tuple[str, ...]
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """Out-of-time rows that both models are judged on.

    Attributes:
        challenger: scores and decision threshold of the challenger; `champion` likewise.
    """

    labels: Floats
    days: Days
    challenger: tuple[Floats, float]
    champion: tuple[Floats, float]


def refusals(use_case: UseCase, evaluation: Evaluation) -> list[str]:
    """Return why a model is not promoted whoever it is compared with; empty if it may be.

    Raises `ConfigurationError` for a primary metric the gate does not know.
    """
    gate = use_case.gate
    if gate.metric not in HIGHER_IS_BETTER:
        raise ConfigurationError(
            f"{use_case.name}: the gate's metric {gate.metric!r} is none of "
            f"{', '.join(HIGHER_IS_BETTER)}; correct Gate.metric in the declaration"
        )
    found = evaluation.metrics[gate.metric]
    if found.value < gate.least:
        return [
            f"{gate.metric} {found} is below the {gate.least} declared as the least; the model "
            "is worth nothing in service. Look at features and label"
        ]
    if found.value > gate.leak_above:
        return [
            f"{gate.metric} {found} is above {gate.leak_above}, which no honest model reaches; "
            "a feature knows the answer. Look at the most important features and their known_at"
        ]
    return []


def decide_first(use_case: UseCase, evaluation: Evaluation) -> Verdict:
    """Decide about a model when there is no champion yet."""
    why = refusals(use_case, evaluation)
    if why:
        return Verdict("refused", tuple(why))
    metric = use_case.gate.metric
    return Verdict(
        "promoted",
        (
            f"first champion: {metric} {evaluation.metrics[metric]} on {evaluation.rows:,} "
            f"out-of-time rows of {evaluation.days} days lies between {use_case.gate.least} and "
            f"{use_case.gate.leak_above}",
        ),
    )


def decide(
    use_case: UseCase, evaluation: Evaluation, champion: str, rows: Rows, seed: int
) -> Verdict:
    """Decide between a challenger and the champion.

    Args:
        use_case: whose gate it is.
        evaluation: of the challenger, on all its out-of-time rows.
        champion: version of the champion, for the words.
        rows: what the two are compared on.
        seed: of the resampling.
    """
    why = refusals(use_case, evaluation)
    if why:
        return Verdict("refused", tuple(why))
    days = len(np.unique(rows.days))
    if days < LEAST_DAYS or len(np.unique(rows.labels)) != 2:
        return Verdict(
            "kept",
            (
                f"{days} out-of-time day(s) that neither model has seen are not enough to "
                f"compare with champion {champion}; {LEAST_DAYS} with both classes are needed",
            ),
        )
    metric = use_case.gate.metric
    difference = compare(metric, rows.labels, rows.challenger, rows.champion, rows.days, seed)
    evidence = {
        "champion": champion,
        "metric": metric,
        "difference": asdict(difference),
        "rows": len(rows.labels),
        "days": days,
    }
    return _by_difference(difference, metric, champion, len(rows.labels), days, evidence)


def _by_difference(
    difference: Estimate,
    metric: str,
    champion: str,
    rows: int,
    days: int,
    evidence: Mapping[str, Any],
) -> Verdict:
    where = f"on {rows:,} rows of {days} days that neither has seen"
    told = (
        f"{metric} differs from champion {champion} by {difference.value:+.4f} "
        f"[{difference.lower:+.4f}, {difference.upper:+.4f}] {where}"
    )
    if difference.lower > 0:
        return Verdict("promoted", (f"{told}: the whole interval is above zero",), evidence)
    if difference.upper < 0:
        return Verdict("kept", (f"{told}: the champion is better",), evidence)
    return Verdict("kept", (f"{told}: that may be chance",), evidence)
