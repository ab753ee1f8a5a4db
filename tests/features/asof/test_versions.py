"""Delta tables read at chosen versions, and what is refused of a table that is."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from feast import FeatureStore
from feast.data_format import DeltaFormat
from feast.errors import FeastError
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from pydantic import ValidationError

from include.errors import ConfigurationError, StorageUnavailable
from include.features.asof.errors import (
    DestinationUnusable,
    SourceMissing,
    SourceUnreadable,
    StoreMisconfigured,
)
from include.features.asof.store import AsofOfflineStoreConfig
from tests.features.asof.views import INSTANT, NOON, at, carriers, daily, retrieve, write_daily

ASKED = carriers(("AA", at(5)), ("B6", at(5)))


@pytest.fixture
def pin(store: FeatureStore, monkeypatch: pytest.MonkeyPatch):
    """Sets `offline_store.delta_versions`, in place of an entry in `feature_store.yaml`."""
    return lambda versions: monkeypatch.setattr(
        store.config.offline_store, "delta_versions", versions
    )


@pytest.fixture
def three_versions(lake: Path) -> Path:
    """`daily` with AA at 0.1, then 0.2, then 0.3; B6 is in the second version only."""
    write_daily(lake, [daily("AA", NOON, 0.1)])
    write_daily(lake, [daily("AA", NOON, 0.2), daily("B6", NOON, 0.9)])
    write_daily(lake, [daily("AA", NOON, 0.3)])
    return lake / "daily"


def rates(store: FeatureStore) -> list[float | None]:
    return [row["rate"] for row in retrieve(store, ASKED, ["daily:rate"])]


def test_a_table_is_read_at_its_version_and_others_at_their_newest(
    store: FeatureStore, lake: Path, three_versions: Path, pin
) -> None:
    both = {"origin": pa.string(), "airport": pa.string(), "event_timestamp": INSTANT}
    for wind in (5.0, 6.0):
        row = {"origin": "JFK", "airport": "JFK", "event_timestamp": NOON, "wind": wind}
        table = pa.Table.from_pylist([row], pa.schema({**both, "wind": pa.float64()}))
        write_deltalake(lake / "lake" / "weather", table, mode="overwrite")
    assert rates(store) == [0.3, None]
    for version, expected in enumerate([[0.1, None], [0.2, 0.9], [0.3, None]]):
        pin({"daily": version})
        assert rates(store) == expected
        asked = ASKED.assign(airport="JFK")
        assert {r["wind"] for r in retrieve(store, asked, ["weather:wind"])} == {6.0}
    pin({"daily": 1, "lake/weather": 0})
    found = retrieve(store, ASKED.assign(airport="JFK"), ["daily:rate", "weather:wind"])
    assert [(row["rate"], row["wind"]) for row in found] == [(0.2, 5.0), (0.9, 5.0)]


@pytest.mark.parametrize("written", ["daily/", "{lake}/daily", "file://{lake}/daily"])
def test_a_table_may_be_named_like_any_source(
    store: FeatureStore, lake: Path, three_versions: Path, pin, written: str
) -> None:
    pin({written.format(lake=lake): 1})
    assert rates(store) == [0.2, 0.9]


def test_every_kind_of_reading_sees_the_version(
    store: FeatureStore, lake: Path, three_versions: Path, pin
) -> None:
    pin({"daily": 1})
    query = "SELECT carrier, max(event_timestamp) AS event_timestamp FROM daily_source GROUP BY ALL"
    found = retrieve(store, query, ["daily:rate"])
    assert sorted(row["rate"] for row in found) == [0.2, 0.9]
    job = store.get_historical_features(None, ["daily:rate"], start_date=NOON, end_date=at(1))
    assert sorted(job.to_df()["rate"]) == [0.2, 0.9]
    view = store.get_feature_view("daily")
    for pull in ("pull_latest_from_table_or_query", "pull_all_from_table_or_query"):
        job = getattr(store._provider.offline_store, pull)(
            config=store.config,
            data_source=view.batch_source,
            join_key_columns=["carrier"],
            feature_name_columns=["rate"],
            timestamp_field="event_timestamp",
            created_timestamp_column=None,
            start_date=NOON,
            end_date=at(1),
        )
        assert sorted(job.to_df()["rate"]) == [0.2, 0.9], pull


def test_columns_added_later_are_unknown_to_an_earlier_version(
    store: FeatureStore, lake: Path, pin
) -> None:
    keys = pa.table({"carrier": ["AA"], "event_timestamp": pa.array([NOON], INSTANT)})
    write_deltalake(lake / "daily", keys)
    later = keys.append_column("rate", pa.array([0.5]))
    write_deltalake(lake / "daily", later, mode="overwrite", schema_mode="overwrite")
    assert rates(store) == [0.5, None]
    pin({"daily": 0})
    with pytest.raises(FeastError, match="daily at version 0 has no column 'rate'"):
        rates(store)


def test_a_version_that_is_gone_is_named_with_its_table(
    store: FeatureStore, lake: Path, three_versions: Path, pin
) -> None:
    DeltaTable(three_versions).vacuum(
        retention_hours=0, dry_run=False, enforce_retention_duration=False, keep_versions=[0]
    )
    pin({"daily": 0})
    assert rates(store) == [0.1, None]
    pin({"daily": 1})
    told = r"view 'daily': .*/daily at version 1 cannot be read \(1 of 1 data files are gone"
    with pytest.raises(SourceUnreadable, match=told) as caught:
        rates(store)
    assert isinstance(caught.value, StorageUnavailable)
    pin({"daily": 9})
    with pytest.raises(SourceUnreadable, match="daily at version 9 cannot be read"):
        rates(store)


def test_a_log_that_forgot_the_version_is_told_from_a_table_that_is_not_there(
    store: FeatureStore, lake: Path, three_versions: Path, pin
) -> None:
    pin({"daily": 0})
    DeltaTable(three_versions).create_checkpoint()
    for commit in (0, 1):
        (three_versions / "_delta_log" / f"{commit:020}.json").unlink()
    with pytest.raises(SourceUnreadable, match=r"version 0 cannot be read .*log does not hold"):
        rates(store)
    pin({"lake/weather": 0})
    with pytest.raises(SourceMissing, match=r"no table at .*/lake/weather at version 0"):
        retrieve(store, ASKED.assign(airport="JFK"), ["weather:wind"])


def test_a_table_read_at_a_version_is_not_written(
    store: FeatureStore, lake: Path, three_versions: Path, pin
) -> None:
    pin({"daily": 1, "kept": 0})
    new = carriers(("AA", at(1))).assign(rate=0.6, data_day=NOON.date())
    with pytest.raises(DestinationUnusable, match=r"'daily': .*/daily is read at version 1"):
        store.write_to_offline_store("daily", new)
    job = store.get_historical_features(ASKED, ["daily:rate"])
    storage = SavedDatasetFileStorage(path="kept", file_format=DeltaFormat())
    with pytest.raises(DestinationUnusable, match=r"saved dataset: .*/kept is read at version 0"):
        job.persist(storage)
    assert DeltaTable(three_versions).version() == 2
    assert not (lake / "kept").exists()


def test_versions_of_what_has_none_are_refused(store: FeatureStore, lake: Path, pin) -> None:
    hours = pa.table({"hour": [1], "event_timestamp": pa.array([NOON], INSTANT), "x": [1]})
    pa.parquet.write_table(hours, lake / "slot.parquet")
    pin({"slot.parquet": 3})
    frame = pd.DataFrame({"hour": [1], "event_timestamp": [NOON]})
    with pytest.raises(StoreMisconfigured, match=r"slot\.parquet, which is no Delta") as caught:
        retrieve(store, frame, ["slot:x"])
    assert isinstance(caught.value, ConfigurationError)
    for version in (-1, "newest", 1.5):
        with pytest.raises(ValidationError, match="delta_versions"):
            AsofOfflineStoreConfig(delta_versions={"daily": version})
