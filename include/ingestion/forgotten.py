"""Subjects erased on request: known by a hash alone, and discarded when they come again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from include.declare import Column, Dataset
from include.errors import UsageError
from include.lake import fingerprint
from include.warehouse.tables import forgotten_subjects

Subjects = Mapping[tuple[str, ...], frozenset[str]]
"""Columns that name a subject → hashes of the subjects they name."""

_BOOLEANS = {"true": True, "false": False}


def parse(column: Column, text: str) -> Any:
    """Return a value of a column as the lake holds it; raises `UsageError`."""
    try:
        if column.type == "timestamp":
            instant = datetime.fromisoformat(text)
            return instant.replace(tzinfo=instant.tzinfo or UTC).astimezone(UTC)
        if column.type == "bool":
            return _BOOLEANS[text.lower()]
        return {"int64": int, "float64": float, "string": str}[column.type](text)
    except (ValueError, KeyError):
        raise UsageError(f"the value given for {column.name} is no {column.type}") from None


def key_hash(dataset: str, subject: Mapping[str, Any]) -> str:
    """Return what is kept of a subject: a SHA-256 of dataset, columns and values."""
    return fingerprint.of_values(dataset, {name: _plain(it) for name, it in subject.items()})


def read(connection: sa.Connection, dataset: Dataset) -> Subjects:
    """Return the subjects of a dataset that were erased on request."""
    table = forgotten_subjects.c
    query = sa.select(table.key_columns, table.key_hash).where(table.dataset == dataset.name)
    found: dict[tuple[str, ...], frozenset[str]] = {}
    for columns, hashed in connection.execute(query):
        names = tuple(columns)
        found[names] = found.get(names, frozenset()) | {hashed}
    return found


def split(dataset: Dataset, rows: pa.Table, subjects: Subjects) -> tuple[pa.Table, pa.Table]:
    """Return the rows to land, and those of forgotten subjects, which are discarded."""
    gone = None
    for columns, hashes in subjects.items():
        if set(columns) <= set(rows.column_names):
            for subject in _forgotten(dataset, rows, columns, hashes):
                mask = _equal(rows, subject)
                gone = mask if gone is None else pc.or_(gone, mask)
    if gone is None:
        return rows, rows.slice(0, 0)
    return rows.filter(pc.invert(gone)), rows.filter(gone)


def _forgotten(
    dataset: Dataset, rows: pa.Table, columns: Sequence[str], hashes: frozenset[str]
) -> Iterator[dict[str, Any]]:
    """Yield the forgotten subjects that occur in rows."""
    distinct = rows.select(list(columns)).group_by(list(columns)).aggregate([])
    for subject in distinct.to_pylist():
        if key_hash(dataset.name, subject) in hashes:
            yield subject


def _equal(rows: pa.Table, subject: Mapping[str, Any]) -> pa.ChunkedArray:
    """Return which rows have all values of a subject; a missing value is nobody's."""
    same = None
    for name, value in subject.items():
        values = rows.column(name)
        here = pc.fill_null(pc.equal(values, pa.scalar(value, values.type)), False)
        same = here if same is None else pc.and_(same, here)
    return same


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime | date) else value
