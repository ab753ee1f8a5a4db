"""The benchmark of monitoring on a few real nights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.drift import benchmark, budgets, plan, tables
from bench.drift.plan import BACKFILL, Sizes
from bench.progress import Progress
from bench.report import as_markdown, as_text
from bench.scores import plan as scores
from bench.training.outcomes import Outcome, Outcomes
from include.monitoring import monitor
from tests.bench.conftest import base_of

SIZES = Sizes(
    year=("2013-08-14", "2013-09-28"),
    nights=20,
    draws=2,
    evidently=1,
    season="2013-09-27",
    starts=2,
    lasts=4,
    shifts=(2.0,),
    slow=(),
    shares=(0.2, 0.5),
    several=5,
)
WINDOW = scores.Sizes(year=("2013-09-09", "2013-09-15"))


@pytest.fixture
def base(history: Path, tmp_path: Path) -> Path:
    """A home with nights and a champion."""
    return base_of(history, tmp_path, scores.TRAINED)


def test_everything_is_measured_and_agrees(
    base: Path,
    tmp_path: Path,
    one_server: None,
    in_one_process: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    once = tuple(replace(it, repetitions=1, needs=0) for it in BACKFILL.contenders)
    case = replace(BACKFILL, contenders=once)
    for module in (benchmark, budgets, tables):
        monkeypatch.setattr(module, "BACKFILL", case)
    monkeypatch.setattr(monitor, "MOST_REPORTS", 1)

    found = benchmark.measure(base, tmp_path, Progress(), SIZES, WINDOW)

    assert [fault for fault in found.faults if "code changed" not in fault] == []
    assert [budget.met is not None for budget in found.budgets] == [True] * 3
    text, page = as_text(found), as_markdown([(found, {})])
    assert "2 × 20 that did not drift" in text
    assert "5 numbers by 2 sd" in text
    assert "| nothing |" in page
    for stage in plan.STAGES:
        assert f"| {stage} |" in page
    json.dumps(found.figures)
    assert not list(tmp_path.glob("site-*"))


def test_what_evidently_says_otherwise_is_a_fault() -> None:
    agreed = {"nights": 3, "compared": 9, "difference": 1e-12, "disagreements": 0}

    assert list(benchmark.disagreements(agreed)) == []
    assert len(list(benchmark.disagreements({**agreed, "difference": 0.01}))) == 1
    (told,) = benchmark.disagreements({**agreed, "disagreements": 2})
    assert told.startswith("2 of 3 nights")
    assert len(list(benchmark.disagreements({**agreed, "compared": 0}))) == 1


def test_what_was_not_measured_leaves_its_budgets_open() -> None:
    outcomes = Outcomes(
        {(BACKFILL.name, it.name): Outcome(BACKFILL, it, missing="x") for it in BACKFILL.contenders}
    )
    draws = [{"of_measures": {"feature": {"a": 0.03, "b": 0.05}}}]

    judged = budgets.judge({"draws": draws}, outcomes)

    assert [budget.met for budget in judged] == [False, None, None]
    assert [budget.found for budget in judged] == ["4.0 %", "–", "–"]


def test_delays_are_told_as_median_and_worst() -> None:
    assert tables._delay([1, 3, 2]) == "2 (3)"
    assert tables._delay([1, 4, None]) == "4 (never), in 2 of 3"
    assert tables._delay([1, None, None]) == "never (never), in 1 of 3"
    assert tables._delay([None, None]) == "never"
