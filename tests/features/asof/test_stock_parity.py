"""Real flights: every cell equal to what Feast's own DuckDB store returns."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore, FeatureView, FileSource, RepoConfig
from feast.data_format import ParquetFormat

from include.features.build import build_features
from include.features.retrieval import entity_frame
from include.features.store import apply_definitions, open_store
from include.ingestion.landing import ingest
from include.lake import names
from include.window import Window
from include.workspace import Workspace
from tests.planted import PLANTED, PLANTED_USE_CASE

pytestmark = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)

WINDOW = Window(date(2013, 2, 4), date(2013, 2, 12))


@pytest.fixture
def ours(workspace: Workspace) -> FeatureStore:
    apply_definitions(workspace.settings)
    ingest(workspace, PLANTED, WINDOW)
    build_features(workspace, PLANTED, WINDOW)
    return open_store(workspace.settings)


@pytest.fixture
def stock(ours: FeatureStore, workspace: Workspace, tmp_path: Path) -> FeatureStore:
    """Feast's DuckDB store on Parquet copies of the same tables, with the same definitions."""
    store = FeatureStore(
        config=RepoConfig(
            project="stock",
            provider="local",
            registry={"registry_type": "sql", "path": f"sqlite:///{tmp_path / 'stock.db'}"},
            online_store={"type": "sqlite", "path": str(tmp_path / "online.db")},
            offline_store={"type": "duckdb"},
            entity_key_serialization_version=3,
        )
    )
    store.apply([entity for entity in ours.list_entities() if entity.name != "__dummy"])
    for declared in PLANTED.feature_views:
        path = tmp_path / f"{declared.name}.parquet"
        pq.write_table(workspace.lake.read(names.features(PLANTED, declared)), path)
        view = ours.get_feature_view(declared.name)
        store.apply(copy_of(view, store, path))
    return store


def copy_of(view: FeatureView, store: FeatureStore, path: Path) -> FeatureView:
    return FeatureView(
        name=view.name,
        entities=[store.get_entity(name) for name in view.entities],
        ttl=view.ttl,
        schema=view.schema,
        source=FileSource(
            name=f"{view.name}_copy",
            path=str(path),
            file_format=ParquetFormat(),
            timestamp_field=view.batch_source.timestamp_field,
        ),
    )


def test_every_cell_is_what_the_stock_store_gives(
    ours: FeatureStore, stock: FeatureStore, workspace: Workspace
) -> None:
    entities = entity_frame(workspace, PLANTED_USE_CASE, WINDOW.days[-3:])
    keys = ["data_day", "target_date", *PLANTED_USE_CASE.key_names]
    asked = [
        f"{view.name}:{field.name}" for view in ours.list_feature_views() for field in view.features
    ]
    columns = [name.replace(":", "__") for name in asked]

    for hours_later, valid in {0: True, 21: True, 23: False}.items():
        moment = entities["event_timestamp"] + timedelta(hours=hours_later)
        frame = entities.assign(event_timestamp=moment)
        found = ours.get_historical_features(frame, asked, full_feature_names=True).to_df()
        expected = stock.get_historical_features(frame, asked, full_feature_names=True).to_df()

        assert found[list(frame)].equals(frame)
        assert found[columns].notna().any().all() == valid, hours_later
        pd.testing.assert_frame_equal(
            found.sort_values(keys, ignore_index=True),
            expected.sort_values(keys, ignore_index=True)[list(found)],
            check_dtype=False,
            check_exact=True,
        )
