"""The labels of scored nights, once every outcome they wait for is there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import sqlalchemy as sa

from include.declare import UseCase
from include.training.distance import Blocks, Floats
from include.warehouse.stages import done_days
from include.warehouse.use_cases import use_case_tables

STAGE = "outcomes"
"""The stage that writes outcomes; its days are target dates."""


@dataclass(frozen=True)
class Labels:
    """Mature labels of scored rows.

    Attributes:
        days: data days that have some, oldest first.
        blocks: place in `days` of each label.
        values: the labels, ascending within a day.
    """

    days: tuple[date, ...]
    blocks: Blocks
    values: Floats

    def of(self, days: Collection[date]) -> Labels:
        """Return those of some days."""
        chosen = tuple(day for day in self.days if day in days)
        places = np.array([self.days.index(day) for day in chosen], dtype=np.intp)
        kept = np.isin(self.blocks, places)
        return Labels(chosen, np.searchsorted(places, self.blocks[kept]), self.values[kept])


def matured(
    connection: sa.Connection, use_case: UseCase, days: Collection[date]
) -> Mapping[date, list[str]]:
    """Return data day → hashes of the outcomes of its target dates, of days that have them all."""
    horizons = [timedelta(days=horizon) for horizon in use_case.horizons]
    targets = {day + horizon for day in days for horizon in horizons}
    done = done_days(connection, STAGE, use_case.name, targets)
    return {
        day: [done[day + horizon] for horizon in horizons]
        for day in sorted(days)
        if all(day + horizon in done for horizon in horizons)
    }


def read(connection: sa.Connection, use_case: UseCase, days: Sequence[date]) -> Labels:
    """Return the labels of what was scored on some days; rows without a truth are left out."""
    tables = use_case_tables(use_case)
    scores, outcomes = tables.scores.c, tables.outcomes.c
    same = [scores[name] == outcomes[name] for name in tables.entity_key]
    grouped = (scores.data_day, outcomes.label)
    query = (
        sa.select(*grouped, sa.func.count())
        .select_from(tables.scores.join(tables.outcomes, sa.and_(*same)))
        .where(scores.data_day.in_(list(days)), outcomes.label.is_not(None))
        .group_by(*grouped)
        .order_by(*grouped)
    )
    found = connection.execute(query).all()
    known = tuple(sorted({day for day, _, _ in found}))
    counts = np.array([rows for _, _, rows in found], dtype=np.intp)
    places = np.array([known.index(day) for day, _, _ in found], dtype=np.intp)
    values = np.array([label for _, label, _ in found], dtype=np.float64)
    return Labels(known, np.repeat(places, counts), np.repeat(values, counts))
