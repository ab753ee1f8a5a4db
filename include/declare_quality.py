"""What engineers declare about the quality of landed days: what counts as unusual.

Like `declare`, the standard library only: every DAG that is parsed reads this.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quality:
    """With what a landed day is compared, and how far from it is unusual.

    A value is unusual when it lies more than `width` spreads from the median of the values before
    it. Spreads are those of a normal distribution, estimated so that strange days among the
    values do not move them: 1.4826 times the median absolute deviation (Rousseeuw and Croux
    1993); for missing values and freshness, which come in bursts, on each side at least the
    distance from the median to the 10 % or 90 % quantile, divided by 1.2816; and never less than
    the least spread declared. A column that is wholly empty is unusual unless it often is. The
    defaults call 15 of 350 days of the sample data unusual, all of them holidays and storms.

    Attributes:
        weeks: so many weeks before are compared with: for volume the same weekday of each, for
            missing values and freshness all of their days.
        least_weeks: with fewer of those weekdays landed, volume is recorded and not judged.
        least_days: with fewer of those days landed, missing values and freshness are not.
        width: spreads on either side of the median that are usual.
        rows_spread: least spread of the rows of a day, as a share of their median.
        null_spread: least spread of a column's share of missing values.
        hours_spread: least spread of the hours until a day has landed.
    """

    weeks: int = 8
    least_weeks: int = 4
    least_days: int = 14
    width: float = 5.0
    rows_spread: float = 0.05
    null_spread: float = 0.01
    hours_spread: float = 0.5

    @property
    def lookback_days(self) -> int:
        """How many days before a day have a say in what is usual for it."""
        return 7 * self.weeks
