"""No future: what a night computed is what it computes from rows known at its cut-off.

Days after the night, and rows of its own days that became known after its cut-off, are in
the lake while features and entities are computed. The same is computed again from a lake
truncated by `known_at`, whatever partition the rows are in, and must be equal to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from include.features.build import build_features, feature_tables
from include.features.retrieval import entity_frame
from include.ingestion.landing import ingest
from include.lake import fingerprint
from include.warehouse import migrate
from include.window import Window
from include.workspace import Workspace
from tests.contracts.truncation import truncated
from tests.copied import copy_of
from tests.history import opened
from tests.planted import PLANTED, PLANTED_USE_CASE, Faults

BACK, AHEAD = timedelta(days=32), timedelta(days=2)
SUMMER = date(2013, 7, 17)


@pytest.fixture(scope="module")
def summer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the days around a plain night have landed and have features."""
    home = tmp_path_factory.mktemp("summer") / "home"
    with opened(home) as workspace:
        land(workspace, SUMMER)
    return home


def land(workspace: Workspace, day: date) -> None:
    migrate.upgrade(workspace.warehouse)
    window = around(day)
    ingest(workspace, PLANTED, window)
    build_features(workspace, PLANTED, window)


def around(day: date) -> Window:
    return Window(max(day - BACK, PLANTED.first_day), day + AHEAD)


def features_of(workspace: Workspace, day: date) -> dict[str, str]:
    return {
        name: fingerprint.of_days(workspace.lake.read(name, [day]), [day])[day]
        for name in feature_tables(PLANTED)
    }


def landed_again(workspace: Workspace, faults: Faults, day: date) -> None:
    """A day before the night is restated and lands again after it was built."""
    older = day - timedelta(days=3)
    faults.change("flights", older, lambda f: f.assign(arrival_delay=f["arrival_delay"] + 40))
    window = around(day)
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
    ingest(workspace, PLANTED, around(day))
    build_features(workspace, PLANTED, around(day))
    assert features_of(workspace, day + timedelta(days=1)) != before


@pytest.mark.parametrize(
    "day",
    [
        date(2013, 3, 10),  # clocks go forward
        date(2013, 11, 3),  # clocks go back
        date(2013, 12, 31),  # the replay wraps around
    ],
)
def test_a_night_knows_nothing_of_the_future(tmp_path: Path, day: date) -> None:
    with opened(tmp_path / "home") as workspace:
        land(workspace, day)
        assert_honest(workspace, day, tmp_path)


@pytest.mark.parametrize("disturb", [landed_again, after_midnight])
def test_a_disturbed_night_knows_nothing_of_the_future(
    summer: Path, faults: Faults, tmp_path: Path, disturb: Callable[[Workspace, Faults, date], None]
) -> None:
    with opened(copy_of(summer, tmp_path / "home")) as workspace:
        disturb(workspace, faults, SUMMER)
        assert_honest(workspace, SUMMER, tmp_path)


def assert_honest(workspace: Workspace, day: date, folder: Path) -> None:
    with truncated(workspace, PLANTED, day, folder) as past:
        for table in ("flights", "schedule", "weather"):
            name = f"{PLANTED.name}/{table}"
            left, all_rows = (len(it.lake.read(name)) for it in (past, workspace))
            assert left < all_rows, f"{name}: nothing of the future to leave out"
        build_features(past, PLANTED, Window.night(day))
        assert features_of(past, day) == features_of(workspace, day)
        pd.testing.assert_frame_equal(
            entity_frame(past, PLANTED_USE_CASE, [day]),
            entity_frame(workspace, PLANTED_USE_CASE, [day]),
        )


def test_a_feature_that_looks_ahead_would_be_caught(
    summer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    with opened(copy_of(summer, tmp_path / "home")) as workspace:
        assert SUMMER in build_features(workspace, PLANTED, Window.night(SUMMER)).done
        with truncated(workspace, PLANTED, SUMMER, tmp_path) as past:
            build_features(past, PLANTED, Window.night(SUMMER))
            assert features_of(past, SUMMER) != features_of(workspace, SUMMER)
