"""Installations that are made once on each database, and copied for the tests that change them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.settings import Settings
from include.warehouse.migrate import upgrade
from include.warehouse.tables import model_ledger
from include.workspace import Workspace, open_workspace
from tests.conftest import TEMPLATE, fresh_database, postgres_settings
from tests.copied import copy_of
from tests.samples import NOW


@contextmanager
def made_once(
    request: pytest.FixtureRequest, home: Path, make: Callable[[Workspace], None]
) -> Iterator[Settings]:
    """Make an installation in an empty home, on the database that the fixture's parameter names."""
    if request.param == "sqlite":
        yield _made(_on_sqlite(home), make)
        return
    server = request.getfixturevalue("postgres_server")
    for address in fresh_database(server, TEMPLATE):
        yield _made(postgres_settings(home, address), make)


@contextmanager
def copy_made(request: pytest.FixtureRequest, made: Settings, home: Path) -> Iterator[Workspace]:
    """Copy an installation to a home that is not there yet, models included, and open the copy."""
    copy_of(made.home, home)
    if made.warehouse.dialect == "sqlite":
        with _moved(made, _on_sqlite(home)) as workspace:
            yield workspace
        return
    server = request.getfixturevalue("postgres_server")
    for address in fresh_database(server, made.warehouse.database):
        with _moved(made, postgres_settings(home, address)) as workspace:
            yield workspace


def _on_sqlite(home: Path) -> Settings:
    return Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")


def _made(settings: Settings, make: Callable[[Workspace], None]) -> Settings:
    with open_workspace(settings, now=NOW) as workspace:
        upgrade(workspace.warehouse)
        make(workspace)
    return settings


@contextmanager
def _moved(made: Settings, settings: Settings) -> Iterator[Workspace]:
    """Open a copied installation whose models are its own."""
    with open_workspace(settings, now=NOW) as workspace:
        before, after = made.home.as_uri(), settings.home.as_uri()
        moved = sa.func.replace(model_ledger.c.artifact_uri, before, after)
        with workspace.warehouse.transaction() as connection:
            connection.execute(sa.update(model_ledger).values(artifact_uri=moved))
        yield workspace
