"""Warehouses with the shop's first edition published, made once and copied per test."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from include.settings import Settings, WarehouseAddress
from include.warehouse import migrate
from include.warehouse.engine import open_warehouse
from include.warehouse.tables import metadata
from tests.conftest import TEMPLATE, fresh_database, postgres_settings
from tests.faults.shop import TABLES, open_shop

Shops = Callable[[], AbstractContextManager[Settings]]
"""Opens one more copy of the shop: the settings of an installation of its own."""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shops(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shops]:
    """Copies of an installation with the first edition published, on each database."""
    folder = tmp_path_factory.mktemp("shops")
    if request.param == "sqlite":
        yield _sqlite_shops(folder)
        return
    server: WarehouseAddress = request.getfixturevalue("postgres_server")
    for address in fresh_database(server, TEMPLATE):
        settings = postgres_settings(folder, address)
        open_shop(settings)
        yield _postgres_shops(settings)


@pytest.fixture
def shop(shops: Shops) -> Iterator[Settings]:
    """One copy, for one test."""
    with shops() as settings:
        yield settings


def _sqlite_shops(folder: Path) -> Shops:
    made = Settings.from_env({"NIGHTSHIFT_HOME": str(folder / "made")}, code_revision="test")
    warehouse = open_warehouse(made)
    migrate.upgrade(warehouse)
    warehouse.dispose()
    open_shop(made)
    with sqlite3.connect(made.warehouse.database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    count = iter(range(10_000))

    @contextmanager
    def opened() -> Iterator[Settings]:
        home = folder / f"shop{next(count)}"
        shutil.copytree(made.home, home)
        yield Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
        shutil.rmtree(home)

    return opened


def _postgres_shops(settings: Settings) -> Shops:
    """Put the rows of one database back each time, which is quicker than a new database."""
    warehouse = open_warehouse(settings)
    names = [table.name for table in (*metadata.sorted_tables, *TABLES.all)]
    with warehouse.transaction() as connection:
        connection.exec_driver_sql("CREATE SCHEMA saved")
        for name in names:
            connection.exec_driver_sql(f"CREATE TABLE saved.{name} AS TABLE {name}")
    restore = f"TRUNCATE {', '.join(names)};" + "".join(
        f"INSERT INTO {name} SELECT * FROM saved.{name};" for name in names
    )

    @contextmanager
    def opened() -> Iterator[Settings]:
        with warehouse.transaction() as connection:
            connection.exec_driver_sql(restore)
        yield settings

    return opened
