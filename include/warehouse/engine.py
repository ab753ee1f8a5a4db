"""The warehouse connection: SQLite in WAL mode or Postgres, behind one small object.

Writers on SQLite begin with `BEGIN IMMEDIATE`, so that two of them wait for each other
instead of failing at commit. Readers see one consistent snapshot on both databases.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import adbc_driver_manager
import psycopg
import sqlalchemy as sa
from filelock import FileLock

from include.errors import ConfigurationError, StorageUnavailable
from include.settings import Settings, WarehouseAddress

BUSY_SECONDS = 30
"""How long a statement waits for somebody else's transaction."""

_SQLITE_STORAGE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
_POSTGRES_LIMIT = "54"
_POSTGRES_READ_ONLY = "25006"
_POSTGRES_STORAGE = frozenset({"08", "53", "57", "58"})
"""Classes of errors: connection, resources, operator intervention, system."""

_PSYCOPG_ONLY = frozenset({"autocommit", "prepare_threshold"})
"""Connection options that psycopg takes itself and libpq does not know."""


@dataclass(frozen=True)
class Warehouse:
    """An open warehouse.

    Attributes:
        engine: SQLAlchemy's engine; prefer `transaction` and `reading`.
        address: where it is.
        lock_folder: where the lock files of a SQLite warehouse are.

    """

    engine: sa.Engine
    address: WarehouseAddress
    lock_folder: Path

    @property
    def name(self) -> str:
        """The warehouse in words, without the password."""
        if self.address.dialect == "sqlite":
            return f"the SQLite warehouse {self.address.database}"
        user = f"{self.address.user}@" if self.address.user else ""
        port = f":{self.address.port}" if self.address.port else ""
        host = self.address.host or "localhost"
        return f"the Postgres warehouse {user}{host}{port}/{self.address.database}"

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite rather than Postgres."""
        return self.address.dialect == "sqlite"

    @contextmanager
    def transaction(self, on: sa.Connection | None = None) -> Iterator[sa.Connection]:
        """Open a writing transaction; commits at the end, rolls back on any exception.

        It is opened on the idle connection `on`, which stays open, or on one of its own.

        Raises `StorageUnavailable` when the database is out of reach, full, busy or read-only.
        """
        place = self.engine.connect() if on is None else nullcontext(on)
        with self.speaking(), place as connection, connection.begin():
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a connection on which all statements see the same snapshot.

        Raises `StorageUnavailable` when the database is out of reach.
        """
        options: dict[str, Any] = (
            {"sqlite_begin": "BEGIN"}
            if self.is_sqlite
            else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        with self.speaking(), self.engine.connect() as connection:
            connection = connection.execution_options(**options)
            with connection.begin():
                yield connection

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Turn the driver's storage errors inside the block into `StorageUnavailable`."""
        try:
            yield
        except (sa.exc.DBAPIError, psycopg.Error, adbc_driver_manager.Error) as error:
            if not _is_storage_error(error):
                raise
            detail = str(getattr(error, "orig", error)).strip().splitlines()
            raise StorageUnavailable(
                f"{self.name} cannot be used: {detail[0] if detail else type(error).__name__}; "
                "check that it is running, writable and has space, then run again"
            ) from error

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def open_warehouse(settings: Settings) -> Warehouse:
    """Open the warehouse the settings name, creating a SQLite file that is not there yet.

    Raises `StorageUnavailable` that names the address, without its password, when it cannot
    be reached or written; `ConfigurationError` for connection options the driver refuses.
    """
    address = settings.warehouse
    if address.dialect == "sqlite":
        warehouse = _open_sqlite(address)
    else:
        warehouse = Warehouse(_postgres_engine(address), address, settings.home / "locks")
    try:
        with warehouse.reading() as connection:
            connection.execute(sa.select(sa.literal(1)))
    except sa.exc.ProgrammingError as error:
        raise ConfigurationError(
            f"{warehouse.name} refuses its connection options: {error.orig}; "
            "check the Airflow connection 'warehouse'"
        ) from error
    return warehouse


def _open_sqlite(address: WarehouseAddress) -> Warehouse:
    path = Path(address.database).expanduser().absolute()
    lock_folder = path.with_name(path.name + ".locks")
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_SECONDS},
        json_serializer=to_json,
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    warehouse = Warehouse(engine, address, lock_folder)
    try:
        lock_folder.mkdir(parents=True, exist_ok=True)
        with FileLock(lock_folder / "open.lock", timeout=BUSY_SECONDS):
            _ensure_wal(path)
    except (OSError, sqlite3.Error) as error:
        raise StorageUnavailable(
            f"{warehouse.name} cannot be opened for writing: {error}; check the path, "
            "its permissions and the free space"
        ) from error
    return warehouse


