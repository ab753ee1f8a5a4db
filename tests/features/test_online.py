"""The newest day goes online; it is done once a sample of it equals the offline features."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa
from feast import FeatureStore

from include.errors import DaysStopped
from include.features.build import build_features
from include.features.online import STAGE, materialise
from include.features.parity import SAMPLE_ROWS
from include.features.store import apply_definitions
from include.ingestion.landing import ingest
from include.settings import Settings
from include.warehouse import migrate
from include.warehouse.stages import DayState, day_states
from include.warehouse.tables import stage_runs
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.planted import NOW, PLANTED

WINDOW = Window(date(2013, 2, 8), date(2013, 2, 12))
DAY = WINDOW.end

Plant = Callable[[FeatureStore], None]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose newest day has features and nothing online."""
    home = tmp_path_factory.mktemp("online") / "home"
    home.mkdir()
    with open_workspace(_settings(home), now=NOW) as workspace:
        migrate.upgrade(workspace.warehouse)
        apply_definitions(workspace.settings)
        ingest(workspace, PLANTED, WINDOW)
        build_features(workspace, PLANTED, WINDOW)
    return home


@pytest.fixture
def workspace(built: Path, tmp_path: Path) -> Iterator[Workspace]:
    home = shutil.copytree(built, tmp_path / "home")
    with open_workspace(_settings(home), now=NOW) as opened:
        yield opened


def _settings(home: Path) -> Settings:
    return Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")


def after_materialising(monkeypatch: pytest.MonkeyPatch, plant: Plant) -> None:
    """Have something happen between the write to the online store and the comparison."""
    honest = FeatureStore.materialize

    def materialise_and_plant(store: FeatureStore, **arguments: object) -> None:
        honest(store, **arguments)
        plant(store)

    monkeypatch.setattr(FeatureStore, "materialize", materialise_and_plant)


def serve(view: str, change: Callable[[pd.DataFrame], pd.DataFrame], rows: pa.Table) -> Plant:
    """Return what writes changed rows of a view into the online store."""
    return lambda store: store.write_to_online_store(view, change(rows.to_pandas()))


def offline(workspace: Workspace, view: str) -> pa.Table:
    return workspace.lake.read(f"nyc_flights/features/{view}", [DAY])


def state(workspace: Workspace) -> DayState:
    with workspace.warehouse.reading() as connection:
        return day_states(connection, STAGE, "nyc_flights")[DAY]


def last_run(workspace: Workspace) -> sa.Row[tuple[str, str, list[str], int]]:
    run = stage_runs.c
    with workspace.warehouse.reading() as connection:
        return connection.execute(
            sa.select(run.status, run.error, run.notes, run.rows_out)
            .where(run.stage == STAGE)
            .order_by(run.started_at.desc())
        ).first()


def test_a_sample_of_every_view_is_equal_and_counted(workspace: Workspace) -> None:
    tables = {view.name: offline(workspace, view.name) for view in PLANTED.feature_views}
    expected = sum(
        min(SAMPLE_ROWS, len(rows)) * (rows.num_columns - len(view.keys) - 2)
        for view, rows in zip(PLANTED.feature_views, tables.values(), strict=True)
    )
    result = materialise(workspace, PLANTED)

    assert result.done == (DAY,)
    told = f"{expected:,} online values compared with the offline ones, all equal"
    assert (result.notes, last_run(workspace).notes) == ((told,), [told])
    assert result.rows_out == sum(map(len, tables.values()))
    assert not materialise(workspace, PLANTED).changed
    # What makes it hard is there: two keys, integer keys, nulls, fewer and more than a sample.
    assert {len(view.keys) for view in PLANTED.feature_views} == {1, 2}
    assert tables["origin_hour_delays"].schema.field("departure_hour").type == pa.int64()
    assert tables["destination_delays"]["late_rate_7d"].null_count
    assert tables["plane"]["age_years"].null_count
    assert len(tables["origin_delays"]) < SAMPLE_ROWS < len(tables["plane"])
    flights = workspace.lake.read("nyc_flights/flights")
    assert flights["tailnum"].null_count


def test_another_value_online_is_named_and_the_next_run_heals(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = offline(workspace, "origin_hour_delays")
    true = {(row["origin"], row["departure_hour"]): row for row in hours.to_pylist()}["JFK", 8]
    with monkeypatch.context() as patched:
        one = hours.filter(
            (pa.compute.field("origin") == "JFK") & (pa.compute.field("departure_hour") == 8)
        )
        plant = serve("origin_hour_delays", lambda rows: rows.assign(flights_7d=987_654), one)
        after_materialising(patched, plant)
        with pytest.raises(DaysStopped) as stopped:
            materialise(workspace, PLANTED)
        before = state(workspace)
        with pytest.raises(DaysStopped):
            materialise(workspace, PLANTED)

    (told,) = str(stopped.value).splitlines()
    assert told.startswith("online of nyc_flights stopped on 1 day(s) — 2013-02-12: 1 of ")
    assert (
        f"(origin_hour_delays 1 of {4 * len(hours)}), the first: flights_7d of "
        "origin_hour_delays for origin 'JFK', departure_hour 8 is 987654 online and "
        f"{true['flights_7d']} offline; run ./nightshift materialise nyc_flights"
    ) in told
    assert before.state == "stopped"
    assert before.reason in told
    assert state(workspace) == before, "the same finding changes nothing"
    assert (last_run(workspace).status, last_run(workspace).error) == ("stopped", told)

    assert materialise(workspace, PLANTED).done == (DAY,)
    assert (state(workspace).state, state(workspace).reason) == ("done", None)


def test_an_entity_that_is_not_online_differs_in_every_value(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget_a_view(store: FeatureStore) -> None:
        with closing(sqlite3.connect(workspace.settings.home / "feast" / "online.db")) as online:
            online.execute('DELETE FROM "nightshift_origin_delays"')
            online.commit()

    after_materialising(monkeypatch, forget_a_view)
    with pytest.raises(DaysStopped, match=r"\(origin_delays 12 of 12\).* is null online and "):
        materialise(workspace, PLANTED)
    assert state(workspace).state == "stopped"


def test_features_built_again_meanwhile_differ_and_the_next_run_heals(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = offline(workspace, "carrier_delays")
    late = before.column_names.index("late_rate_28d")
    rebuilt = before.set_column(late, "late_rate_28d", pa.array([0.123456] * len(before)))

    def rebuild(_: FeatureStore) -> None:
        workspace.lake.replace_days("nyc_flights/features/carrier_delays", rebuilt, [DAY])

    with monkeypatch.context() as patched:
        after_materialising(patched, rebuild)
        with pytest.raises(DaysStopped, match="late_rate_28d of carrier_delays for carrier") as it:
            materialise(workspace, PLANTED)
    assert f"(carrier_delays {len(before)} of {4 * len(before)})" in str(it.value)
    assert " online and 0.123456 offline" in str(it.value)
    assert state(workspace).state == "stopped"

    assert materialise(workspace, PLANTED).done == (DAY,)
