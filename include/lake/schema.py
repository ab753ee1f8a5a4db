"""Explicit arrow schemas of lake tables, and the check that a frame fits one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from include.declare import Column, Table
from include.errors import SchemaBreak

DATA_DAY = "data_day"

ARROW_TYPES: dict[str, pa.DataType] = {
    "string": pa.string(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def arrow_schema(table: Table) -> pa.Schema:
    """Return the stored schema of a declared table; events and changes carry `data_day`."""
    fields = [_field(column) for column in table.columns]
    if table.kind != "snapshot":
        fields.append(pa.field(DATA_DAY, pa.date32(), nullable=False))
    return pa.schema(fields)


def of_days(rows: pa.Table, days: Collection[date]) -> pa.Table:
    """Return the rows of some days."""
    wanted = pa.array(list(days), pa.date32())
    return rows.filter(pc.is_in(rows.column(DATA_DAY), value_set=wanted))


def conform(rows: pa.Table, schema: pa.Schema, where: str) -> tuple[pa.Table, list[str]]:
    """Return `rows` with exactly the columns and types of `schema`, and the columns left out.

    A value is never changed to fit: a cast that would lose information counts as another
    type. Columns that the schema does not name are left out and returned by name, so that the
    landing can record them.

    Raises:
        SchemaBreak: columns are missing or have another type; names each with both types.
    """
    problems: list[str] = []
    arrays: list[pa.ChunkedArray] = []
    for wanted in schema:
        if wanted.name not in rows.schema.names:
            problems.append(f"{wanted.name} is missing (expected {wanted.type})")
            continue
        given = rows.column(wanted.name)
        try:
            arrays.append(_cast(given, wanted.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
            problems.append(f"{wanted.name} is {given.type} (expected {wanted.type})")
    extra = [name for name in rows.schema.names if name not in schema.names]
    if problems:
        added = f"; not expected: {', '.join(extra)}" if extra else ""
        raise SchemaBreak(
            f"{where}: {'; '.join(problems)}{added}. Repair the source, or change the "
            "declaration of the table, and land the day again"
        )
    return pa.table(arrays, schema=_nullable(schema)), extra


def _cast(values: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if values.type == wanted:
        return values
    if pa.types.is_null(values.type):
        return values.cast(wanted)
    textual = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if textual != pa.types.is_string(wanted):
        raise pa.ArrowTypeError("text and non-text are never cast into each other")
    if pa.types.is_timestamp(wanted) != pa.types.is_timestamp(values.type):
        raise pa.ArrowTypeError("instants and numbers are never cast into each other")
    if pa.types.is_timestamp(wanted) and values.type.tz is None:
        raise pa.ArrowTypeError("an instant without a time zone")
    return pc.cast(values, wanted, safe=True)


def _field(column: Column) -> pa.Field:
    # Without the description: Delta refuses rows whose comments are not those of the table.
    return pa.field(column.name, ARROW_TYPES[column.type], nullable=column.nullable)


def _nullable(schema: pa.Schema) -> pa.Schema:
    """Return the schema with every column nullable: nulls are judged by rules, per day."""
    return pa.schema([field.with_nullable(True) for field in schema])
