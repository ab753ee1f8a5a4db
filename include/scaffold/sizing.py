"""How a first training is sized to the data there is."""

from __future__ import annotations

from dataclasses import dataclass

from include.scaffold.problem import Evidence

MOST_DAYS = 28
"""Of validation and of test, as flight data has them."""

LEAST_TEST_DAYS = 7
"""With fewer, two models cannot be compared."""

LEAST_VALIDATION_DAYS = 5
FEW_ROWS = 5_000


@dataclass(frozen=True)
class Sizes:
    """Sizes of a first training.

    Attributes:
        min_rows: fewest labelled rows worth training on: half of what there should be.
        least_labels: fewest labels to judge on, likewise.
        needed_days: days of the source that a training needs.
        depth: of the trees; `rate`: learning rate; `leaf`: least weight of a leaf.
    """

    validation_days: int
    test_days: int
    min_rows: int
    least_labels: int
    needed_days: int
    depth: int
    rate: float
    leaf: int


def size(evidence: Evidence, mature_after: int) -> Sizes:
    """Return sizes: a fifth of the days each to validate and to test, at most four weeks."""
    usable = max(evidence.days - 1 - mature_after, 0)
    test = min(MOST_DAYS, max(LEAST_TEST_DAYS, usable // 5))
    validation = min(MOST_DAYS, max(LEAST_VALIDATION_DAYS, usable // 5))
    daily = evidence.rows_per_day * evidence.labelled
    small = daily * usable < FEW_ROWS
    return Sizes(
        validation_days=validation,
        test_days=test,
        min_rows=_round(min(1000, daily * usable / 2)),
        least_labels=_round(min(500, daily * test / 2)),
        needed_days=test + 2 * validation + 3 * mature_after + 1,
        depth=3 if small else 5,
        rate=0.1 if small else 0.05,
        leaf=5 if small else 20,
    )


def _round(rows: float) -> int:
    """Return a number of rows rounded down to one leading digit and a half, at least 10."""
    whole = max(int(rows), 10)
    step = int(10 ** max(len(str(whole)) - 2, 0)) * (5 if whole >= 100 else 1)
    return max(whole // step * step, 10)
