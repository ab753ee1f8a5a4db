"""A history like the demo's: 39 weeks of real flights and the first champion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock

from include.features.build import build_features
from include.features.store import apply_definitions
from include.ingestion.landing import ingest
from include.ingestion.quality import measure_quality
from include.settings import Settings, WarehouseAddress
from include.training import registry
from include.training.train import train
from include.warehouse.migrate import upgrade
from include.warehouse.tables import metadata
from include.warehouse.use_cases import apply, use_case_tables
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.planted import NOW, PLANTED, PLANTED_USE_CASE

CONNECTION = "connection.json"
HISTORY = Window(date(2013, 1, 1), date(2013, 9, 30))


def make_once(folder: Path) -> Path:
    """Return a home with the history, below `folder`; the first process to ask makes it."""
    home, made = folder / "home", folder / "made"
    folder.mkdir(exist_ok=True)
    with FileLock(folder / "lock"):
        if not made.exists():
            make(home)
            made.touch()
    return home


def make(home: Path) -> None:
    """Land the history into an empty home, build its features and train the champion."""
    with opened(home) as workspace:
        upgrade(workspace.warehouse)
        apply(workspace.warehouse, PLANTED_USE_CASE)
        apply_definitions(workspace.settings)
        registry.init(workspace.settings)
        ingest(workspace, PLANTED, HISTORY)
        measure_quality(workspace, PLANTED, HISTORY)
        build_features(workspace, PLANTED, HISTORY)
        train(workspace, PLANTED_USE_CASE, HISTORY.end, promote=True, actor="test")


def on_postgres(home: Path, address: WarehouseAddress) -> None:
    """Move the warehouse of a home to an empty Postgres database."""
    mine = [*metadata.sorted_tables, *use_case_tables(PLANTED_USE_CASE).all]
    with opened(home) as before:
        connect(home, address)
        with opened(home) as after:
            upgrade(after.warehouse)
            apply(after.warehouse, PLANTED_USE_CASE)
            with before.warehouse.reading() as old, after.warehouse.transaction() as new:
                for table in mine:
                    if rows := [dict(row._mapping) for row in old.execute(sa.select(table))]:
                        new.execute(sa.insert(table), rows)
                        _count_on(new, table)


def _count_on(connection: sa.Connection, table: sa.Table) -> None:
    """Let Postgres count a key up from what was copied into it."""
    column = table.autoincrement_column
    if column is not None:
        sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
        connection.execute(sa.select(sa.func.setval(sequence, sa.func.max(column))))


def connect(home: Path, address: WarehouseAddress) -> None:
    """Let a home have its warehouse in a Postgres database."""
    told = {"conn_type": "postgres", "host": address.host, "login": address.user}
    (home / CONNECTION).write_text(json.dumps({**told, "schema": address.database}))


@contextmanager
def opened(home: Path) -> Iterator[Workspace]:
    """Open the installation in `home`, on Postgres if it was moved there."""
    env = {"NIGHTSHIFT_HOME": str(home)}
    if (home / CONNECTION).exists():
        env["AIRFLOW_CONN_WAREHOUSE"] = (home / CONNECTION).read_text()
    settings = Settings.from_env(env, code_revision="test")
    with open_workspace(settings, now=NOW) as workspace:
        yield workspace
