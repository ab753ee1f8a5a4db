"""The gate: refused, kept or promoted, in words and numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.declare import UseCase
from include.declare_model import Baseline, Gate, Guardrails, Slice
from include.training.evaluation.predictions import Predictions
from include.training.guardrails import Contest
from include.training.promotion import LEAST_DAYS, Verdict, judge
from tests.model_nights import CASE


def _case(**gate: Any) -> UseCase:
    chosen: dict[str, Any] = {
        "too_good": 1.0,
        "guardrails": Guardrails(calibration_error=1.0),
        "slices": (),
    }
    return replace(CASE, gate=replace(CASE.gate, **{**chosen, **gate}))


OPEN = _case()


def _contest(
    days: int = 28, gain: float = 0.0, seed: int = 0, first: bool = False, rows_a_day: int = 60
) -> Contest:
    """Return rows on which the challenger knows `gain` more of the label than the champion.

    Both see the same thing, each with noise of its own of the same size.
    """
    random = np.random.default_rng(seed)
    rows = days * rows_a_day
    by_day = np.repeat(random.normal(0, 0.05, days), rows_a_day)
    labels = (random.random(rows) < np.clip(0.3 + by_day, 0, 1)).astype(float)
    shared = 0.3 + 0.1 * labels + random.normal(0, 0.1, rows)
    noise = random.normal(0, 0.05, (2, rows))
    frame = pd.DataFrame({"origin": np.where(np.arange(rows) % 2, "JFK", "EWR")})
    return Contest(
        frame=frame,
        labels=labels,
        days=np.repeat(np.arange(days), rows_a_day),
        challenger=_predictions(shared + gain * labels + noise[0]),
        champion=None if first else _predictions(shared + noise[1]),
        champion_version=None if first else "7",
    )


def _predictions(values: np.ndarray[Any, Any], threshold: float = 0.25) -> Predictions:
    return Predictions(np.clip(values, 0, 1), threshold)


def test_the_first_model_within_the_bounds_is_promoted() -> None:
    verdict = judge(OPEN, _contest(first=True))
    assert verdict.decision == "promoted"
    assert "1,680 out-of-time rows of 28 days" in verdict.reasons[0]
    assert verdict.evidence["champion"] is None
    assert all(rail["passed"] for rail in verdict.evidence["guardrails"])


@pytest.mark.parametrize(
    ("bounds", "words"),
    [({"worst": 0.9}, "below the 0.9"), ({"too_good": 0.6}, "knows the answer")],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_useless_and_a_leaking_model_are_refused(
    bounds: dict[str, float], words: str, first: bool
) -> None:
    verdict = judge(_case(**bounds), _contest(first=first))
    assert verdict.decision == "refused"
    assert words in verdict.reasons[0]


def test_errors_have_their_bounds_the_other_way_round() -> None:
    contest = _contest(gain=0.1)
    log_loss = judge(_case(metric="log_loss", worst=2.0, too_good=0.0), contest)
    assert log_loss.decision == "promoted"
    assert log_loss.evidence["difference"]["lower"] > 0, "better is above zero"
    first = judge(_case(metric="log_loss", worst=2.0, too_good=0.0), _contest(first=True))
    assert first.reasons[0].endswith("lies between 0.0 and 2.0"), "the smaller number first"
    assert (
        "above the 0.1"
        in judge(_case(metric="log_loss", worst=0.1, too_good=0.0), contest).reasons[0]
    )
    assert (
        "below 0.9" in judge(_case(metric="log_loss", worst=2.0, too_good=0.9), contest).reasons[0]
    )


def test_a_better_challenger_is_promoted_and_a_worse_kept_out() -> None:
    promoted = judge(OPEN, _contest(gain=0.1))
    kept = judge(OPEN, _contest(gain=-0.05))

    assert promoted.decision == "promoted"
    assert promoted.evidence["difference"]["lower"] > 0
    assert promoted.evidence["champion"] == "7"
    assert kept.decision == "kept"
    assert "the champion is better" in kept.reasons[0]
    assert "champion 7" in kept.reasons[0]


def test_of_two_hundred_noise_challengers_fewer_than_one_in_forty_is_promoted() -> None:
    """Champion and challenger are equally good; only chance tells them apart."""
    case = _case(worst=0.0)
    decisions = [judge(case, _contest(seed=seed, rows_a_day=30)).decision for seed in range(200)]
    assert decisions.count("refused") == 0
    assert decisions.count("promoted") < 0.025 * len(decisions)


def test_a_gain_too_small_to_be_worth_a_change_keeps_the_champion() -> None:
    verdict = judge(_case(least_gain=0.2), _contest(gain=0.1))
    assert verdict.decision == "kept"
    assert "a gain of 0.2 is wanted" in verdict.reasons[0]
    assert verdict.evidence["difference"]["lower"] > 0


def test_too_few_common_days_keep_the_champion_and_refuse_a_first() -> None:
    kept = judge(OPEN, _contest(days=LEAST_DAYS - 1, gain=0.2))
    refused = judge(OPEN, _contest(days=LEAST_DAYS - 1, first=True))

    assert (kept.decision, refused.decision) == ("kept", "refused")
    assert "6 out-of-time day(s)" in kept.reasons[0]


def test_no_common_rows_at_all_keep_the_champion() -> None:
    contest = _contest(days=LEAST_DAYS)
    none = np.zeros(len(contest.labels), dtype=bool)
    empty = Contest(
        contest.frame[none],
        contest.labels[none],
        contest.days[none],
        contest.challenger.take(none),
        contest.champion and contest.champion.take(none),
        "7",
    )
    assert judge(OPEN, empty).decision == "kept"


def _guarded(contest: Contest, **gate: Any) -> Verdict:
    return judge(_case(**gate), contest)


def test_too_few_labels_refuse_what_would_be_promoted() -> None:
    verdict = _guarded(_contest(gain=0.1), guardrails=Guardrails(5000, calibration_error=1.0))
    assert verdict.decision == "refused"
    assert "labels: 1,680 mature labels, 5,000 are needed" in verdict.reasons


def test_a_badly_calibrated_challenger_is_refused_unless_the_champion_is_worse() -> None:
    contest = _contest(gain=0.1)
    inflated = Predictions(np.clip(contest.challenger.values + 0.3, 0, 1), threshold=0.25)
    refused = _guarded(replace(contest, challenger=inflated), guardrails=Guardrails())
    assert refused.decision == "refused"
    assert refused.reasons[0].startswith("calibration: expected calibration error")

    assert contest.champion is not None
    worse = Predictions(np.clip(contest.champion.values + 0.5, 0, 1), threshold=0.25)
    promoted = _guarded(
        replace(contest, challenger=inflated, champion=worse), guardrails=Guardrails()
    )
    assert promoted.decision == "promoted"


def test_a_slice_that_loses_refuses_and_is_named() -> None:
    contest = _contest(gain=0.2)
    random = np.random.default_rng(1)
    jfk = (contest.frame["origin"] == "JFK").to_numpy()
    values = np.where(jfk, random.random(len(jfk)), contest.challenger.values)
    broken = replace(contest, challenger=_predictions(values), champion=contest.champion)
    gate = {"slices": (Slice("origin", least_rows=100),), "metric": "log_loss", "worst": 5.0}
    rails = judge(_case(**gate, too_good=0.0), broken).evidence["guardrails"]
    lost = [rail for rail in rails if rail["name"] == "slices"]

    assert [rail["passed"] for rail in lost] == [False]
    assert lost[0]["words"].startswith("origin JFK: log_loss differs by")

    held = judge(_case(**gate, too_good=0.0), contest)
    assert held.decision == "promoted"
    told = [rail["words"] for rail in held.evidence["guardrails"] if rail["name"] == "slices"]
    assert told == ["none of 2 slices loses more than 0.05 of log_loss"]


def test_protected_groups_must_be_treated_alike() -> None:
    contest = _contest(gain=0.1)
    jfk = (contest.frame["origin"] == "JFK").to_numpy()
    values = contest.challenger.values
    skewed = _predictions(np.where(jfk, values + 0.3, values), threshold=0.4)
    gate = Gate(
        metric="f1",
        worst=0.0,
        too_good=1.1,
        slices=(Slice("origin", protected=True, least_rows=100),),
        guardrails=Guardrails(calibration_error=1.0),
    )
    case = replace(CASE, gate=gate)
    rails = {
        rail["words"].split(" ")[1]: rail["passed"]
        for rail in judge(case, replace(contest, challenger=skewed)).evidence["guardrails"]
        if rail["name"] == "fairness"
    }
    assert rails == {"disparate": False, "equal-opportunity": False}
    fair = judge(case, contest).evidence["guardrails"]
    assert all(rail["passed"] for rail in fair if rail["name"] == "fairness")
    assert sum(rail["name"] == "fairness" for rail in fair) == 2


@pytest.mark.parametrize(
    ("least", "shift", "decision"),
    [(None, 0.4, "promoted"), (0.0, 0.4, "refused"), (0.0, 0.0, "promoted"), (0.5, 0.0, "refused")],
)
def test_a_model_must_beat_the_declared_baseline_if_that_is_asked(
    least: float | None, shift: float, decision: str
) -> None:
    rule = Baseline("same_hour", "the hour's mean of a week", 7, least_gain=least)
    contest = _contest(gain=0.1, first=True)
    knows = np.random.default_rng(9).normal(0.3, 0.1, len(contest.labels)) + shift * contest.labels
    verdict = judge(replace(OPEN, baseline=rule), replace(contest, baseline=_predictions(knows)))
    assert verdict.decision == decision
    rails = {rail["name"]: rail for rail in verdict.evidence["guardrails"]}
    if least is None:
        assert "baseline" not in rails
        return
    assert rails["baseline"]["passed"] is (decision == "promoted")
    assert (
        f"of the hour's mean of a week by {'-' if shift else '+'}0." in rails["baseline"]["words"]
    )
    if decision == "refused":
        assert verdict.reasons[0].startswith("baseline: auc is better than that of the hour's mean")
