"""Bulk loads of canonical rows: ADBC on Postgres, `executemany` on SQLite.

Both skip SQLAlchemy's per-row work and store what its own types would store, so that either
way of writing reads back the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from include.warehouse.engine import Warehouse, libpq_uri
from include.warehouse.frames import plain

_log = logging.getLogger(__name__)


class PostgresLoad:
    """A connection of ADBC's, and a thread so that the next batch is made while one loads.

    Made by `loading`. Every batch is committed by itself, in the order they came.
    """

    def __init__(self, warehouse: Warehouse, connection: Any, thread: ThreadPoolExecutor) -> None:
        self._warehouse = warehouse
        self._connection = connection
        self._thread = thread
        self._last: Future[None] | None = None

    def insert(self, table: sa.Table, rows: pa.Table) -> None:
        """Begin to append canonical rows to a table that has their columns.

        Waits for the batch before, so that two are in memory at most.

        Raises `StorageUnavailable` when that one found the database gone, full or read-only.
        """
        self.finish()
        self._last = self._thread.submit(self._insert, table, rows)

    def finish(self) -> None:
        """Wait until everything is loaded; raises as `insert` does."""
        if self._last is not None:
            self._last.result()

    def _insert(self, table: sa.Table, rows: pa.Table) -> None:
        with self._warehouse.speaking(), self._connection.cursor() as cursor:
            cursor.adbc_ingest(table.name, plain(rows), mode="append", db_schema_name=table.schema)


@contextmanager
def loading(warehouse: Warehouse) -> Iterator[PostgresLoad]:
    """Connect ADBC to a Postgres warehouse for the length of the block.

    It is a connection beside SQLAlchemy's: what it loads, other transactions see.
    """
    from adbc_driver_postgresql import dbapi  # SQLite's users need not pay for its import

    with warehouse.speaking():
        connection = dbapi.connect(libpq_uri(warehouse.address), autocommit=True)
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="load") as thread:
            yield PostgresLoad(warehouse, connection, thread)
    finally:
        try:
            connection.close()
        except dbapi.Error as error:
            _log.warning("the load's connection to %s did not close: %s", warehouse.name, error)


def insert_sqlite(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Insert canonical rows inside an open transaction of SQLite."""
    marks = ", ".join("?" for _ in rows.column_names)
    statement = f"INSERT INTO {target(connection, table, rows)} VALUES ({marks})"
    columns = [_sqlite_values(it.combine_chunks()) for it in rows.columns]
    connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))


def target(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> str:
    """Return a table and the columns that rows have, as `INSERT` and `COPY` name them."""
    preparer = connection.dialect.identifier_preparer
    names = ", ".join(preparer.format_column(table.c[name]) for name in rows.column_names)
    return f"{preparer.format_table(table)} ({names})"


def _sqlite_values(values: pa.Array) -> list[Any]:
    """Return values as SQLAlchemy stores them on SQLite: days and instants are text."""
    if pa.types.is_dictionary(values.type):
        texts = [*values.dictionary.to_pylist(), None]
        return [texts[code] for code in values.indices.fill_null(-1).to_pylist()]
    if pa.types.is_date32(values.type):
        return _told(values, "D")
    if pa.types.is_timestamp(values.type):
        return [None if it is None else it.replace("T", " ") for it in _told(values, "us")]
    listed: list[Any] = values.to_pylist()
    return listed


def _told(values: pa.Array, unit: Any) -> list[Any]:
    """Return days or instants in ISO form, those that repeat converted once."""
    coded = values.dictionary_encode()
    stamps = coded.dictionary.cast(pa.timestamp("us")).to_numpy().astype(f"datetime64[{unit}]")
    texts = [*np.datetime_as_string(stamps, unit=unit).tolist(), None]
    return [texts[code] for code in coded.indices.fill_null(-1).to_pylist()]
