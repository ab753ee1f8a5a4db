"""Sources and destinations on an S3-compatible object store, served on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.fs as fs
import pytest
from feast import FeatureStore
from feast.data_format import DeltaFormat
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage

from include.features.asof.errors import SourceMissing
from tests.features.asof.views import (
    NOON,
    SLOT_SCHEMA,
    at,
    carriers,
    daily,
    retrieve,
    write_daily,
    write_parquet,
)
from tests.object_store import LOGIN

SLOT_ROWS = [{"hour": 7, "event_timestamp": NOON, "x": 1}]


@pytest.fixture
def bucket(
    store: FeatureStore,
    lake: Path,
    endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[fs.S3FileSystem]:
    """A bucket with the lake's tables in it, and a store whose root it is."""
    write_daily(lake, [daily("AA", NOON, 0.5)])
    write_parquet(lake / "slot.parquet", SLOT_ROWS, SLOT_SCHEMA)
    for name, value in LOGIN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    files = fs.S3FileSystem(endpoint_override=endpoint, allow_bucket_creation=True)
    files.create_dir("lake")
    fs.copy_files(str(lake), "lake/tables", destination_filesystem=files)
    monkeypatch.setattr(store.config.offline_store, "root", "s3://lake/tables")
    yield files
    files.delete_dir_contents("lake")


def test_delta_and_parquet_are_read_by_url(store: FeatureStore, bucket: fs.S3FileSystem) -> None:
    asked = carriers(("AA", at(1))).assign(hour=7)

    assert retrieve(store, asked, ["daily:rate", "slot:x"]) == [
        {"carrier": "AA", "event_timestamp": at(1), "hour": 7, "rate": 0.5, "x": 1}
    ]


def test_a_table_that_is_not_there_is_named_by_its_url(
    store: FeatureStore, bucket: fs.S3FileSystem
) -> None:
    for view, key in (("weather:wind", "airport"), ("route:x", "origin")):
        frame = pd.DataFrame({key: ["1"], "dest": ["1"], "event_timestamp": [NOON]})
        with pytest.raises(SourceMissing, match="s3://lake/tables/"):
            retrieve(store, frame, [view])


@pytest.mark.parametrize("kind", [None, DeltaFormat()])
def test_a_dataset_is_saved_by_url(
    store: FeatureStore, bucket: fs.S3FileSystem, kind: DeltaFormat | None
) -> None:
    storage = SavedDatasetFileStorage("saved/one", **({"file_format": kind} if kind else {}))
    job = store.get_historical_features(carriers(("AA", NOON)), ["daily:rate"])

    job.persist(storage)

    with pytest.raises(SavedDatasetLocationAlreadyExists):
        job.persist(storage)
    job.persist(storage, allow_overwrite=True)
    read = store._get_provider().offline_store.pull_all_from_table_or_query(
        store.config, storage.to_data_source(), ["carrier"], ["rate"], "event_timestamp"
    )
    assert (
        read.to_arrow().to_pylist()
        == job.to_arrow().select(["carrier", "rate", "event_timestamp"]).to_pylist()
    )


def test_rows_are_added_by_url(store: FeatureStore, bucket: fs.S3FileSystem) -> None:
    new = pd.DataFrame({"hour": [7], "event_timestamp": [at(1)], "x": [2]})

    store.write_to_offline_store("slot", new)
    store.write_to_offline_store(
        "daily", carriers(("AA", at(1))).assign(rate=0.6, data_day=NOON.date())
    )

    asked = carriers(("AA", at(1))).assign(hour=7)
    found = retrieve(store, asked, ["daily:rate", "slot:x"])
    assert (found[0]["rate"], found[0]["x"]) == (0.6, 2)
