"""MLflow for tests: one migrated database, copied per test; and what is computed once for all."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from include.declare import UseCase
from include.settings import Settings
from include.training import candidate, registry, separation
from include.training.candidate import Candidate
from include.training.frame import TrainingFrame
from include.training.model_card import plots
from include.training.model_card.charts import Chart
from include.training.separation import Pair, Target
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
    compute_once(monkeypatch)
    prepare(workspace)
    yield workspace


def compute_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what fitting, pairs of features and charts gave one test serve the tests after it.

    A test that asks for the same again has it computed again: that it comes out the same is
    for the test to see.
    """
    asked_here: set[Any] = set()

    def once(asked: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if asked in asked_here or asked not in _KNOWN:
            _KNOWN[asked] = make()
        asked_here.add(asked)
        return _KNOWN[asked]

    def build(use_case: UseCase, data: TrainingFrame, as_of: date) -> Candidate:
        rest = repr(replace(data, frame=data.frame[:0]))
        asked = ("build", repr(use_case), data.sha256, rest, as_of)
        return once(asked, lambda: _BUILD(use_case, data, as_of))

    def separate_pairs(
        data: TrainingFrame, target: Target, features: Sequence[str], seed: int
    ) -> list[Pair]:
        told = (target.high.tobytes(), target.odd.tobytes())
        asked = ("pairs", data.sha256, told, tuple(features), seed)
        return once(asked, lambda: list(_SEPARATE_PAIRS(data, target, features, seed)))

    def draw(chart: Chart, name: str) -> bytes:
        return once(("draw", chart, name), lambda: _DRAW(chart, name))

    monkeypatch.setattr("include.training.train.build", build)
    monkeypatch.setattr(separation, "separate_pairs", separate_pairs)
    monkeypatch.setattr(plots, "draw", draw)


_BUILD, _SEPARATE_PAIRS, _DRAW = candidate.build, separation.separate_pairs, plots.draw
_KNOWN: dict[tuple[Any, ...], Any] = {}
