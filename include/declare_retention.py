"""What engineers declare about how long things are kept.

Like `declare`, the standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataRetention:
    """How long what a dataset leaves behind is kept; None keeps it for good.

    Attributes:
        quarantine_days: held rows nobody decided about, from their data day.
        versions_days: versions of its lake tables, from when they were written; versions that
            models and scores refer to are kept longer, see `ScoreRetention`.
    """

    quarantine_days: int | None = 365
    versions_days: int = 7


@dataclass(frozen=True)
class ScoreRetention:
    """How long what a use case leaves behind is kept; None keeps it for good.

    Attributes:
        revisions_days: superseded scores, from when they were superseded.
        reports_days: drift reports, from their data day.
        champions: training sets of so many last champions can be rebuilt.
        lineage_days: lake versions that scores refer to, from when they were scored.
    """

    revisions_days: int | None = 730
    reports_days: int | None = 365
    champions: int = 3
    lineage_days: int = 90
