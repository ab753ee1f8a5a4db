"""The lake as it was known at an instant: rows whose facts became known later are left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import duckdb

from include.lake.delta import Lake

KNOWN_AT = "known_at"


@dataclass(frozen=True)
class KnownLake(Lake):
    """A lake to be read, without the rows that became known after `instant`, whatever their day.

    A table without `known_at` is read as it is; a row whose `known_at` is missing was never
    known.
    """

    instant: datetime = field(kw_only=True)

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        days: Sequence[date] | None = None,
    ) -> duckdb.DuckDBPyRelation:
        """Return the known rows of a table; raises what `Lake.relation` raises."""
        rows = super().relation(connection, name, days)
        if KNOWN_AT not in rows.columns:
            return rows
        known = duckdb.ColumnExpression(KNOWN_AT) <= duckdb.ConstantExpression(self.instant)
        return rows.filter(known)


def known_by(lake: Lake, instant: datetime) -> KnownLake:
    """Return a lake, pinned if it is, as it was known at an instant (UTC)."""
    return KnownLake(lake.root, lake.pinned, lake.landed, instant=instant)
