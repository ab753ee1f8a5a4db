"""Makes the row that a correction puts in place of a held one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from include.declare import Column, Table
from include.errors import UsageError
from include.ingestion import forgotten
from include.ingestion.quarantine import MASK, plain

INT64 = range(-(2**63), 2**63)


def assignments(texts: Sequence[str]) -> dict[str, str]:
    """Return column → value for `COLUMN=VALUE` texts; raises `UsageError` for others."""
    values: dict[str, str] = {}
    for text in texts:
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise UsageError("write what is corrected as COLUMN=VALUE, a column at a time")
        if column in values:
            raise UsageError(f"{column} is given twice")
        values[column] = value
    return values


def corrected(table: Table, row: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Return a row as JSON has it, with some values replaced.

    Args:
        row: the row as it came.
        values: column → new value as text, in the type of the declaration; empty for none.

    Raises:
        UsageError: a column is unknown, or a value is none of its type.
    """
    if not values:
        raise UsageError("say what is corrected as COLUMN=VALUE")
    columns = {column.name: column for column in table.columns}
    unknown = sorted(values.keys() - columns.keys())
    if unknown:
        raise UsageError(
            f"{table.name} has no column {', '.join(unknown)}; its columns are: "
            f"{', '.join(columns)}"
        )
    new = {name: _value(columns[name], text) for name, text in values.items()}
    if all(row.get(name) == value for name, value in new.items()):
        raise UsageError(f"the row has {', '.join(new)} as given: nothing would be corrected")
    return {**{name: row.get(name) for name in columns}, **new}


def told(table: Table, row: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
    """Return what a correction changes, in words, personal values masked."""
    personal = {column.name for column in table.columns if column.personal}
    changes = []
    for name, value in payload.items():
        if value != row.get(name):
            before, after = (MASK, MASK) if name in personal else (row.get(name), value)
            changes.append(f"{name} {_shown(before)} → {_shown(after)}")
    return ", ".join(changes)


def _value(column: Column, text: str) -> Any:
    if not text:
        return None
    value = forgotten.parse(column, text)
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"the value given for {column.name} is not a finite number")
    if column.type == "int64" and value not in INT64:
        raise UsageError(f"the value given for {column.name} does not fit 64 bits")
    return plain(value)


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
