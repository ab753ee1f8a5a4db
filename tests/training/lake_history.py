"""Six weeks of real flights in a real lake, the training set of a version, and how time goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from include.errors import DaysStopped
from include.features.build import build_features
from include.features.store import apply_definitions
from include.ingestion.landing import ingest
from include.settings import Settings
from include.training import ledger
from include.training.frame import TrainingFrame
from include.warehouse.migrate import upgrade
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.planted import FAULTS, NOW, PLANTED, PLANTED_USE_CASE

WEEKS = Window(date(2013, 1, 1), date(2013, 2, 11))
AS_OF = WEEKS.end
GAP, RESTATED, STOPPED = date(2013, 1, 30), date(2013, 1, 25), date(2013, 2, 4)
CASE = replace(
    PLANTED_USE_CASE,
    training=replace(PLANTED_USE_CASE.training, history_days=21, min_rows=1000),
)


@contextmanager
def opened(home: Path) -> Iterator[Workspace]:
    """Open the installation in `home`."""
    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    with open_workspace(settings, now=NOW) as workspace:
        yield workspace


def make(home: Path) -> None:
    """Land six weeks but for one day, which the source does not have, and build features."""
    with opened(home) as workspace:
        upgrade(workspace.warehouse)
        apply_definitions(workspace.settings)
        FAULTS.absent.add(GAP)
        for stage in (ingest, build_features):
            with pytest.raises(DaysStopped, match=str(GAP)):
                stage(workspace, PLANTED, WEEKS)
        FAULTS.heal()


def move_on(workspace: Workspace) -> None:
    """Let the lake go on after a version was trained.

    The missing day arrives, another is restated twice, a third is delivered without a column and
    stops, the snapshot changes, and two more days land.
    """
    later = Window(WEEKS.start, WEEKS.end + timedelta(days=2))
    FAULTS.change("planes", later.end, lambda f: f.assign(seats=f["seats"] + 1))
    FAULTS.change("flights", STOPPED, lambda f: f.drop(columns="distance"))
    for minutes in (20, 40):
        FAULTS.change("flights", RESTATED, partial(_delay, minutes))
        for stage in (ingest, build_features):
            with pytest.raises(DaysStopped, match=str(STOPPED)):
                stage(workspace, PLANTED, later)
    FAULTS.heal()


def _delay(minutes: int, flights: pd.DataFrame) -> pd.DataFrame:
    return flights.assign(arrival_delay=flights["arrival_delay"] + minutes)


def evidence_of(data: TrainingFrame) -> dict[str, Any]:
    """Return what a version's evidence says of its training set, as plain JSON values."""
    told = {
        "missing_days": [day.isoformat() for day in data.missing_days],
        "landed_days": [[first.isoformat(), last.isoformat()] for first, last in data.landed],
        "frame_sha256": data.sha256,
        "lake_versions": dict(data.lake_versions),
    }
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


def enter(
    workspace: Workspace,
    version: str,
    events: Sequence[ledger.Event],
    evidence: Mapping[str, Any],
    as_of: date = AS_OF,
) -> ledger.Entry:
    """Write a version's entries into the ledger; returns the one that registered it."""
    with workspace.warehouse.transaction() as connection:
        for event in events:
            ledger.append(
                connection,
                use_case=CASE.name,
                model_version=version,
                sha256=version * 64,
                event=event,
                actor="test",
                reason="for a test",
                evidence=evidence if event == "registered" else {},
                artifact_uri="",
                as_of=as_of,
                at=workspace.now,
            )
        entry = ledger.registration(connection, CASE.name, version)
    assert entry is not None
    return entry
