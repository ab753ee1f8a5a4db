"""Bulk inserts inside an open transaction: `COPY` on Postgres, `executemany` on SQLite.

Both skip SQLAlchemy's per-row work. The values are converted column by column, to the text
that SQLAlchemy's own types store, so that either way of writing reads back the same.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import sqlalchemy as sa

from include.warehouse.tables import UTC

CHUNK = 50_000
"""Rows converted and sent at a time, which bounds the memory of a load."""


def insert_frame(connection: sa.Connection, table: sa.Table, rows: pd.DataFrame) -> int:
    """Insert canonical rows (see `frames.canonical`); returns how many.

    Args:
        connection: an open transaction; the rows are committed with it.
        table: where they go.
        rows: any subset of the table's columns.
    """
    insert = _insert_sqlite if connection.dialect.name == "sqlite" else _copy_postgres
    for start in range(0, len(rows), CHUNK):
        insert(connection, table, rows.iloc[start : start + CHUNK])
    return len(rows)


def _insert_sqlite(connection: sa.Connection, table: sa.Table, rows: pd.DataFrame) -> None:
    marks = ", ".join("?" for _ in rows.columns)
    statement = f"INSERT INTO {_place(connection, table, rows)} VALUES ({marks})"
    columns = [_sqlite_values(table.c[name].type, rows[name]) for name in rows.columns]
    connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))


def _sqlite_values(kind: Any, values: pd.Series[Any]) -> list[Any]:
    missing = values.isna().to_numpy()
    if isinstance(kind, sa.Date):
        texts = np.datetime_as_string(values.to_numpy(), unit="D").astype(object)
    elif isinstance(kind, UTC):
        instants = values.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
        joined = np.char.replace(np.datetime_as_string(instants, unit="us"), "T", " ")
        texts = joined.astype(object)
    else:
        texts = values.astype(object).to_numpy(dtype=object, copy=True)
    texts[missing] = None
    listed: list[Any] = texts.tolist()
    return listed


def _copy_postgres(connection: sa.Connection, table: sa.Table, rows: pd.DataFrame) -> None:
    arrays = [
        pa.Array.from_pandas(rows[name], type=_arrow_type(table.c[name].type))
        for name in rows.columns
    ]
    buffer = io.BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False)
    pyarrow.csv.write_csv(pa.table(arrays, names=list(rows.columns)), buffer, options)
    driver: Any = connection.connection.driver_connection
    statement = f"COPY {_place(connection, table, rows)} FROM STDIN (FORMAT csv)"
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(buffer.getbuffer())


def _arrow_type(kind: Any) -> pa.DataType:
    if isinstance(kind, sa.Date):
        return pa.date32()
    if isinstance(kind, UTC):
        return pa.timestamp("us", "UTC")
    if isinstance(kind, sa.Double):
        return pa.float64()
    if isinstance(kind, sa.BigInteger):
        return pa.int64()
    return pa.bool_() if isinstance(kind, sa.Boolean) else pa.string()


def _place(connection: sa.Connection, table: sa.Table, rows: pd.DataFrame) -> str:
    """Return the quoted table and columns, which come from declarations alone."""
    preparer = connection.dialect.identifier_preparer
    names = ", ".join(preparer.format_column(table.c[name]) for name in rows.columns)
    return f"{preparer.format_table(table)} ({names})"
