"""The errors Nightshift raises: each says what, where and what to do next.

The split that matters to the orchestrator is *retry or not*: a `TransientError` may
succeed on its own; every other error needs a person or a different input.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any


class NightshiftError(Exception):
    """Base of every error an operator may see; its text is one clear sentence or two."""


class TransientError(NightshiftError):
    """May pass by itself: a lock held elsewhere, a database or source out of reach."""


class UsageError(NightshiftError):
    """The request cannot be carried out as asked: unknown name, reversed range, bad day."""


class ConfigurationError(NightshiftError):
    """The installation is not set up for this: not migrated, bad connection, no key."""


class RuleUnusable(ConfigurationError):
    """A rule is declared that cannot be judged.

    Attributes:
        rule: its name.
    """

    def __init__(self, message: str, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


class DataError(NightshiftError):
    """The data is wrong; trying again on the same data cannot help."""


class SourceUnreachable(TransientError):
    """The source did not answer or its files cannot be read."""


class LockHeld(TransientError):
    """Somebody else holds the lock of this stage and subject beyond the time-out."""


class StorageUnavailable(TransientError):
    """The lake or the warehouse cannot be read or written."""


class AlertNotTaken(TransientError):
    """A channel did not take an alert; the next look tells again."""


class SchemaBreak(DataError):
    """Columns are missing or have another type; the text names each with both types."""


class DayAbsent(DataError):
    """The source does not have this day and will not have it."""


class NoChampion(DataError):
    """Nothing has been promoted for this use case, so nothing can be scored."""


class RowsLost(DataError):
    """A reconciliation failed: rows in do not equal rows accounted for."""


class LeakFound(DataError):
    """Features know what they are to predict, so that a model of them would be worthless.

    Attributes:
        features: their names, each once.
        evidence: one plain mapping per leak: its `kind`, `features` and the numbers.
    """

    def __init__(
        self, message: str, features: Sequence[str], evidence: Sequence[Mapping[str, Any]]
    ) -> None:
        super().__init__(message)
        self.features = tuple(features)
        self.evidence = tuple(dict(it) for it in evidence)


class SourceNotReady(NightshiftError):
    """The source does not have the day yet; ask again at `until`.

    Attributes:
        day: the data day asked for.
        until: when to ask again, UTC.
    """

    def __init__(self, day: date, until: datetime, message: str) -> None:
        super().__init__(message)
        self.day = day
        self.until = until


class DaysStopped(DataError):
    """Days that were asked for did not finish; good days beside them did.

    Attributes:
        reasons: data day → why it stopped.
    """

    def __init__(self, stage: str, subject: str, reasons: Mapping[date, str]) -> None:
        lines = "; ".join(f"{day}: {why}" for day, why in sorted(reasons.items()))
        super().__init__(f"{stage} of {subject} stopped on {len(reasons)} day(s) — {lines}")
        self.reasons = dict(reasons)
