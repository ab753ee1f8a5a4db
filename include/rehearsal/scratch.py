"""A home of its own for rehearsing a use case: nothing outside it is written, or read from.

It lies at `$NIGHTSHIFT_HOME/dev/<use case>` and holds a lake, a SQLite warehouse and Feast's
registry. Remove the folder whenever you like.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from include.declare import UseCase
from include.errors import ConfigurationError
from include.features.store import apply_definitions
from include.settings import Settings, WarehouseAddress
from include.warehouse.migrate import upgrade
from include.warehouse.use_cases import apply
from include.workspace import Workspace


def home_of(settings: Settings, use_case: str) -> Path:
    """Return where a use case is rehearsed."""
    return settings.home / "dev" / use_case


def scratch(settings: Settings, use_case: str) -> Settings:
    """Return settings of the scratch home, whatever warehouse, lake or MLflow are configured."""
    home = home_of(settings, use_case)
    return replace(
        settings,
        home=home,
        lake=str(home / "lake"),
        warehouse=WarehouseAddress("sqlite", str(home / "warehouse.db")),
        mlflow_tracking_uri=f"sqlite:///{home / 'mlflow' / 'mlflow.db'}",
        schedules=False,
        alert_emails=(),
    )


def discard(settings: Settings, use_case: str) -> None:
    """Remove the scratch home of a use case, if there is one."""
    home = home_of(settings, use_case)
    if home.exists():
        shutil.rmtree(home)


def prepare(workspace: Workspace, use_case: UseCase) -> None:
    """Bring the scratch home's tables and Feast definitions up to the declarations.

    Raises `ConfigurationError`: a definition does not run, or what was scored here before does
    not fit the declaration any more.
    """
    workspace.settings.home.mkdir(parents=True, exist_ok=True)
    upgrade(workspace.warehouse)
    try:
        apply(workspace.warehouse, use_case)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{error} (of the scratch home {workspace.settings.home}: begin anew with --fresh)"
        ) from error
    apply_definitions(workspace.settings)
