"""Care for the warehouse itself: what the database needs to stay small and fast."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import sqlalchemy as sa

from include.declare import UseCase
from include.errors import StorageUnavailable
from include.warehouse import staging
from include.warehouse.engine import Warehouse
from include.warehouse.use_cases import use_case_tables

FREE_SHARE, FREE_BYTES = 0.25, 2**20
"""Free pages of a SQLite file, as a share of it and at least, from which it is written anew."""

PATIENCE = 5.0
"""Seconds to wait for others on SQLite, whose writers wait meanwhile."""


def care(warehouse: Warehouse, use_cases: Sequence[UseCase]) -> tuple[str, int]:
    """Tidy the database up; returns what was done and how many bytes were freed.

    Raises `StorageUnavailable`.
    """
    if warehouse.is_sqlite:
        return _care_for_sqlite(warehouse)
    return _care_for_postgres(warehouse, use_cases), 0


def drop_orphans(warehouse: Warehouse, dry_run: bool = False) -> list[str]:
    """Drop the staging tables of dead runs, each on its own; returns their names."""
    with warehouse.reading() as connection:
        names = staging.orphans(connection)
    for name in [] if dry_run else names:
        with warehouse.transaction() as connection:
            staging.drop(connection, name)
    return names


def _care_for_sqlite(warehouse: Warehouse) -> tuple[str, int]:
    """Write the log back into the file; write the file anew when much of it is free."""
    try:
        connection = sqlite3.connect(
            warehouse.address.database, timeout=PATIENCE, isolation_level=None
        )
        with closing(connection):
            connection.execute("PRAGMA optimize")
            pages, free, page = (
                int(connection.execute(f"PRAGMA {name}").fetchone()[0])
                for name in ("page_count", "freelist_count", "page_size")
            )
            emptied = free * page >= max(FREE_BYTES, FREE_SHARE * pages * page)
            if emptied:
                connection.execute("VACUUM")
            (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise StorageUnavailable(
            f"{warehouse.name} cannot be tidied up: {error}; check that nothing else has it open "
            "for writing and that there is space for a second copy, then run again"
        ) from error
    told = "statistics are up to date"
    told += ", its log is in use by a reader" if busy else ", its log is written back"
    return told + (", the file is written anew" if emptied else ""), free * page if emptied else 0


def _care_for_postgres(warehouse: Warehouse, use_cases: Sequence[UseCase]) -> str:
    """Vacuum and analyse the use cases' tables; those of another owner are passed over by it."""
    with warehouse.speaking(), warehouse.engine.connect() as opened:
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        inspector, cared = sa.inspect(connection), 0
        for table in (it for case in use_cases for it in use_case_tables(case).all):
            if inspector.has_table(table.name):
                place = connection.dialect.identifier_preparer.format_table(table)
                connection.exec_driver_sql(f"VACUUM (ANALYZE, SKIP_LOCKED) {place}")
                cared += 1
    return f"{cared} table(s) vacuumed and analysed"
