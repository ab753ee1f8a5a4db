"""What writing scores was promised to take, as DESIGN.md has it, beside what was found."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from bench.machine import GB
from bench.report import Budget
from bench.scores import plan
from bench.scores.plan import BEFORE, FILLING, LARGE, TRAINED, Sizes
from bench.training.outcomes import Outcome, Outcomes

LOADED = 250_000
NIGHT_SECONDS = 90
NIGHT_PEAK = 2
YEAR_SECONDS = 60
MONITORED_SECONDS = 180


def judge(outcomes: Outcomes, sizes: Sizes) -> tuple[Budget, ...]:
    """Return the budgets of everything but the largest night, with what was found."""
    loads = (outcomes.of.get(("load_postgresql", f"ours_{before}")) for before in BEFORE)
    night = _night(outcomes, sizes.many[-1])
    return (
        *map(_loaded, loads),
        _at_most(
            f"{sizes.many[-1]:,} entities, features to Postgres",
            NIGHT_SECONDS,
            night.seconds if night else None,
        ),
        _peak(f"Peak memory of {sizes.many[-1]:,} entities", night),
        *(it for name in (TRAINED, LARGE) for it in _filled(outcomes.of[FILLING, name])),
    )


def judge_largest(outcomes: Outcomes, sizes: Sizes) -> tuple[Budget, ...]:
    """Return the budget of the largest night, with what was found."""
    return tuple(
        _peak(f"Peak memory of {rows:,} entities", _night(outcomes, rows))
        for rows in (sizes.many[-1], sizes.largest)
    )


def stage_seconds(found: Outcome, *stages: str) -> float:
    """Return the median seconds that some stages take together for the window."""
    return float(median(sum(run["stages"][it] for it in stages) for run in found.runs))


def _filled(found: Outcome) -> Iterator[Budget]:
    """Yield the budgets of filling the window with one of the models."""
    three = ("ingest", "features", "score")
    limits: dict[str, tuple[int, tuple[str, ...]]] = {
        "The window: ingest, features, score": (YEAR_SECONDS, three),
        "The window with monitoring": (MONITORED_SECONDS, (*three, "monitor")),
    }
    for work, (limit, stages) in limits.items():
        seconds = stage_seconds(found, *stages) if found.runs else None
        yield _at_most(f"{work}; {found.contender.title}", limit, seconds)


def _night(outcomes: Outcomes, rows: int) -> Outcome | None:
    case = plan.night(rows)
    return outcomes.measured(case, case.contenders[0])


def _loaded(found: Outcome | None) -> Budget:
    assert found is not None
    rate = found.rate if found.runs else None
    return Budget(
        f"Into Postgres: {found.contender.title.partition(': ')[2]}",
        f"≥ {LOADED:,} rows/s",
        "–" if rate is None else f"{rate:,.0f} rows/s",
        None if rate is None else rate >= LOADED,
    )


def _at_most(work: str, limit: int, seconds: float | None) -> Budget:
    return Budget(
        work,
        f"≤ {limit} s",
        "–" if seconds is None else f"{seconds:.1f} s",
        None if seconds is None else seconds <= limit,
    )


def _peak(work: str, found: Outcome | None) -> Budget:
    return Budget(
        work,
        f"≤ {NIGHT_PEAK} GB",
        f"{found.peak / GB:.2f} GB" if found else "–",
        found.peak <= NIGHT_PEAK * GB if found else None,
    )
