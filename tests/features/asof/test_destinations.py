"""What Feast writes through the store: saved datasets, feature rows, logs."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from feast import FeatureService, FeatureStore
from feast.data_format import DeltaFormat
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.feature_logging import LoggingConfig
from feast.infra.offline_stores.file_source import FileLoggingDestination, SavedDatasetFileStorage

from include.features.asof.errors import DestinationUnusable, SourceUnreadable
from tests.features.asof.views import (
    DAILY,
    INSTANT,
    NOON,
    SLOT_SCHEMA,
    at,
    carriers,
    daily,
    retrieve,
    write_daily,
    write_parquet,
)

STORAGES = {
    "parquet": {"path": "saved/one.parquet"},
    "delta": {"path": "saved/delta", "file_format": DeltaFormat()},
}


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> SavedDatasetFileStorage:
    return SavedDatasetFileStorage(**STORAGES[request.param])


def test_a_saved_dataset_reads_back_as_it_was(
    store: FeatureStore, lake: Path, storage: SavedDatasetFileStorage
) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5), daily("UA", at(1), 0.7)])
    frame = carriers(("AA", at(2)), ("UA", at(2)), ("ZZ", NOON))
    job = store.get_historical_features(frame, ["daily:rate"])

    saved = store.create_saved_dataset(job, "kept", storage, allow_overwrite=True)

    read = store.get_saved_dataset("kept").to_arrow()
    expected = job.to_arrow().select(read.column_names).cast(read.schema)
    assert read.sort_by("carrier").equals(expected.sort_by("carrier"))
    assert (saved.min_event_timestamp, saved.max_event_timestamp) == (NOON, at(2))


def test_what_is_saved_is_replaced_only_when_that_is_allowed(
    store: FeatureStore, lake: Path, storage: SavedDatasetFileStorage
) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    first = store.get_historical_features(carriers(("AA", NOON)), ["daily:rate"])
    wider = carriers(("AA", NOON), ("AA", at(1))).assign(note="new column")
    second = store.get_historical_features(wider, ["daily:rate"])
    first.persist(storage)

    with pytest.raises(SavedDatasetLocationAlreadyExists):
        second.persist(storage)
    assert saved_rows(store, storage) == 1
    second.persist(storage, allow_overwrite=True)
    assert saved_rows(store, storage) == 2


def test_a_failed_save_leaves_what_was_there(
    store: FeatureStore, lake: Path, storage: SavedDatasetFileStorage
) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    store.get_historical_features(carriers(("AA", NOON)), ["daily:rate"]).persist(storage)
    frame = carriers(*[("AA", NOON)] * 3)
    job = store.get_historical_features(frame, ["daily:rate", "doubled:rate_twice"])
    whole = job.to_batches
    job.to_batches = lambda: broken(whole(1))

    with pytest.raises((OSError, SourceUnreadable)):
        job.persist(storage, allow_overwrite=True)

    assert saved_rows(store, storage) == 1
    assert not list(lake.rglob(".*.parquet"))


def broken(batches: Any) -> Any:
    yield next(batches)
    raise OSError("the disk is full")


def saved_rows(store: FeatureStore, storage: SavedDatasetFileStorage) -> int:
    job = store._get_provider().offline_store.pull_all_from_table_or_query(
        store.config, storage.to_data_source(), ["carrier"], ["rate"], "event_timestamp"
    )
    return int(job.to_arrow().num_rows)


def test_a_dataset_is_not_saved_over_a_folder(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    (lake / "saved").mkdir()
    job = store.get_historical_features(carriers(("AA", NOON)), ["daily:rate"])

    with pytest.raises(DestinationUnusable, match="is a folder"):
        job.persist(SavedDatasetFileStorage("saved"), allow_overwrite=True)


# -- rows added to a view's source --------------------------------------------------------------


def test_rows_are_added_to_a_delta_source(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    new = carriers(("AA", at(1))).assign(rate=0.6, data_day=NOON.date())

    store.write_to_offline_store("daily", new)

    found = retrieve(store, carriers(("AA", NOON), ("AA", at(1))), ["daily:rate"])
    assert [row["rate"] for row in found] == [0.5, 0.6]
    assert DeltaTable(lake / "daily").version() == 1


def test_rows_are_added_to_a_parquet_file_and_to_a_folder(store: FeatureStore, lake: Path) -> None:
    first = [{"hour": 7, "event_timestamp": NOON, "x": 1}]
    new = pd.DataFrame({"x": [2], "hour": [7], "event_timestamp": [at(1)]})
    asked = pd.DataFrame({"hour": [7, 7], "event_timestamp": [NOON, at(1)]})
    for shape in ("file", "folder", "partitioned"):
        path = lake / "slot.parquet"
        if shape == "file":
            write_parquet(path, first, SLOT_SCHEMA)
        else:
            path.unlink() if path.is_file() else shutil.rmtree(path)
            by = ["hour"] if shape == "partitioned" else None
            table = pa.Table.from_pylist(first, SLOT_SCHEMA)
            pq.write_to_dataset(
                table, path, partition_cols=by, existing_data_behavior="delete_matching"
            )

        store.write_to_offline_store("slot", new)

        assert [row["x"] for row in retrieve(store, asked, ["slot:x"])] == [1, 2], shape
        assert not list(lake.rglob(".*.parquet"))


def test_a_failed_write_into_a_folder_leaves_nothing(store: FeatureStore, lake: Path) -> None:
    times = pa.array([NOON], INSTANT)
    first = pa.table({"carrier": ["AA"], "event_timestamp": times, "rate": [0.5]})
    path = lake / "mistyped.parquet"
    pq.write_to_dataset(first, path, partition_cols=["carrier"])
    before = sorted(path.rglob("*.parquet"))
    new = carriers(("AA", at(1)), ("Z" * 300, at(1))).assign(rate=0.6)

    with pytest.raises(SourceUnreadable, match=r"cannot be read .*ZZZZ"):
        store.write_to_offline_store("mistyped", new)

    assert sorted(path.rglob("*.parquet")) == before


def test_rows_come_in_the_names_of_the_view_too(store: FeatureStore, lake: Path) -> None:
    table = pa.table(
        {
            "cd": ["AA"],
            "ts": pa.array([NOON], INSTANT),
            "raw delay": [1.0],
            "seen": pa.array([NOON], INSTANT),
        }
    )
    pq.write_table(table, lake / "mapped.parquet")
    new = table.to_pandas().assign(ts=at(1), **{"raw delay": 2.0})

    store.write_to_offline_store("mapped", new)

    found = retrieve(store, carriers(("AA", at(1))), ["mapped:delay"])
    assert found[0]["delay"] == 2.0
    assert pq.read_schema(lake / "mapped.parquet").equals(table.schema)


def test_a_source_without_a_table_is_created(store: FeatureStore, lake: Path) -> None:
    offline = store._get_provider().offline_store
    table = pa.table({"hour": [7], "event_timestamp": pa.array([NOON], INSTANT), "x": [1]})
    written: list[int] = []

    offline.offline_write_batch(store.config, store.get_feature_view("slot"), table, written.append)

    asked = pd.DataFrame({"hour": [7], "event_timestamp": [NOON]})
    assert [row["x"] for row in retrieve(store, asked, ["slot:x"])] == [1]
    assert written == [1]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"hour": [7], "x": [1]}, "missing: event_timestamp; unknown: none"),
        ({"hour": [7], "event_timestamp": [NOON], "x": [1], "z": [1]}, "unknown: z"),
        ({"hour": ["seven"], "event_timestamp": [NOON], "x": [1]}, "do not fit the types"),
        ({"hour": [7], "event_timestamp": [NOON], "x": [1.5]}, "do not fit the types"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_nothing_changes(
    store: FeatureStore, lake: Path, table: dict[str, Any], says: str
) -> None:
    write_parquet(lake / "slot.parquet", [], SLOT_SCHEMA)
    before = (lake / "slot.parquet").read_bytes()
    offline = store._get_provider().offline_store

    with pytest.raises(DestinationUnusable, match=f"feature view 'slot': .*{says}"):
        offline.offline_write_batch(
            store.config, store.get_feature_view("slot"), pa.table(table), None
        )

    assert (lake / "slot.parquet").read_bytes() == before


# -- logged features ----------------------------------------------------------------------------


@pytest.mark.parametrize("by", [None, ["__log_date"]])
def test_logged_features_are_added_and_read_back(
    store: FeatureStore, lake: Path, tmp_path: Path, by: list[str] | None
) -> None:
    service = FeatureService(
        name="served",
        features=[DAILY],
        logging_config=LoggingConfig(FileLoggingDestination(path="logs", partition_by=by)),
    )
    store.apply(service)
    rows = {
        "carrier": ["AA"],
        "daily__rate": [0.5],
        "daily__rate__timestamp": pa.array([NOON], INSTANT),
        "daily__rate__status": pa.array([1], pa.int32()),
        "__log_timestamp": pa.array([NOON], INSTANT),
        "__log_date": [NOON.date()],
        "__request_id": ["a"],
    }
    folder = tmp_path / "chunk"
    folder.mkdir()
    pq.write_table(pa.table(rows | {"__request_id": ["b"]}), folder / "part.parquet")

    store.write_logged_features(pa.table(rows), service)
    store.write_logged_features(folder, service)

    logs = store._get_provider().retrieve_feature_service_logs(
        service, NOON - timedelta(1), NOON + timedelta(1), store.config, store.registry
    )
    assert sorted(logs.to_arrow()["__request_id"].to_pylist()) == ["a", "b"]
    assert not list((lake / "logs").rglob(".*.parquet"))
