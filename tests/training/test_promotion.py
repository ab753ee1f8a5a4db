"""The gate: refused, kept or promoted, in words and numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from include.errors import ConfigurationError
from include.training.evaluate import Evaluation, evaluate
from include.training.promotion import LEAST_DAYS, Rows, decide, decide_first
from tests.model_nights import CASE

OPEN = replace(CASE, gate=replace(CASE.gate, leak_above=1.0))


def _rows(days: int = 28, gain: float = 0.0, seed: int = 0) -> Rows:
    """Return rows on which the challenger knows `gain` more of the label than the champion."""
    random = np.random.default_rng(seed)
    labels = (random.random(days * 60) < 0.3).astype(float)
    shared = 0.4 + 0.1 * labels + random.normal(0, 0.1, len(labels))
    noise = random.normal(0, 0.02, (2, len(labels)))
    return Rows(
        labels,
        np.repeat(np.arange(days), 60),
        (np.clip(shared + gain * labels + noise[0], 0, 1), 0.5),
        (np.clip(shared + noise[1], 0, 1), 0.5),
    )


def _evaluation(rows: Rows) -> Evaluation:
    return evaluate(rows.labels, rows.challenger[0], rows.days, 0.5, 1)


def test_the_first_model_within_the_bounds_is_promoted() -> None:
    verdict = decide_first(CASE, _evaluation(_rows()))
    assert verdict.decision == "promoted"
    assert "1,680 out-of-time rows of 28 days" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("bounds", "words"), [({"least": 0.9}, "below the 0.9"), ({"leak_above": 0.6}, "knows the ans")]
)
def test_a_useless_and_a_leaking_model_are_refused(bounds: dict[str, float], words: str) -> None:
    case = replace(CASE, gate=replace(CASE.gate, **bounds))
    rows = _rows()
    for verdict in (
        decide_first(case, _evaluation(rows)),
        decide(case, _evaluation(rows), "7", rows, seed=1),
    ):
        assert verdict.decision == "refused"
        assert words in verdict.reasons[0]


def test_a_better_challenger_is_promoted_and_a_worse_kept_out() -> None:
    better, worse = _rows(gain=0.1), _rows(gain=-0.1)
    promoted = decide(OPEN, _evaluation(better), "7", better, seed=1)
    kept = decide(OPEN, _evaluation(worse), "7", worse, seed=1)

    assert promoted.decision == "promoted"
    assert promoted.evidence["difference"]["lower"] > 0
    assert kept.decision == "kept"
    assert "the champion is better" in kept.reasons[0]
    assert "champion 7" in kept.reasons[0]


def test_noise_is_hardly_ever_promoted() -> None:
    decisions = []
    for seed in range(20):
        rows = _rows(days=14, seed=seed)
        decisions.append(decide(CASE, _evaluation(rows), "7", rows, seed=1).decision)
    assert decisions.count("promoted") <= 2


def test_too_few_common_days_keep_the_champion() -> None:
    rows = _rows(days=LEAST_DAYS - 1, gain=0.2)
    verdict = decide(OPEN, _evaluation(rows), "7", rows, seed=1)
    assert verdict.decision == "kept"
    assert "6 out-of-time day(s)" in verdict.reasons[0]


def test_a_metric_that_is_better_when_lower_is_no_gate() -> None:
    case = replace(CASE, gate=replace(CASE.gate, metric="log_loss"))
    with pytest.raises(ConfigurationError, match="log_loss"):
        decide_first(case, _evaluation(_rows()))