def _ensure_wal(path: Path) -> None:
    """Switch the file to WAL once; the mode is kept in the file."""
    for place in (path, path.parent):
        if place.exists() and not os.access(place, os.W_OK):
            raise PermissionError(f"{place} is read-only")
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    try:
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    finally:
        connection.close()
    if mode != "wal":
        raise OSError(f"its file system cannot hold a WAL database (journal mode {mode})")


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, not where pysqlite guesses
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA temp_store=FILE")  # a load's size is not bounded by memory


def _begin_sqlite(connection: sa.Connection) -> None:
    begin = connection.get_execution_options().get("sqlite_begin", "BEGIN IMMEDIATE")
    connection.exec_driver_sql(begin)


def _postgres_engine(address: WarehouseAddress) -> sa.Engine:
    url = sa.URL.create(
        "postgresql+psycopg",
        username=address.user,
        password=address.password,
        host=address.host,
        port=address.port,
        database=address.database,
    )
    return sa.create_engine(
        url, connect_args=_options(address), pool_pre_ping=True, json_serializer=to_json
    )


def _options(address: WarehouseAddress) -> dict[str, str]:
    defaults = {
        "connect_timeout": "10",
        "application_name": f"nightshift pid {os.getpid()}",
        "keepalives_idle": "30",  # a lock's connection idles for as long as its stage works
        "options": f"-c lock_timeout={int(BUSY_SECONDS * 1000)}",  # else it waits for ever
    }
    return defaults | dict(address.options)


def libpq_uri(address: WarehouseAddress) -> str:
    """Return a Postgres address as libpq reads it, the password included: never log it.

    Everything is a parameter of the query, so that no host (a socket's folder, say), user or
    password can be taken for another part.
    """
    places = {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password,
        "dbname": address.database,
    }
    given = {name: value for name, value in places.items() if value is not None}
    options = {name: it for name, it in _options(address).items() if name not in _PSYCOPG_ONLY}
    return f"postgresql://?{urlencode(options | given, quote_via=quote)}"


def to_json(value: Any) -> str:
    """Return JSON text that both databases accept; raises `ValueError` for NaN and infinity."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False, sort_keys=True)


def _is_storage_error(
    error: sa.exc.DBAPIError | psycopg.Error | adbc_driver_manager.Error,
) -> bool:
    """Tell trouble with the storage from a wrong statement, which the drivers mix up."""
    origin = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if isinstance(origin, adbc_driver_manager.Error):
        state = (origin.sqlstate or "").strip("\0")
        return not state or state == _POSTGRES_READ_ONLY or state[:2] in _POSTGRES_STORAGE
    if isinstance(origin, sqlite3.Error):
        code: int | None = getattr(origin, "sqlite_errorcode", None)
        return code is not None and (code & 0xFF) in _SQLITE_STORAGE
    state = getattr(origin, "sqlstate", None) or ""
    if state == _POSTGRES_READ_ONLY:
        return True
    if state[:2] == _POSTGRES_LIMIT:  # an operational error to the driver, and no better later
        return False
    return isinstance(origin, (psycopg.OperationalError, psycopg.InterfaceError))
