"""The bounds a challenger must keep whatever its primary metric says, each judged in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from include.declare import UseCase
from include.training.encoding import Floats
from include.training.evaluation.bootstrap import Days
from include.training.evaluation.evaluate import Evaluation, difference, rows_of
from include.training.evaluation.predictions import Predictions
from include.training.evaluation.slices import fairness, slice_differences


@dataclass(frozen=True)
class Contest:
    """Out-of-time rows, and what both models say of them.

    Attributes:
        frame: the rows, with the columns of the declared slices.
        labels: the truth per row.
        days: target date per row; the blocks of every bootstrap.
        champion: None before the first promotion.
        champion_version: for the words; None likewise.
        baseline: what the declared baseline says of the rows; None without one.
    """

    frame: pd.DataFrame
    labels: Floats
    days: Days
    challenger: Predictions
    champion: Predictions | None = None
    champion_version: str | None = None
    baseline: Predictions | None = None


@dataclass(frozen=True)
class Guardrail:
    """One bound and whether it was kept."""

    name: str
    passed: bool
    words: str


def check(
    use_case: UseCase, contest: Contest, ours: Evaluation, theirs: Evaluation | None
) -> list[Guardrail]:
    """Return every guardrail that applies: labels, baseline, calibration, slices, fairness.

    Args:
        use_case: whose `gate.guardrails` they are.
        contest: the rows.
        ours: the challenger's evaluation on them.
        theirs: the champion's; None before the first promotion.
    """
    return [
        _labels(use_case, contest),
        *_baseline(use_case, contest),
        *_calibration(use_case, contest, ours, theirs),
        *_slices(use_case, contest),
        *_fairness(use_case, contest),
    ]


def _labels(use_case: UseCase, contest: Contest) -> Guardrail:
    least, found = use_case.gate.guardrails.least_labels, len(contest.labels)
    words = f"{found:,} mature labels, {least:,} are needed"
    return Guardrail("labels", found >= least, words)


def _baseline(use_case: UseCase, contest: Contest) -> Iterator[Guardrail]:
    """Refuse a model that does not beat the declared baseline, if that is asked for."""
    declared, metric = use_case.baseline, use_case.gate.metric
    if declared is None or declared.least_gain is None or contest.baseline is None:
        return
    gain = difference(
        use_case,
        metric,
        *(
            rows_of(use_case, contest.labels, it, contest.days)
            for it in (contest.challenger, contest.baseline)
        ),
    )
    told = f"{metric} beside {declared.meaning} is undefined on these rows"
    if gain is not None:
        told = (
            f"{metric} is better than that of {declared.meaning} by {gain.value:+.4f} "
            f"[{gain.lower:+.4f}, {gain.upper:+.4f}]"
        )
    passed = gain is not None and gain.lower > declared.least_gain
    words = f"{told}; the whole interval is wanted above {declared.least_gain:g}"
    yield Guardrail("baseline", passed, words)


def _calibration(
    use_case: UseCase, contest: Contest, ours: Evaluation, theirs: Evaluation | None
) -> Iterator[Guardrail]:
    """Bound the calibration error; a champion that is worse still is no better choice."""
    error, most = ours.metrics.get("ece"), use_case.gate.guardrails.calibration_error
    if error is None:
        return
    words = f"expected calibration error {error}, at most {most} is allowed"
    passed = error.value <= most
    if not passed and theirs is not None:
        other = theirs.metrics["ece"]
        passed = error.value <= other.value
        words += f"; champion {contest.champion_version} has {other}"
    yield Guardrail("calibration", passed, words)


def _slices(use_case: UseCase, contest: Contest) -> Iterator[Guardrail]:
    """Refuse where a slice loses more than allowed, beyond chance."""
    if contest.champion is None or not use_case.gate.slices:
        return
    metric, most = use_case.gate.metric, use_case.gate.guardrails.slice_loss
    differences = slice_differences(
        use_case, contest.frame, contest.labels, contest.challenger, contest.champion, contest.days
    )
    lost = [it for it in differences if it.difference.upper < -most]
    for it in lost:
        told = f"{it.column} {it.value}: {metric} differs by {it.difference} on {it.rows:,} rows"
        yield Guardrail("slices", False, f"{told}; a loss of {most} is allowed")
    if not lost:
        words = f"none of {len(differences)} slices loses more than {most} of {metric}"
        yield Guardrail("slices", True, words)


def _fairness(use_case: UseCase, contest: Contest) -> Iterator[Guardrail]:
    bounds = use_case.gate.guardrails
    for it in fairness(use_case, contest.frame, contest.labels, contest.challenger, contest.days):
        if it.disparate_impact is not None:
            yield Guardrail(
                "fairness",
                it.disparate_impact >= bounds.disparate_impact,
                f"{it.column}: disparate impact {it.disparate_impact:.3f} ({it.lowest} over "
                f"{it.highest}), at least {bounds.disparate_impact} is wanted",
            )
        if it.equal_opportunity is not None:
            yield Guardrail(
                "fairness",
                it.equal_opportunity <= bounds.equal_opportunity,
                f"{it.column}: equal-opportunity gap {it.equal_opportunity:.3f} "
                f"({it.least_found} and {it.most_found}), at most {bounds.equal_opportunity} "
                "is wanted",
            )
