"""A history like the demo's: 39 weeks of real flights and the first champion."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from filelock import FileLock

from include.features.build import build_features
from include.features.store import apply_definitions
from include.ingestion.landing import ingest
from include.settings import Settings
from include.training import registry
from include.training.train import train
from include.warehouse.migrate import upgrade
from include.warehouse.use_cases import apply
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.planted import NOW, PLANTED, PLANTED_USE_CASE

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
        build_features(workspace, PLANTED, HISTORY)
        train(workspace, PLANTED_USE_CASE, HISTORY.end, promote=True, actor="test")


def copy_of(home: Path, folder: Path) -> Path:
    """Copy a home; models stay where the ledger says they are."""
    return Path(shutil.copytree(home, folder))


@contextmanager
def opened(home: Path) -> Iterator[Workspace]:
    """Open the installation in `home`."""
    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    with open_workspace(settings, now=NOW) as workspace:
        yield workspace
