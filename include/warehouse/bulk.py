"""Bulk inserts inside an open transaction: `COPY` on Postgres, `executemany` on SQLite."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.csv
import sqlalchemy as sa

from include.warehouse import load

CHUNK = 50_000
"""Rows converted and sent at a time, which bounds the memory of a load."""


def insert_rows(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> int:
    """Insert arrow rows, columns named as the table's; returns how many.

    They are committed with the transaction that is open on the connection.
    """
    insert = load.insert_sqlite if connection.dialect.name == "sqlite" else _copy
    for start in range(0, rows.num_rows, CHUNK):
        insert(connection, table, rows.slice(start, CHUNK))
    return int(rows.num_rows)


def _copy(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    buffer = io.BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=False)
    pyarrow.csv.write_csv(rows, buffer, options)
    statement = f"COPY {load.target(connection, table, rows)} FROM STDIN (FORMAT csv)"
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(buffer.getbuffer())
