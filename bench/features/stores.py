"""The contenders that speak Feast: this project's offline store and the two stock ones.

All get the views and entities that `feature_repo/` declares, over the same files and with the same
TTL, and the defaults of their settings (DuckDB's threads among them) unless told otherwise.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

# Before anything else of Feast, which it loads in a third of the time.
from include.features.quick_feast import FeatureStore, RepoConfig  # isort: skip

import pandas as pd
from feast import FeatureView, FileSource
from feast.data_format import DeltaFormat, ParquetFormat

from bench.features.cases import CREATED, EVENT_TIMESTAMP, FEATURES, VIEWS, Inputs
from bench.features.retrieval import Retrieval, Streamed, Whole
from feature_repo import nyc_flights

ENTITIES = (
    nyc_flights.carrier,
    nyc_flights.origin,
    nyc_flights.destination,
    nyc_flights.tail_number,
    nyc_flights.departure_hour,
)
REFERENCES = [f"{view}:{feature}" for view in VIEWS for feature in FEATURES]


def nightshift(
    inputs: Inputs,
    *,
    entities: str = "frame",
    result: str = "frame",
    delta: bool = False,
    memory_limit: str | None = None,
) -> Retrieval:
    """Prepare this project's store.

    Args:
        entities: `frame`, or `sql` for a query that reads the entity frame's file.
        result: `frame` (pandas), `arrow` or `batches`.
        delta: read the lake's Delta tables in place of the Parquet files.
        memory_limit: what DuckDB may use before it spills.
    """
    offline = {
        "type": "include.features.asof.store.AsofOfflineStore",
        "root": str(inputs.lake if delta else inputs.folder),
        "memory_limit": memory_limit,
    }
    store = _store(inputs, offline, delta)
    asked: pd.DataFrame | str
    if entities == "sql":
        path = str(inputs.entities).replace("'", "''")
        asked = f"SELECT * FROM read_parquet('{path}')"
    else:
        asked = pd.read_parquet(inputs.entities)
    if result == "batches":
        return Streamed(lambda: _job(store, asked).to_batches())
    if result == "arrow":
        return Whole(lambda: _job(store, asked).to_arrow())
    return Whole(lambda: _job(store, asked).to_df())


def stock(inputs: Inputs, *, kind: str) -> Retrieval:
    """Prepare one of Feast's own stores, `duckdb` or `dask`; the result is a DataFrame."""
    store = _store(inputs, {"type": kind}, delta=False)
    asked = pd.read_parquet(inputs.entities)
    return Whole(lambda: _job(store, asked).to_df())


def _job(store: FeatureStore, asked: pd.DataFrame | str) -> Any:
    """Return Feast's retrieval job; this project's has `to_batches` beyond Feast's own methods."""
    return store.get_historical_features(asked, REFERENCES, full_feature_names=True)


def _store(inputs: Inputs, offline_store: dict[str, str | None], delta: bool) -> FeatureStore:
    """Return a feature store with its own registry, which lasts as long as the process."""
    folder = Path(tempfile.mkdtemp(prefix="bench-feast-"))
    config = RepoConfig(
        project="bench",
        provider="local",
        registry={"registry_type": "file", "path": str(folder / "registry.db")},
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        offline_store={name: value for name, value in offline_store.items() if value},
        entity_key_serialization_version=3,
    )
    config.repo_path = folder
    store = FeatureStore(config=config)
    views = [_view(inputs, name, delta) for name in VIEWS]
    store.apply([*ENTITIES, *views], skip_feature_view_validation=True)
    return store


def _view(inputs: Inputs, name: str, delta: bool) -> FeatureView:
    """Return a view as `feature_repo/` declares it, over the benchmark's copy of its table."""
    declared: FeatureView = getattr(nyc_flights, name)
    source = FileSource(
        name=f"{name}_source",
        path=declared.batch_source.path if delta else str(inputs.table(name)),
        file_format=DeltaFormat() if delta else ParquetFormat(),
        timestamp_field=EVENT_TIMESTAMP,
        created_timestamp_column=CREATED if inputs.case.created else None,
    )
    return FeatureView(
        name=name,
        entities=[entity for entity in ENTITIES if entity.name in declared.entities],
        ttl=inputs.case.ttl,
        schema=declared.schema,
        source=source,
    )
