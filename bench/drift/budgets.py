"""What monitoring was promised to do and to take, beside what was found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.drift import tables
from bench.drift.plan import BACKFILL
from bench.report import Budget
from bench.scores.plan import USE_CASE
from bench.training.outcomes import Outcomes

BACKFILL_SECONDS = 180


def judge(quiet: Mapping[str, Any], outcomes: Outcomes) -> tuple[Budget, ...]:
    """Return the budgets with what was found."""
    declared = USE_CASE.monitoring.false_alarm_rate
    found = tables.mean_of(quiet["draws"], "feature")
    return (
        Budget(
            "A column over its threshold on a night that did not drift",
            f"≤ {tables.percent(declared)}",
            tables.percent(found),
            found <= declared,
        ),
        *(_backfill(outcomes, contender.name) for contender in BACKFILL.contenders),
    )


def _backfill(outcomes: Outcomes, name: str) -> Budget:
    found = outcomes.of[BACKFILL.name, name]
    seconds = found.seconds if found.runs else None
    return Budget(
        f"Monitoring a year of scored nights; {found.contender.title}",
        f"≤ {BACKFILL_SECONDS} s",
        "–" if seconds is None else f"{seconds:.1f} s",
        None if seconds is None else seconds <= BACKFILL_SECONDS,
    )
