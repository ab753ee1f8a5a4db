"""Brings the warehouse's fixed tables to the version this code needs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from include.errors import ConfigurationError
from include.warehouse.engine import Warehouse
from include.warehouse.locks import lock

MIGRATIONS = Path(__file__).resolve().parent / "migrations"

VERSION_TABLE = "nightshift_version"
"""Not Alembic's own name: Airflow and MLflow may share the database, and use that one."""

_version = sa.table(VERSION_TABLE, sa.column("version_num", sa.Text))


def upgrade(warehouse: Warehouse) -> None:
    """Create or migrate the fixed tables in one transaction; safe to run twice at once.

    Raises `StorageUnavailable`, or `LockHeld` when another upgrade does not end.
    """
    with (
        lock(warehouse, "init", "warehouse"),
        _quiet(),
        warehouse.transaction() as connection,
    ):
        command.upgrade(configuration(connection), "head")


def require_current(warehouse: Warehouse) -> None:
    """Raise `ConfigurationError` unless the warehouse has the tables this code needs."""
    with warehouse.reading() as connection:
        version = current_version(connection)
    if version == newest_version():
        return
    if version is None:
        raise ConfigurationError(f"{warehouse.name} has no tables yet; run ./nightshift init")
    known = {script.revision for script in _scripts().walk_revisions()}
    if version in known:
        raise ConfigurationError(
            f"{warehouse.name} is at version {version} and this code needs "
            f"{newest_version()}; run ./nightshift init"
        )
    raise ConfigurationError(
        f"{warehouse.name} is at version {version}, which this code does not know; "
        "it was written by newer code: update the code"
    )


def current_version(connection: sa.Connection) -> str | None:
    """Return the version of the tables in the database, None before the first `upgrade`."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(sa.select(_version.c.version_num))


@lru_cache(maxsize=1)
def newest_version() -> str:
    """Return the version of the tables this code needs."""
    return str(_scripts().get_current_head())


def configuration(connection: sa.Connection | None = None) -> Config:
    """Return Alembic's configuration, bound to a connection with a transaction begun."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration())


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Alembic's progress lines out of the operator's log."""
    logger = logging.getLogger("alembic")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
