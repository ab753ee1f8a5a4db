"""The database is tidied up while others read it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.errors import StorageUnavailable
from include.upkeep import database
from include.warehouse.engine import Warehouse
from include.warehouse.use_cases import UseCaseTables
from tests.scoring.publishing import DAYS, NOON, publish, rows
from tests.warehouse.conftest import USE_CASE, tables, use_case

__all__ = ["tables", "use_case"]

ON_SQLITE = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)


def fill(warehouse: Warehouse) -> None:
    """Publish 6,000 scores, then others, so that there are as many revisions."""
    for number in range(2):
        said = [{"order_number": n, "prediction": number / 2} for n in range(6000)]
        at = NOON + timedelta(days=number)
        publish(warehouse, USE_CASE, DAYS[:1], rows(*said), at, f"run {number}")


def test_care_changes_no_row(warehouse: Warehouse, tables: UseCaseTables) -> None:
    fill(warehouse)
    query = sa.select(tables.scores).order_by(*(tables.scores.c[it] for it in tables.key))
    with warehouse.reading() as connection:
        before = connection.execute(query).all()
    for _ in range(2):
        told, freed = database.care(warehouse, [USE_CASE])
    assert freed == 0
    assert told.startswith("statistics are" if warehouse.is_sqlite else "4 table(s) vacuumed")
    with warehouse.reading() as connection:
        assert connection.execute(query).all() == before


@pytest.mark.parametrize("warehouse_settings", ["postgres"], indirect=True)
def test_postgres_knows_how_many_rows_there_are(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    fill(warehouse)
    database.care(warehouse, [USE_CASE])
    query = "SELECT reltuples FROM pg_class WHERE relname = 'late_order_scores_revisions'"
    with warehouse.reading() as connection:
        assert connection.scalar(sa.text(query)) == 6000


@ON_SQLITE
def test_a_file_that_is_mostly_free_is_written_anew(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    fill(warehouse)
    path = Path(warehouse.address.database)
    wal = path.with_name(f"{path.name}-wal")
    database.care(warehouse, [USE_CASE])
    assert not wal.exists() or wal.stat().st_size == 0
    size = path.stat().st_size
    with warehouse.transaction() as connection:
        connection.execute(sa.delete(tables.revisions))
    assert path.stat().st_size == size
    told, freed = database.care(warehouse, [USE_CASE])
    assert "written anew" in told
    assert freed >= database.FREE_BYTES
    assert path.stat().st_size <= size - freed
    assert not wal.exists() or wal.stat().st_size == 0


@ON_SQLITE
def test_a_reader_keeps_its_snapshot(
    warehouse: Warehouse, tables: UseCaseTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    count = sa.select(sa.func.count()).select_from(tables.scores)
    fill(warehouse)
    with warehouse.reading() as reader:
        assert reader.scalar(count) == 6000
        publish(warehouse, USE_CASE, DAYS[:1], rows(), NOON + timedelta(days=9), "run 9")
        told, _ = database.care(warehouse, [USE_CASE])
        assert "in use by a reader" in told
        assert reader.scalar(count) == 6000


@ON_SQLITE
def test_a_database_in_use_is_named(
    warehouse: Warehouse, tables: UseCaseTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(warehouse)
    with warehouse.transaction() as connection:
        connection.execute(sa.delete(tables.revisions))
    monkeypatch.setattr(database, "PATIENCE", 0.05)
    with (
        warehouse.transaction(),
        pytest.raises(StorageUnavailable, match=r"warehouse.db cannot be tidied up: .*locked"),
    ):
        database.care(warehouse, [USE_CASE])
