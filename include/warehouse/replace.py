"""Replacement of whole days of results without history, inside a stage's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

CHUNK = 20_000
"""Rows per `executemany`, which bounds the memory of a load."""


def replace_days(
    connection: sa.Connection,
    table: sa.Table,
    data_day_column: str,
    days: Collection[date],
    rows: Sequence[Mapping[str, Any]],
    filters: Mapping[str, Any] | None = None,
) -> int:
    """Delete the rows of some days and insert others; returns how many were inserted.

    Args:
        connection: the stage's open transaction.
        table: where the rows are.
        data_day_column: the column of `table` that holds the day.
        days: the days replaced; days without rows end empty.
        rows: dicts by column name, all of those days.
        filters: column → value that bound the replacement further, such as dataset and table.

    Raises `ValueError` for a row outside the days or filters: it would not be replaced by the
    next run.
    """
    bounds = dict(filters or {})
    for row in rows:
        if row[data_day_column] not in days or any(row[name] != it for name, it in bounds.items()):
            raise ValueError(
                f"a row for {table.name} lies outside the days and filters replaced: {dict(row)}"
            )
    if days:
        bounded = (table.c[name] == value for name, value in bounds.items())
        connection.execute(
            sa.delete(table).where(table.c[data_day_column] == sa.bindparam("gone_day"), *bounded),
            [{"gone_day": day} for day in sorted(days)],
        )
    for start in range(0, len(rows), CHUNK):
        connection.execute(sa.insert(table), [dict(row) for row in rows[start : start + CHUNK]])
    return len(rows)
