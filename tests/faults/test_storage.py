"""The warehouse goes away, is locked or fills up in mid-load: told, nothing visible, healed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa

from include.errors import LockHeld, StorageUnavailable
from include.settings import Settings, WarehouseAddress
from include.warehouse import engine
from include.warehouse.engine import open_warehouse
from tests.faults.conftest import Shops
from tests.faults.matrix import Fault, meets
from tests.faults.shop import (
    WEEK,
    context,
    publish,
    publish_second,
    runs,
    second,
    see,
)
from tests.faults.statements import READING, before_every_statement

GONE = (StorageUnavailable, LockHeld)
"""Both are tried again; the second is what a broken lock connection is told as."""


def heavy(days: Sequence[date]) -> pd.DataFrame:
    """Return the second edition with more to say than a page of a database holds."""
    return second(days).assign(reason_1="so " * 3000)


def publish_heavy(settings: Settings, between: Callable[[], None] = lambda: None) -> None:
    """Publish it, in a warehouse opened for that."""
    warehouse = open_warehouse(settings)
    try:
        publish(warehouse, WEEK, heavy, "heavy", context(1), between)
    finally:
        warehouse.dispose()


@meets(
    Fault(
        "Storage and processes",
        "Postgres goes away before any one of the statements that write",
        "score: one transaction, and a transient error",
        "the task is tried again and ends well",
    )
)
def test_postgres_going_away_before_any_write(shops: Shops, request: pytest.FixtureRequest) -> None:
    """Every connection is cut, those of the bulk load too: tried again it ends well."""
    statements: list[str] = []
    with shops() as settings:
        if settings.warehouse.dialect == "sqlite":
            pytest.skip("a file has no connections to cut")
        before = see(settings)
        with before_every_statement(statements.append):
            publish_second(settings)
        after = see(settings)
    server: WarehouseAddress = request.getfixturevalue("postgres_server")
    failed = []
    with psycopg.connect(host=server.host, user=server.user, autocommit=True) as admin:
        for place, statement in enumerate(statements):
            if statement.startswith(READING):
                continue  # the connection is as gone before the next statement that writes
            with shops() as settings:
                cut = _cut(admin, settings.warehouse.database, place)
                try:
                    with before_every_statement(cut):
                        publish_second(settings)
                except GONE:
                    failed.append(statement)
                left = see(settings)
                assert left.written in (before.written, after.written), statement
                publish_second(settings, hour=2)
                assert see(settings) == after, statement
                assert all(run.status != "running" for run in runs(settings)), statement
    writing = [it for it in statements if it.startswith(("INSERT", "DELETE", "ADBC", "COMMIT"))]
    assert set(writing) <= set(failed), "a lost connection passed unnoticed"


def _cut(admin: psycopg.Connection[Any], database: str, place: int) -> Callable[[str], None]:
    sent = 0

    def hook(_statement: str) -> None:
        nonlocal sent
        if sent == place:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
                [database],
            )
        sent += 1

    return hook


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite waits a moment for others, not half a minute."""
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)


@meets(
    Fault(
        "Storage and processes",
        "somebody's own transaction holds the scores",
        "score: the time-out of the database",
        "an error that says so; nothing is written, the next run ends well",
    )
)
@pytest.mark.parametrize("batches", [0, 1, 3])
@pytest.mark.usefixtures("impatient")
def test_a_write_lock_of_somebody_else_is_told(shops: Shops, batches: int) -> None:
    """Somebody's own transaction holds the scores, from before the run or from mid-load on."""
    with shops() as settings:
        before, added = see(settings), 0
        warehouse = open_warehouse(settings)
        other = _Locker(settings)

        def between() -> None:
            nonlocal added
            added += 1
            if added == batches:
                other.lock()

        if batches == 0:
            other.lock()
        try:
            with pytest.raises(StorageUnavailable, match=r"cannot be used: .*lock"):
                publish(warehouse, WEEK, second, "second", context(1), between)
            assert see(settings).written == before.written
        finally:
            other.free()
        publish(warehouse, WEEK, second, "second", context(2))
        warehouse.dispose()
        assert len(see(settings).done) == len(WEEK)


class _Locker:
    """Somebody else at the same database."""

    def __init__(self, settings: Settings) -> None:
        self._warehouse = open_warehouse(settings)
        self._connection: sa.Connection | None = None

    def lock(self) -> None:
        self._connection = self._warehouse.engine.connect()
        self._connection.begin()
        if not self._warehouse.is_sqlite:
            self._connection.exec_driver_sql("LOCK TABLE late_order_scores IN EXCLUSIVE MODE")

    def free(self) -> None:
        if self._connection is not None:
            self._connection.rollback()
            self._connection.close()
        self._warehouse.dispose()


@contextmanager
def _room(schema: str, pages: int) -> Iterator[None]:
    """Let every SQLite connection opened inside the block have so many pages and no more."""

    def limit(connection: sa.Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.execute(f"PRAGMA {schema}.max_page_count = {pages}")

    sa.event.listen(sa.Engine, "engine_connect", limit)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "engine_connect", limit)


@meets(
    Fault(
        "Storage and processes",
        "the disk is full at any page of SQLite's file or of its temporary store",
        "score: one transaction",
        "an error that says so; the scores from before stand",
    )
)
@pytest.mark.parametrize("schema", ["main", "temp"])
def test_a_full_disk_at_any_page_of_sqlite(shops: Shops, schema: str) -> None:
    """The file, or the temporary store of the staging, has ever more room, until it suffices."""
    with shops() as settings:
        if settings.warehouse.dialect != "sqlite":
            pytest.skip("Postgres fills up by its file system: test_full_postgres")
        before = see(settings)
        with sqlite3.connect(settings.warehouse.database) as connection:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.close()
    failed = 0
    for room in range(0, 400, 9):
        with shops() as settings:
            limit = room + (pages if schema == "main" else 1)
            try:
                with _room(schema, limit):
                    publish_heavy(settings)
            except StorageUnavailable as error:
                assert "full" in str(error)
                failed += 1
                assert see(settings).written == before.written, room
                publish_heavy(settings)
                assert len(see(settings).done) == len(WEEK)
            else:
                break
    else:
        pytest.fail("it never fitted")
    assert failed >= 3, "it fitted at once"
