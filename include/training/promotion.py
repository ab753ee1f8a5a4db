"""The gate: whether a trained model may serve, decided on evidence, in words and numbers.

Both models are judged on the same out-of-time rows, rows that neither has seen, by the
interval of their difference; days are resampled together for both. Whatever the difference
says, the guardrails must hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from include.declare import UseCase
from include.lake import fingerprint
from include.training import guardrails
from include.training.evaluation.bootstrap import Estimate
from include.training.evaluation.evaluate import (
    Evaluation,
    better_when_higher,
    compare,
    evaluate,
)
from include.training.guardrails import Contest, Guardrail

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


def judge(use_case: UseCase, contest: Contest) -> Verdict:
    """Decide about a challenger, against the champion if there is one.

    Refused: a bound of the gate or a guardrail is broken. Kept: it is not better beyond
    chance, or there are too few common rows to tell.
    """
    metric, days = use_case.gate.metric, len(np.unique(contest.days))
    known: dict[str, Any] = {"metric": metric, "rows": len(contest.labels), "days": days}
    known |= {"champion": contest.champion_version, "gate": identity(use_case)}
    if days < LEAST_DAYS:
        return _too_few(contest, days, known)
    evaluation = evaluate(use_case, contest.labels, contest.challenger, contest.days)
    if metric not in evaluation.metrics:
        return _too_few(contest, days, known)
    known["challenger"] = evaluation.plain()["metrics"]
    theirs = None
    if contest.champion is not None:
        theirs = evaluate(use_case, contest.labels, contest.champion, contest.days)
        known["incumbent"] = theirs.plain()["metrics"]
    bounds = _out_of_bounds(use_case, evaluation)
    if bounds:
        return Verdict("refused", (bounds,), known)
    rails = guardrails.check(use_case, contest, evaluation, theirs)
    known["guardrails"] = [asdict(rail) for rail in rails]
    if contest.champion is None:
        return _guarded(rails, Verdict("promoted", (_within(use_case, evaluation),), known))
    difference = compare(
        use_case, metric, contest.labels, contest.challenger, contest.champion, contest.days
    )
    known["difference"] = asdict(difference)
    return _guarded(rails, _by_difference(use_case, difference, contest, known))


def identity(use_case: UseCase) -> str:
    """Return the fingerprint of a declared gate: another one may judge otherwise."""
    baseline = [asdict(use_case.baseline)] if use_case.baseline else []
    return fingerprint.of_values(asdict(use_case.gate), *baseline)


def _too_few(contest: Contest, days: int, known: Mapping[str, Any]) -> Verdict:
    told = (
        f"{days} out-of-time day(s) with {len(contest.labels):,} mature labels are not enough to "
        f"judge; {LEAST_DAYS} days on which the metric is defined are needed"
    )
    if contest.champion is None:
        return Verdict("refused", (told,), known)
    why = f"{told}, unseen by both models; champion {contest.champion_version} stays"
    return Verdict("kept", (why,), known)


def _out_of_bounds(use_case: UseCase, evaluation: Evaluation) -> str | None:
    """Return why a model is not promoted whoever it is compared with, or None."""
    gate = use_case.gate
    found = evaluation.metrics[gate.metric]
    sign = 1 if better_when_higher(gate.metric) else -1
    worse, better = ("below", "above") if sign > 0 else ("above", "below")
    if sign * found.value <= sign * gate.worst:
        return (
            f"{gate.metric} {found} is {worse} the {gate.worst} declared as the worst; the model "
            "is worth nothing in service. Look at features and label"
        )
    if sign * found.value >= sign * gate.too_good:
        return (
            f"{gate.metric} {found} is {better} {gate.too_good}, which no honest model reaches; a "
            "feature knows the answer. Look at the most important features and their known_at"
        )
    return None


def _within(use_case: UseCase, evaluation: Evaluation) -> str:
    gate = use_case.gate
    low, high = sorted((gate.worst, gate.too_good))
    return (
        f"no champion yet: {gate.metric} {evaluation.metrics[gate.metric]} on "
        f"{evaluation.rows:,} out-of-time rows of {evaluation.days} days lies between "
        f"{low} and {high}"
    )


def _by_difference(
    use_case: UseCase, difference: Estimate, contest: Contest, known: Mapping[str, Any]
) -> Verdict:
    least = use_case.gate.least_gain
    told = (
        f"against champion {contest.champion_version} {known['metric']} is better by "
        f"{difference.value:+.4f} [{difference.lower:+.4f}, {difference.upper:+.4f}] on "
        f"{known['rows']:,} rows of {known['days']} days that neither has seen"
    )
    if difference.lower > least:
        return Verdict("promoted", (f"{told}: the whole interval is above {least:g}",), known)
    if difference.upper < 0:
        return Verdict("kept", (f"{told}: the champion is better",), known)
    if difference.lower > 0:
        return Verdict("kept", (f"{told}: a gain of {least:g} is wanted, beyond chance",), known)
    return Verdict("kept", (f"{told}: that may be chance",), known)


def _guarded(rails: list[Guardrail], verdict: Verdict) -> Verdict:
    """Refuse what would be promoted while a guardrail is broken; say so in any case."""
    broken = tuple(f"{rail.name}: {rail.words}" for rail in rails if not rail.passed)
    if not broken:
        return verdict
    if verdict.decision != "promoted":
        return Verdict(verdict.decision, (*verdict.reasons, *broken), verdict.evidence)
    return Verdict("refused", (*broken, *verdict.reasons), verdict.evidence)
