"""What training, scoring and the gate were promised to take, beside what was found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bench.report import Budget
from bench.training import plan
from bench.training.outcomes import Challengers, Outcomes
from bench.training.plan import Case, Contender

RATES = {
    "Predictions, 300 trees of depth 6": (plan.PREDICTION, plan.PREDICTED, 127_000),
    "Approximate contributions, the same": (plan.REASONS, plan.APPROXIMATE, 45_000),
    "Exact contributions, the same": (plan.REASONS, plan.EXACT, 2_700),
}
"""Work → who does it, and its rows per second, as DESIGN.md has them."""

FASTER_SEARCH = 1.1
WORSE_SEARCH = 0.001
SLOWER_PREDICTION = 1.1
SLOWER_REASONS = 1.5
FASTER_REASONS = 5
PROMOTED = 0.025


def judge(outcomes: Outcomes, challengers: Sequence[Challengers]) -> tuple[Budget, ...]:
    """Return every budget with what was found."""
    tuning, prediction, reasons = (
        partial(outcomes.ratio, case) for case in (plan.TUNING, plan.PREDICTION, plan.REASONS)
    )
    return (
        _at_least(
            "Search for parameters, faster than by hand",
            tuning(plan.TUNED_BY_HAND, plan.TUNED),
            FASTER_SEARCH,
        ),
        _as_good(outcomes),
        _at_most(
            "`Model.predict`, against `XGBClassifier` on the same strings",
            prediction(plan.PREDICTED, plan.PLAIN),
            SLOWER_PREDICTION,
        ),
        _at_most(
            "Reasons of one large night, against approximate contributions alone",
            reasons(plan.NIGHT, plan.APPROXIMATE),
            SLOWER_REASONS,
        ),
        _at_least(
            "Reasons of nights of 900 flights, faster than exact contributions of all",
            reasons(plan.EXACT, plan.NIGHTS),
            FASTER_REASONS,
        ),
        *(_rate(outcomes, work, *wanted) for work, wanted in RATES.items()),
        _promoted("Simulated", [it for it in challengers if it.simulated]),
        _promoted("Fitted", [it for it in challengers if not it.simulated]),
    )


def too_many(challengers: Sequence[Challengers]) -> bool | None:
    """Return whether more were promoted than the gate may; None if none were judged."""
    judged = sum(len(it.verdicts) for it in challengers)
    promoted = sum(it.count("promoted") for it in challengers)
    return promoted >= PROMOTED * judged if judged else None


def _at_least(work: str, found: tuple[float, str] | None, times: float) -> Budget:
    met = found[0] >= times if found else None
    return Budget(work, f"≥ {times} ×", found[1] if found else "–", met)


def _at_most(work: str, found: tuple[float, str] | None, times: float) -> Budget:
    met = found[0] <= times if found else None
    return Budget(work, f"≤ {times} × the time", found[1] if found else "–", met)


def _as_good(outcomes: Outcomes) -> Budget:
    ours = outcomes.measured(plan.TUNING, plan.TUNED)
    other = outcomes.measured(plan.TUNING, plan.TUNED_BY_HAND)
    worse = ours.runs[-1]["best"] - other.runs[-1]["best"] if ours and other else None
    return Budget(
        "Search for parameters, best log loss against the one by hand",
        f"≤ {WORSE_SEARCH} worse",
        "–" if worse is None else f"{worse:+.6f}",
        None if worse is None else worse <= WORSE_SEARCH,
    )


def _rate(outcomes: Outcomes, work: str, case: Case, contender: Contender, least: int) -> Budget:
    found = outcomes.measured(case, contender)
    return Budget(
        work,
        f"≥ {least:,} rows/s",
        f"{found.rate:,.0f} rows/s" if found else "–",
        found.rate >= least if found else None,
    )


def _promoted(which: str, challengers: Sequence[Challengers]) -> Budget:
    judged = sum(len(it.verdicts) for it in challengers)
    promoted = sum(it.count("promoted") for it in challengers)
    wrong = too_many(challengers)
    return Budget(
        f"{which} challengers promoted that are no better than their champion",
        f"< {PROMOTED:.1%}",
        f"{promoted} of {judged}" if judged else "–",
        None if wrong is None else not wrong,
    )
