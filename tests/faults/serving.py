"""The score stage on real flights in a process of its own, without a lake of features.

The rows that features are answered from come in a file, because making them takes seconds.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import pandas as pd
import pytest

from include.errors import StorageUnavailable
from include.lake.delta import Lake
from include.scoring import readiness
from include.scoring import score as stage
from include.scoring.prediction import Predicted
from include.scoring.publication import Publication
from include.scoring.spool import Spool
from include.settings import Settings
from include.warehouse.stages import StageRun
from include.workspace import Workspace, open_workspace
from tests import children
from tests.faults.killed import COMMIT, LAKE, PLANTS, after, before
from tests.model_nights import CASE, NIGHTS, wire
from tests.planted import NOW

BATCH = "after the first batch was staged and spooled"
STAGED = "after everything was staged and spooled"
PUBLISHED = "after the commit, before readiness"
POINTS: dict[str, Callable[[Callable[[], None]], None]] = {
    BATCH: lambda die: after(Predicted, "add", die),
    STAGED: lambda die: before(Publication, "refused", die),
    LAKE: PLANTS[LAKE],
    COMMIT: PLANTS[COMMIT],
    PUBLISHED: lambda die: before(readiness, "refresh", die),
}


@contextmanager
def opened(settings: Settings, rows: Path) -> Iterator[Workspace]:
    """Open the installation, with features answered from a file."""
    with pytest.MonkeyPatch.context() as patch:
        wire(patch, pd.read_pickle(rows))
        with open_workspace(settings, now=NOW) as workspace:
            yield workspace


def die(settings: Settings, rows: Path, point: str, marker: Path) -> None:
    """Score the nights and die at a point."""

    def kill() -> None:
        marker.write_text(point)
        os.kill(os.getpid(), signal.SIGKILL)

    POINTS[point](kill)
    with opened(settings, rows) as workspace:
        stage.score(workspace, CASE, NIGHTS)


def score_pinned(settings: Settings, rows: Path, version: str, here: Event, there: Event) -> None:
    """Score the nights with one version, once the other has come to want the same."""
    begun = StageRun.begin

    def wait(run: StageRun, days: list[object]) -> None:
        assert there.wait(children.SECONDS)
        begun(run, days)  # type: ignore[arg-type]

    StageRun.begin = wait  # type: ignore[assignment, method-assign]
    here.set()
    with opened(settings, rows) as workspace:
        stage.score(workspace, CASE, NIGHTS, pinned=version)


def fill_up(settings: Settings, rows: Path, place: str, told: Path) -> None:
    """Score the nights while files in one place, the spool or the lake, find no room to grow."""

    def allow(size: int) -> Callable[[], None]:
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    owner, name = {"spool": (Spool, "add"), "lake": (Lake, "replace_days")}[place]
    before(owner, name, allow(1000))
    before(StageRun, "_fail", allow(resource.RLIM_INFINITY))
    try:
        with opened(settings, rows) as workspace:
            stage.score(workspace, CASE, NIGHTS)
    except StorageUnavailable as error:
        told.write_text(str(error))
