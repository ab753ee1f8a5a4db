"""No future: what a night computed is what it computes from rows known at its cut-off.

Days after the night, and rows of its own days that became known after its cut-off, are in
the lake while features and entities are computed. The same is computed again from a lake
truncated by `known_at`, whatever partition the rows are in, and must be equal to the bit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa

from include.features.build import build_features, feature_tables
from include.features.retrieval import entity_frame
from include.ingestion.landing import ingest
from include.lake import fingerprint
from include.lake.delta import Lake
from include.settings import Settings
from include.warehouse import migrate, tables
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.planted import NOW, PLANTED, PLANTED_USE_CASE, Faults

BACK, AHEAD = timedelta(days=32), timedelta(days=2)


@pytest.fixture
def workspace(settings: Settings) -> Iterator[Workspace]:
    with open_workspace(settings, now=NOW) as opened:
        migrate.upgrade(opened.warehouse)
        yield opened


def truncated(workspace: Workspace, day: date, folder: Path) -> Workspace:
    """Return a workspace whose lake holds only rows known at the cut-off of `day`."""
    cutoff = pa.scalar(PLANTED.cutoff(day), pa.timestamp("us", tz="UTC"))
    lake = Lake(str(folder / "lake"))
    for table in PLANTED.tables:
        name = f"{PLANTED.name}/{table.name}"
        rows = workspace.lake.read(name)
        known = rows.filter(pc.less_equal(rows.column("known_at"), cutoff))
        if table.kind == "snapshot":
            lake.overwrite(name, known, "truncated", "none")
        else:
            days = rows.column("data_day").unique().to_pylist()
            lake.replace_days(name, known, days)
            assert len(known) < len(rows), f"{name}: nothing of the future to leave out"
    database = folder / "warehouse.db"
    with sqlite3.connect(workspace.warehouse.address.database) as original:
        original.backup(sqlite3.connect(database))
    address = replace(workspace.settings.warehouse, database=str(database))
    settings = replace(workspace.settings, lake=lake.root, warehouse=address)
    with open_workspace(settings, now=NOW) as opened:
        with opened.warehouse.transaction() as connection:
            connection.execute(
                sa.delete(tables.stage_days).where(tables.stage_days.c.stage == "features")
            )
        build_features(opened, PLANTED, Window.night(day))
        return opened


def features_of(workspace: Workspace, day: date) -> dict[str, str]:
    return {
        name: fingerprint.of_days(workspace.lake.read(name, [day]), [day])[day]
        for name in feature_tables(PLANTED)
    }


def nothing(workspace: Workspace, faults: Faults, day: date) -> None:
    """A plain night."""


def landed_again(workspace: Workspace, faults: Faults, day: date) -> None:
    """A day before the night is restated and lands again after it was built."""
    older = day - timedelta(days=3)
    faults.change("flights", older, lambda f: f.assign(arrival_delay=f["arrival_delay"] + 40))
    window = Window(day - BACK, day + AHEAD)
    before = features_of(workspace, day)
    assert ingest(workspace, PLANTED, window).done == (older,)
    assert day in build_features(workspace, PLANTED, window).done
    assert features_of(workspace, day) != before


def after_midnight(workspace: Workspace, faults: Faults, day: date) -> None:
    """Every flight of the night's last hours lands after midnight, an hour late."""
    cutoff = pd.Timestamp(PLANTED.cutoff(day))

    def plant(frame: pd.DataFrame) -> pd.DataFrame:
        late = frame["departure_hour"] >= 20
        known = frame["known_at"].mask(late, cutoff + pd.Timedelta(minutes=1))
        return frame.assign(known_at=known, arrival_delay=frame["arrival_delay"].mask(late, 60))

    before = features_of(workspace, day + timedelta(days=1))
    faults.change("flights", day, plant)
    window = Window(day - BACK, day + AHEAD)
    ingest(workspace, PLANTED, window)
    build_features(workspace, PLANTED, window)
    assert features_of(workspace, day + timedelta(days=1)) != before


@pytest.mark.parametrize(
    ("day", "disturb"),
    [
        (date(2013, 7, 17), nothing),
        (date(2013, 3, 10), nothing),  # clocks go forward
        (date(2013, 11, 3), nothing),  # clocks go back
        (date(2013, 12, 31), nothing),  # the replay wraps around
        (date(2013, 7, 17), landed_again),
        (date(2013, 7, 17), after_midnight),
    ],
)
def test_a_night_knows_nothing_of_the_future(
    workspace: Workspace,
    faults: Faults,
    tmp_path: Path,
    day: date,
    disturb: Callable[[Workspace, Faults, date], None],
) -> None:
    window = Window(max(day - BACK, PLANTED.first_day), day + AHEAD)
    ingest(workspace, PLANTED, window)
    build_features(workspace, PLANTED, window)
    disturb(workspace, faults, day)

    past = truncated(workspace, day, tmp_path)
    with open_workspace(past.settings, now=NOW) as truncated_workspace:
        assert features_of(truncated_workspace, day) == features_of(workspace, day)
        pd.testing.assert_frame_equal(
            entity_frame(truncated_workspace, PLANTED_USE_CASE, [day]),
            entity_frame(workspace, PLANTED_USE_CASE, [day]),
        )


def test_a_feature_that_looks_ahead_would_be_caught(
    workspace: Workspace, faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof can fail: features by day instead of by `known_at` differ."""
    from include.features import build

    honest = build.sql_of

    def leaking(dataset, name):
        return honest(dataset, name).replace(
            "ASOF JOIN cutoffs ON flights.known_at <= cutoffs.cutoff",
            "JOIN cutoffs ON cutoffs.data_day = flights.data_day",
        )

    monkeypatch.setattr(build, "sql_of", leaking)
    day = date(2013, 7, 17)
    window = Window(day - BACK, day + AHEAD)
    ingest(workspace, PLANTED, window)
    build_features(workspace, PLANTED, window)
    past = truncated(workspace, day, tmp_path)
    with open_workspace(past.settings, now=NOW) as truncated_workspace:
        assert features_of(truncated_workspace, day) != features_of(workspace, day)
