"""Which days a run looks at: those asked for, and those before them that may be due."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from include.declare import Dataset
from include.errors import UsageError
from include.window import Window


def reach(dataset: Dataset, window: Window, heal_days: int, now: datetime) -> Window:
    """Return the window a run works on: what was asked for and `heal_days` before it.

    Raises:
        UsageError: the window reaches before the dataset's first day or into the future.
    """
    newest = dataset.newest_ended_day(now)
    if window.end > newest:
        raise UsageError(
            f"{dataset.name}: {window.end} has not ended in {dataset.timezone}; "
            f"the newest day that can be asked for is {newest}"
        )
    if window.start < dataset.first_day:
        raise UsageError(
            f"{dataset.name}: {window.start} is before the first day {dataset.first_day}"
        )
    return window.reaching_back(heal_days, dataset.first_day)


def gap_note(dataset: Dataset, done: Iterable[date], reached: Window, backfill: str) -> str | None:
    """Return a warning when days before the reach of healing are missing, else None.

    Args:
        done: days that are done.
        backfill: DAG id of the backfill that closes the gap.
    """
    before = [day for day in done if day < reached.start]
    if not before or reached.start == dataset.first_day:
        return None
    newest = max(before)
    missing = (reached.start - newest).days - 1
    if missing == 0:
        return None
    return (
        f"{missing} day(s) after {newest} are missing and further back than a night heals; "
        f"trigger {backfill} with first day {newest.fromordinal(newest.toordinal() + 1)} "
        f"and last day {date.fromordinal(reached.start.toordinal() - 1)}"
    )
