"""Opens SQL sources by their Airflow connection, and tells trouble that passes from the rest."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import sqlalchemy as sa

from include.connections import Connection
from include.errors import ConfigurationError, NightshiftError, SchemaBreak, SourceUnreachable
from include.settings import REPOSITORY

BUSY_SECONDS = 30
"""How long a statement waits for somebody else's transaction in SQLite."""

_PASSES = frozenset({"08", "40", "53", "55", "57", "58"})
"""Classes of Postgres errors that pass: connection, rollback, resources, in use, intervention,
system."""
_DATA = "22"
_REFUSED = re.compile(
    r"authentication failed|no password supplied|no pg_hba|does not exist|not permitted"
)
_SQLITE_PASSES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_NOMEM,
    }
)
_SQLITE_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def open_engine(connection: Connection) -> sa.Engine:
    """Return an engine that reads and never writes; raises `ConfigurationError`."""
    if connection.kind == "sqlite":
        return _sqlite(connection)
    if connection.kind in ("postgres", "postgresql"):
        return _postgres(connection)
    raise ConfigurationError(
        f"the connection {connection.name!r} is of type {connection.kind!r}; sources are read "
        "from Postgres and SQLite. For another database write a source of your own"
    )


def _sqlite(connection: Connection) -> sa.Engine:
    file = REPOSITORY / Path(connection.schema).expanduser()
    if not connection.schema or not file.is_file():
        raise ConfigurationError(
            f"the connection {connection.name!r} names the SQLite file {file}, which is not there"
        )
    engine = sa.create_engine(
        sa.URL.create(
            "sqlite", database=f"file:{quote(str(file))}", query={"mode": "ro", "uri": "true"}
        ),
        connect_args={"timeout": BUSY_SECONDS},
        poolclass=sa.NullPool,
        hide_parameters=True,
    )
    sa.event.listen(engine, "connect", _leave_transactions)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _leave_transactions(connection: sqlite3.Connection, _record: object) -> None:
    """Keep Python's driver from beginning transactions where it guesses them."""
    connection.isolation_level = None


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _postgres(connection: Connection) -> sa.Engine:
    url = sa.URL.create(
        "postgresql+psycopg",
        username=connection.user,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema or None,
    )
    options = {
        "connect_timeout": "10",
        "application_name": "nightshift",
        "keepalives_idle": "30",
        **connection.options,
    }
    engine = sa.create_engine(
        url, connect_args=options, poolclass=sa.NullPool, hide_parameters=True
    )
    sa.event.listen(engine, "connect", _speak_utc)
    return engine


def _speak_utc(connection: psycopg.Connection, _record: object) -> None:
    """Make instants and their texts independent of what the server is set to."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET DateStyle = 'ISO'")
    connection.commit()


@contextmanager
def reading(engine: sa.Engine, name: str) -> Iterator[sa.Connection]:
    """Open a connection on which all statements see the same rows and none can write.

    Raises:
        SourceUnreachable: the database does not answer, or is busy; worth another try.
        ConfigurationError: it refuses the login, or has no such table or column.
        SchemaBreak: it cannot compute or hand out its values.
    """
    options = (
        {}
        if engine.dialect.name == "sqlite"
        else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    )
    try:
        with engine.connect() as connection:
            connection = connection.execution_options(**options)
            with connection.begin():
                yield connection
    except sa.exc.DBAPIError as error:
        raise _told(name, error) from None
    except (psycopg.Error, sqlite3.Error) as error:
        raise _told(name, error) from None


def _told(name: str, error: Exception) -> NightshiftError:
    """Return what an operator reads; values, which drivers like to quote, are left out."""
    origin = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    lines = str(origin).strip().splitlines()
    text = lines[0] if lines else type(origin).__name__
    if isinstance(origin, sqlite3.Error):
        return _told_of_sqlite(name, origin, text)
    state = getattr(origin, "sqlstate", None) or ""
    if state[:2] in _PASSES:
        return SourceUnreachable(f"{name} does not answer: {text}; a night tries again by itself")
    if state[:2] == _DATA or isinstance(origin, psycopg.DataError):
        return SchemaBreak(
            f"{name}: a value cannot be read ({type(origin).__name__}); repair it in the source"
        )
    if state or _REFUSED.search(str(origin)):
        whole = " ".join(str(origin).split()) if not state else text
        return ConfigurationError(f"{name} refuses: {whole}; check its connection and declaration")
    if isinstance(origin, psycopg.ProgrammingError):
        return ConfigurationError(f"{name} cannot be opened: {text}; check its connection")
    return SourceUnreachable(f"{name} does not answer: {text}; a night tries again by itself")


def _told_of_sqlite(name: str, origin: sqlite3.Error, text: str) -> NightshiftError:
    code = (getattr(origin, "sqlite_errorcode", None) or 0) & 0xFF
    if code in _SQLITE_PASSES:
        return SourceUnreachable(f"{name} does not answer: {text}; a night tries again by itself")
    if code in _SQLITE_DAMAGED:
        return SchemaBreak(f"{name} cannot be read: {text}; have the file sent again")
    return ConfigurationError(f"{name} refuses: {text}; check its connection and declaration")
