"""The budgets of the point-in-time store, as DESIGN.md's table “Budgets” has them."""

from __future__ import annotations

from bench.features import cases
from bench.features import contenders as who
from bench.features.cases import COLUMNS, Case
from bench.features.contenders import Contender
from bench.features.outcomes import Outcomes
from bench.machine import GB
from bench.report import Budget

Measured = tuple[Case, Contender]

FASTER_THAN_STOCK = 20
FASTER_THAN_STOCK_CORRECTED = 8
SLOWER_THAN_SQL = 2
PEAK = 1.5
TEN_TIMES = 10
TEN_TIMES_PEAK = 2


def judge(outcomes: Outcomes) -> tuple[Budget, ...]:
    """Return every budget with what was found."""
    return (
        _faster(outcomes, cases.YEAR, FASTER_THAN_STOCK),
        _faster(outcomes, cases.MONTH, FASTER_THAN_STOCK),
        _faster(outcomes, cases.TWO_MONTHS, FASTER_THAN_STOCK),
        _slower(outcomes, who.OURS, who.BY_HAND),
        _slower(outcomes, who.OURS_ARROW, who.BY_HAND_ARROW),
        _peak(outcomes, (cases.YEAR, who.OURS), PEAK),
        _same_values(outcomes),
        _faster(outcomes, cases.CORRECTED, FASTER_THAN_STOCK_CORRECTED),
        _faster(outcomes, cases.CORRECTED_MONTH, FASTER_THAN_STOCK_CORRECTED),
        _ten_times(outcomes),
        _peak(outcomes, (cases.TEN_YEARS, who.LIMITED_STREAM), TEN_TIMES_PEAK),
    )


def _faster(outcomes: Outcomes, case: Case, times: int) -> Budget:
    found = outcomes.ratio((case, who.DUCKDB_STORE), (case, who.OURS))
    return Budget(
        f"Faster than Feast's DuckDB store ({case.name})",
        f"≥ {times} ×",
        found[1] if found else "–",
        found[0] >= times if found else None,
    )


def _slower(outcomes: Outcomes, ours: Contender, sql: Contender) -> Budget:
    found = outcomes.ratio((cases.YEAR, ours), (cases.YEAR, sql))
    return Budget(
        f"{ours.title}, against {sql.title}",
        f"≤ {SLOWER_THAN_SQL} ×",
        found[1] if found else "–",
        found[0] <= SLOWER_THAN_SQL if found else None,
    )


def _peak(outcomes: Outcomes, measured: Measured, gigabytes: float) -> Budget:
    found = outcomes.measured(*measured)
    case, contender = measured
    return Budget(
        f"Peak memory of {contender.title} ({case.name})",
        f"≤ {gigabytes} GB",
        f"{found.peak / GB:.2f} GB" if found else "–",
        found.peak <= gigabytes * GB if found else None,
    )


def _same_values(outcomes: Outcomes) -> Budget:
    judged = [
        outcome
        for outcome in outcomes.of.values()
        if outcome.difference and not outcome.contender.loses_rows
    ]
    cells = sum(outcome.case.rows for outcome in judged) * len(COLUMNS)
    wrong = [outcome for outcome in judged if any(outcome.faults)]
    return Budget(
        "All rows, same values",
        "every cell",
        f"{len(wrong)} of {len(judged)} results differ, {cells:,} cells compared",
        not wrong if judged else None,
    )


def _ten_times(outcomes: Outcomes) -> Budget:
    found = outcomes.ratio((cases.TEN_YEARS, who.LIMITED_STREAM), (cases.YEAR, who.OURS_STREAM))
    return Budget(
        f"Ten times the rows, {who.LIMITED_STREAM.title}",
        f"≤ {TEN_TIMES} × the time",
        found[1] if found else "–",
        found[0] <= TEN_TIMES if found else None,
    )
