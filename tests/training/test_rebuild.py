"""A training set is made again, to the same hash, after the lake has moved on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable

from include.errors import DataError, NightshiftError, StorageUnavailable
from include.features import retrieval
from include.ingestion.landing import ingest
from include.training import frame as frames
from include.training import ledger
from include.training.frame import TrainingFrame, labelled_frame, rebuild_frame
from include.training.recorded import Recorded, recorded_of
from include.training.retention import needed_versions
from include.window import Window
from include.workspace import Workspace
from tests.planted import PLANTED, Faults
from tests.training.lake_history import (
    AS_OF,
    CASE,
    GAP,
    RESTATED,
    STOPPED,
    WEEKS,
    enter,
    evidence_of,
    make,
    move_on,
    opened,
)


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with six weeks of flights, as they were when a version was trained."""
    home = tmp_path_factory.mktemp("weeks") / "home"
    make(home)
    return home


@pytest.fixture(scope="module")
def trained(weeks: Path) -> TrainingFrame:
    """The training set of version 1."""
    with opened(weeks) as workspace:
        data = labelled_frame(workspace, CASE, AS_OF)
        enter(workspace, "1", ("registered", "promoted"), evidence_of(data))
    return data


@pytest.fixture(scope="module")
def moved(weeks: Path, trained: TrainingFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the home in which the lake has moved on."""
    home = Path(shutil.copytree(weeks, tmp_path_factory.mktemp("moved") / "home"))
    with opened(home) as workspace:
        move_on(workspace)
    return home


@pytest.fixture
def workspace(moved: Path, tmp_path: Path) -> Iterator[Workspace]:
    with opened(Path(shutil.copytree(moved, tmp_path / "home"))) as opening:
        yield opening


@pytest.fixture
def recorded(workspace: Workspace) -> Recorded:
    """What the ledger remembers of version 1's training set."""
    with workspace.warehouse.reading() as connection:
        entry = ledger.registration(connection, CASE.name, "1")
    assert entry is not None
    return recorded_of(entry)


def test_the_frame_says_what_it_was_read_from(trained: TrainingFrame) -> None:
    day = pd.Timedelta(days=1)
    assert trained.missing_days == (GAP,)
    assert trained.landed == (
        (WEEKS.start, (pd.Timestamp(GAP) - day).date()),
        ((pd.Timestamp(GAP) + day).date(), WEEKS.end),
    )
    assert set(trained.lake_versions) == {
        *(f"nyc_flights/{table.name}" for table in PLANTED.tables),
        *(f"nyc_flights/features/{view.name}" for view in PLANTED.feature_views),
    }


def test_a_frame_is_rebuilt_after_the_lake_has_moved_on(
    workspace: Workspace, trained: TrainingFrame, recorded: Recorded
) -> None:
    now = labelled_frame(workspace, CASE, AS_OF)
    assert now.sha256 != trained.sha256
    assert now.missing_days == (STOPPED,)
    there = set(trained.frame["target_date"]) ^ set(now.frame["target_date"])
    assert there == {GAP, date(2013, 1, 31), STOPPED, date(2013, 2, 5)}
    restated = now.frame["target_date"] == RESTATED
    assert now.frame[restated]["late"].mean() > 0.8  # 40 minutes were added to each

    again = rebuild_frame(workspace, CASE, recorded)
    assert again.sha256 == trained.sha256
    pd.testing.assert_frame_equal(again.frame, trained.frame)
    for name in ("features", "span", "rows_due", "landed", "missing_days", "lake_versions"):
        assert getattr(again, name) == getattr(trained, name), name


@pytest.mark.parametrize(
    "forgotten", ["nyc_flights/flights", "nyc_flights/features/plane", "landed", "missing"]
)
def test_each_part_of_the_record_matters(
    workspace: Workspace, recorded: Recorded, forgotten: str
) -> None:
    """The proof can fail: with one part as it is now, another frame comes out."""
    state, now = recorded.state, labelled_frame(workspace, CASE, AS_OF)
    if forgotten == "landed":
        state = replace(state, landed=now.landed)
    elif forgotten == "missing":
        state = replace(state, missing=now.missing_days)
    else:
        versions = {**state.versions, forgotten: now.lake_versions[forgotten]}
        assert versions != state.versions
        state = replace(state, versions=versions)
    with pytest.raises(DataError) as told:
        rebuild_frame(workspace, CASE, replace(recorded, state=state))
    assert "training set of version 1" in str(told.value)
    assert recorded.frame_sha256 in str(told.value)
    assert "code revision" in str(told.value)


def test_versions_kept_by_a_vacuum_are_enough_and_others_are_named(
    workspace: Workspace, trained: TrainingFrame, recorded: Recorded
) -> None:
    kept = needed_versions(workspace, CASE)
    assert kept == {name: {version} for name, version in trained.lake_versions.items()}
    removed = {}
    for name, versions in kept.items():
        table = DeltaTable(workspace.lake.uri(name))
        table.optimize.compact()
        removed[name] = vacuum(table, sorted(versions))
    assert removed["nyc_flights/flights"]
    assert removed["nyc_flights/features/carrier_delays"]
    assert rebuild_frame(workspace, CASE, recorded).sha256 == trained.sha256

    gone = "nyc_flights/features/carrier_delays"
    vacuum(DeltaTable(workspace.lake.uri(gone)), [])
    with pytest.raises(StorageUnavailable, match="are gone") as told:
        rebuild_frame(workspace, CASE, recorded)
    assert f"{gone} at version {trained.lake_versions[gone]} cannot be read" in str(told.value)
    gone = "nyc_flights/flights"
    vacuum(DeltaTable(workspace.lake.uri(gone)), [])
    with pytest.raises(StorageUnavailable, match="keep_versions") as told:
        rebuild_frame(workspace, CASE, recorded)
    assert f"{gone} cannot be read at version {trained.lake_versions[gone]}" in str(told.value)


def vacuum(table: DeltaTable, keep: list[int]) -> list[str]:
    return table.vacuum(
        retention_hours=0,
        dry_run=False,
        enforce_retention_duration=False,
        full=True,
        keep_versions=keep,
    )


def test_what_is_written_while_a_frame_is_read_is_not_seen(
    workspace: Workspace, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day restated between entities and labels shows in neither."""
    before = labelled_frame(workspace, CASE, AS_OF)
    read = retrieval.labels

    def restate_and_read(*given):
        faults.change("flights", RESTATED, lambda f: f.assign(arrival_delay=-60.0))
        night = Window.night(RESTATED)
        assert ingest(workspace, PLANTED, night).done == (RESTATED,)
        monkeypatch.setattr(retrieval, "labels", read)
        return read(*given)

    monkeypatch.setattr(retrieval, "labels", restate_and_read)
    assert labelled_frame(workspace, CASE, AS_OF).sha256 == before.sha256
    assert labelled_frame(workspace, CASE, AS_OF).sha256 != before.sha256


def test_versions_that_move_under_the_days_are_taken_again(
    workspace: Workspace, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = retrieval.lake_versions
    delays = iter(range(1, 99))

    def read_while_written(*given):
        delay = float(next(delays))
        faults.change("flights", RESTATED, lambda f: f.assign(arrival_delay=delay))
        ingest(workspace, PLANTED, Window.night(RESTATED))
        return read(*given)

    monkeypatch.setattr(retrieval, "lake_versions", read_while_written)
    with pytest.raises(StorageUnavailable, match="being written each of the 3 times"):
        labelled_frame(workspace, CASE, AS_OF)
    assert next(delays) == frames.ATTEMPTS + 1


def test_a_table_that_was_not_there_is_named(workspace: Workspace, recorded: Recorded) -> None:
    versions = {n: v for n, v in recorded.state.versions.items() if n != "nyc_flights/weather"}
    less = replace(recorded, state=replace(recorded.state, versions=versions))
    with pytest.raises(NightshiftError, match=r"no lake table .*/nyc_flights/weather when"):
        rebuild_frame(workspace, CASE, less)
