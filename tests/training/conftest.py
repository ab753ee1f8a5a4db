"""MLflow for tests: one migrated database, copied per test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.settings import Settings
from include.training import registry
from include.workspace import Workspace
from tests.model_nights import CASE, prepare, wire


@pytest.fixture(scope="session")
def migrated_mlflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an MLflow database without experiments."""
    home = tmp_path_factory.mktemp("mlflow")
    registry.init(Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test"), [])
    return home / "mlflow" / "mlflow.db"


@pytest.fixture
def mlflow_settings(settings: Settings, migrated_mlflow: Path) -> Settings:
    """Settings of a home whose MLflow is ready."""
    target = settings.home / "mlflow" / "mlflow.db"
    target.parent.mkdir(parents=True)
    shutil.copy(migrated_mlflow, target)
    registry.init(settings, [CASE.name])
    return settings


@pytest.fixture
def school(
    workspace: Workspace, mlflow_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """A workspace in which the sample has landed and models can be trained."""
    wire(monkeypatch)
    prepare(workspace)
    yield workspace
