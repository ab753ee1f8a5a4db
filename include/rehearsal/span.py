"""Which days a rehearsal lands and builds: the night itself, what it looks back on, labels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from include.declare import UseCase
from include.window import Window


@dataclass(frozen=True)
class Span:
    """The days of a rehearsal.

    Attributes:
        landed: what is landed.
        built: what features are built of.
        labelled: target dates that a model may be fitted on; None without one.
        cut: what is not as on a real night, in words.
    """

    landed: Window
    built: Window
    labelled: Window | None
    cut: tuple[str, ...]

    @property
    def day(self) -> date:
        """The data day that is rehearsed."""
        return self.landed.end


def span_of(use_case: UseCase, day: date, history: int, lookback: int | None) -> Span:
    """Return the days that a rehearsal of `day` needs.

    Args:
        use_case: what is rehearsed.
        day: the data day; not before the dataset's first day.
        history: newest target dates with mature labels, as of the day before; 0 for none.
        lookback: look-back of SQL at most, in data days; as declared when None.
    """
    dataset, labelled, built = use_case.dataset, None, Window.night(day)
    if history:
        last = day - timedelta(days=1 + use_case.label.mature_after)
        labelled = Window(last - timedelta(days=history - 1), last)
        oldest = labelled.start - timedelta(days=max(use_case.horizons))
        built = Window(min(max(oldest, dataset.first_day), day), day)
    needed = max(dataset.lookback_days, use_case.baseline.lookback_days if use_case.baseline else 1)
    back = min(needed, lookback or needed)
    landed = built.reaching_back(back - 1, dataset.first_day)
    cut = []
    if back < needed:
        cut.append(
            f"SQL looks back on {back} day(s) instead of {needed}: its values are not those of a "
            "night"
        )
    elif len(landed) < len(built) + back - 1:
        cut.append(
            f"{dataset.name} begins on {dataset.first_day}: on the first {needed - 1} days SQL "
            "looks back on fewer days than declared"
        )
    return Span(landed, built, labelled, tuple(cut))
