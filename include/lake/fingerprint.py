"""Content hashes: the same rows give the same hash, in any order and any window."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from include.lake import delta
from include.lake.schema import DATA_DAY


def of_values(*values: Any) -> str:
    """Return the SHA-256 of plain values, as JSON with sorted keys."""
    text = json.dumps(values, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def of_days(rows: pa.Table, days: Sequence[date]) -> dict[date, str]:
    """Return day → SHA-256 of the day's rows, empty days included.

    Each row is written as text and hashed, the row hashes of a day are sorted and hashed
    together: an order-independent multiset hash that keeps duplicates.
    """
    hashes = dict.fromkeys(days, of_values([]))
    columns = [name for name in rows.schema.names if name != DATA_DAY]
    with delta.connect() as connection:
        found = connection.from_arrow(rows).aggregate(f"{DATA_DAY}, {_hash_of_rows(columns)}")
        hashes.update({day: str(value) for day, value in found.fetchall()})
    return hashes


def of_table(rows: pa.Table) -> str:
    """Return the SHA-256 of all rows, in any order, over all columns."""
    with delta.connect() as connection:
        found = connection.from_arrow(rows).aggregate(_hash_of_rows(rows.schema.names))
        ((value,),) = found.fetchall()
    return of_values([]) if value is None else str(value)


def row_hashes(rows: pa.Table, columns: Sequence[str]) -> list[str]:
    """Return the MD5 of each row over `columns`, in the order of the rows."""
    with delta.connect() as connection:
        numbered = rows.append_column("_row", pa.array(range(len(rows)), pa.int64()))
        relation = connection.from_arrow(numbered)
        hashed = relation.project(f"_row, md5({_row_text(columns)}) AS hash").order("_row")
        return [str(value) for _, value in hashed.fetchall()]


def _hash_of_rows(columns: Sequence[str]) -> str:
    """Return SQL that hashes a group of rows."""
    row = f"md5({_row_text(columns)})"
    return f"sha256(string_agg({row}, '' ORDER BY {row})) AS hash"


def _row_text(columns: Sequence[str]) -> str:
    """Return SQL for a row as text; separators and the mark of null cannot occur in data."""
    parts = ", ".join(f"coalesce({delta.quote(name)}::VARCHAR, chr(30))" for name in columns)
    return f"concat_ws(chr(31), {parts})"
