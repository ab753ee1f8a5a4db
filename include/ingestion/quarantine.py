"""Rows that were held back: written with the day they belong to, listed for people."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from include.declare import Dataset, Table
from include.ingestion import resolution
from include.ingestion.decisions import of_the_row
from include.ingestion.resolution import Resolved
from include.lake import fingerprint
from include.lake.schema import DATA_DAY
from include.validation.gates import Judgement
from include.warehouse import tables
from include.warehouse.engine import Warehouse

MASK = "•••"
"""What stands in a row's key, which is printed, for a personal value."""


def entries(
    dataset: Dataset, table: Table, judgement: Judgement, resolved: Resolved, run_id: str
) -> Iterator[dict[str, Any]]:
    """Yield one quarantine row per row and rule that holds it or that was decided about.

    The payload is the row as it came, also where a correction took its place, and alone has
    personal values. `decision` is empty while the rule holds the row.
    """
    came = {it.position: it.row for it in resolved.settled if it.position is not None}
    held: set[tuple[date, str, str]] = set()
    names = [column.name for column in table.columns]
    rows = judgement.held.to_pylist()
    hashes = resolution.number(
        fingerprint.row_hashes(judgement.held, names), [row[DATA_DAY] for row in rows]
    )
    found = zip(rows, hashes, judgement.held_at, judgement.held_by, strict=True)
    for row, own_hash, position, rules in found:
        row_hash = resolved.hashes.get(position, own_hash)
        for rule in rules:
            held.add((row[DATA_DAY], row_hash, rule))
            yield _entry(dataset, table, came.get(position, row), row_hash, rule, run_id)
    for settled in resolved.settled:
        whole = of_the_row(settled.decisions)
        for rule, decision in settled.decisions.items():
            if (settled.row[DATA_DAY], settled.row_hash, rule) not in held:
                entry = _entry(dataset, table, settled.row, settled.row_hash, rule, run_id)
                yield {**entry, "decision": (whole or decision).action}


def _entry(
    dataset: Dataset, table: Table, row: Mapping[str, Any], row_hash: str, rule: str, run_id: str
) -> dict[str, Any]:
    personal = {column.name for column in table.columns if column.personal}
    return {
        "dataset": dataset.name,
        "table_name": table.name,
        "data_day": row[DATA_DAY],
        "row_hash": row_hash,
        "row_key": json.dumps(
            [MASK if name in personal else plain(row[name]) for name in table.identity],
            ensure_ascii=False,
        ),
        "rule": rule,
        "payload": {name: plain(value) for name, value in row.items() if name != DATA_DAY},
        "run_id": run_id,
        "decision": None,
    }


def listed(
    warehouse: Warehouse,
    dataset: str | None = None,
    *,
    table_name: str | None = None,
    row_hashes: Collection[str] | None = None,
    rule: str | None = None,
    days: Collection[date] | None = None,
    decided: bool = True,
) -> list[dict[str, Any]]:
    """Return rows of `quarantine`, newest day first; what is None does not narrow them.

    Args:
        decided: whether rows that the last landing decided about are among them.
    """
    table = tables.quarantine.c
    query = sa.select(tables.quarantine).order_by(
        table.data_day.desc(), table.table_name, table.row_key, table.entry
    )
    one = (table.dataset, dataset), (table.table_name, table_name), (table.rule, rule)
    for column, value in one:
        if value is not None:
            query = query.where(column == value)
    for column, values in ((table.row_hash, row_hashes), (table.data_day, days)):
        if values is not None:
            query = query.where(column.in_(values))
    if not decided:
        query = query.where(table.decision.is_(None))
    with warehouse.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def plain(value: Any) -> Any:
    """Return a value as JSON has it; numbers that are none as text: inf, -inf, nan."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.isoformat() if isinstance(value, datetime | date) else value
