"""Rows that were held back: written with the day they belong to, listed for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from include.declare import Dataset, Table
from include.lake import fingerprint
from include.lake.schema import DATA_DAY
from include.warehouse import tables
from include.warehouse.engine import Warehouse

MASK = "•••"
"""What stands in a row's key, which is printed, for a personal value."""


def held_rows(
    dataset: Dataset,
    table: Table,
    held: pa.Table,
    held_by: Sequence[tuple[str, ...]],
    run_id: str,
) -> Iterator[dict[str, Any]]:
    """Yield one quarantine row per held row and rule; the payload alone has personal values.

    Args:
        held: the rows as read, with `data_day`; for a snapshot the day of landing.
        held_by: for each row the names of the rules that hold it.
    """
    columns = [column.name for column in table.columns]
    personal = {column.name for column in table.columns if column.personal}
    seen: dict[str, int] = {}
    hashes = fingerprint.row_hashes(held, columns)
    for row, row_hash, rules in zip(held.to_pylist(), hashes, held_by, strict=True):
        copies = seen[row_hash] = seen.get(row_hash, 0) + 1
        day = row.pop(DATA_DAY)
        for rule in rules:
            yield {
                "dataset": dataset.name,
                "table_name": table.name,
                "data_day": day,
                "row_hash": row_hash if copies == 1 else f"{row_hash}-{copies}",
                "row_key": json.dumps(
                    [MASK if name in personal else _plain(row[name]) for name in table.key]
                ),
                "rule": rule,
                "payload": {name: _plain(value) for name, value in row.items()},
                "run_id": run_id,
            }


def held(warehouse: Warehouse, dataset: str | None = None) -> list[dict[str, Any]]:
    """Return the rows in quarantine, newest day first, of one dataset or of all."""
    table = tables.quarantine
    query = sa.select(table).order_by(table.c.data_day.desc(), table.c.table_name, table.c.row_key)
    if dataset is not None:
        query = query.where(table.c.dataset == dataset)
    with warehouse.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value
