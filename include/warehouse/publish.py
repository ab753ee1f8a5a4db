"""Makes staged scores true, inside the stage's transaction, and says what that changed.

Rows that say the same as before are not touched; rows that are superseded or gone move to the
revisions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from operator import add

import sqlalchemy as sa

from include.warehouse import digests, swap
from include.warehouse.swap import StagedRows
from include.warehouse.use_cases import UseCaseTables


@dataclass(frozen=True)
class Restatement:
    """How far scores that were published moved when others took their place.

    Attributes:
        updated: rows whose content differs from before, were it only a reason.
        removed: rows whose key is no longer there.
        largest: absolute change of a prediction, at most; `total` the sum over updated rows.
        flipped: updated rows decided otherwise than before.
    """

    updated: int = 0
    removed: int = 0
    largest: float = 0.0
    total: float = 0.0
    flipped: int = 0

    def __add__(self, other: Restatement) -> Restatement:
        return Restatement(
            self.updated + other.updated,
            self.removed + other.removed,
            max(self.largest, other.largest),
            self.total + other.total,
            self.flipped + other.flipped,
        )

    def __bool__(self) -> bool:
        return bool(self.updated or self.removed)

    def __str__(self) -> str:
        told = f"{self.updated + self.removed} published score(s) were restated"
        if self.removed:
            told += f", {self.removed} of them removed"
        if self.updated:
            told += (
                f"; predictions moved by {self.total / self.updated:.3g} on average and "
                f"{self.largest:.3g} at most, {self.flipped} decision(s) flipped"
            )
        return told


@dataclass(frozen=True)
class DayChange:
    """What publishing changed on one data day.

    Attributes:
        inserted: rows whose key was not there.
        updated, removed, largest, total, flipped: as in `Restatement`.
        content_hash: fingerprint of all scores of the day, of keys, prediction, decision,
            reasons and model version; the same for any batching and on both databases.
    """

    content_hash: str
    inserted: int = 0
    updated: int = 0
    removed: int = 0
    largest: float = 0.0
    total: float = 0.0
    flipped: int = 0

    @property
    def restated(self) -> Restatement:
        """How far rows moved that were there before."""
        return Restatement(self.updated, self.removed, self.largest, self.total, self.flipped)


@dataclass(frozen=True)
class ScoreChange:
    """What publishing changed.

    Attributes:
        at: from when the new rows are what we say; later than `now` after a clock went back.
        days: every day published, also those without a change.
    """

    at: datetime
    days: Mapping[date, DayChange]

    @property
    def rows_changed(self) -> int:
        """Rows inserted, updated and removed."""
        return sum(it.inserted + it.updated + it.removed for it in self.days.values())

    @property
    def content_hash(self) -> str:
        """Fingerprint of the scores of all the days."""
        return digests.combine({day: it.content_hash for day, it in self.days.items()})

    @property
    def restated(self) -> Restatement:
        """How far rows moved that were there before; false when none did."""
        return reduce(add, (it.restated for it in self.days.values()), Restatement())


def publish(
    connection: sa.Connection,
    tables: UseCaseTables,
    staged: StagedRows,
    days: Collection[date],
    run_id: str,
    now: datetime,
) -> ScoreChange:
    """Make the staged rows of `days` their scores; days without rows end empty.

    Raises `RowsLost` when other rows are staged than were added; roll back then.
    """
    present, at = swap.present_days(connection, tables, days, now)
    fresh = [day for day in days if day not in present]
    changes = {day: {swap.INSERTED: staged.rows.get(day, 0)} for day in fresh}
    stamps = {"scored_at": at, "valid_from": at, "run_id": run_id}
    expected = sum(it[swap.INSERTED] for it in changes.values())
    if expected:
        chosen = sa.select(staged.table).where(staged.table.c.data_day.in_(fresh))
        swap.insert(connection, tables, chosen, stamps, expected)
    if present:
        differences = swap.find_differences(connection, tables, staged, present)
        changes |= swap.replace_changed(connection, tables, staged, present, differences, stamps)
        differences.drop(connection)
    return ScoreChange(
        at,
        {
            day: DayChange(content_hash=staged.hashes[day], **changes.get(day, {}))
            for day in sorted(days)
        },
    )
