"""Bad input is refused by name, as a Feast error."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from feast import (
    FeatureStore,
)
from feast.errors import FeastError

from include.errors import DataError, RowsLost, SchemaBreak, StorageUnavailable, UsageError
from include.features.asof import join
from include.features.asof.errors import (
    EntityFrameInvalid,
    EntityRowsLost,
    KeyTypeMismatch,
    RetrievalUnsupported,
    SourceColumnInvalid,
    SourceMissing,
    SourceUnreadable,
    StoreMisconfigured,
)
from tests.features.asof.views import (
    INSTANT,
    NOON,
    carriers,
    daily,
    retrieve,
    write_daily,
)


def retrieve_error(store: FeatureStore, frame: pd.DataFrame) -> type[Exception] | None:
    try:
        retrieve(store, frame, ["daily:rate"])
    except FeastError as error:
        return type(error)
    return None


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame({"carrier": ["AA"]}), "no column 'event_timestamp' and no other"),
        (pd.DataFrame({"event_timestamp": [NOON]}), "'daily': the entity frame lacks .*'carrier'"),
        (carriers(("AA", "yesterday")), "'event_timestamp' holds a value that is no timestamp"),
        (carriers(("AA", 20130310)), "'event_timestamp' holds integer values"),
        (carriers(("AA", NOON)).assign(rate=1.0), "'daily': .* already has .* features: rate"),
        (carriers(("AA", NOON)).assign(big=2**70), "a number that is too large"),
        (carriers(("AA", NOON), (1, NOON)), "a column that mixes types: .*carrier"),
    ],
)
def test_an_unusable_entity_frame_is_refused_by_name(
    store: FeatureStore, frame: pd.DataFrame, says: str
) -> None:
    with pytest.raises(EntityFrameInvalid, match=says) as caught:
        store.get_historical_features(frame, ["daily:rate"])
    assert isinstance(caught.value, DataError)


def test_a_source_that_is_not_there_is_named(store: FeatureStore, lake: Path) -> None:
    with pytest.raises(SourceMissing, match=r"feature view 'daily': .*/lake/daily; build its"):
        retrieve(store, carriers(("AA", NOON)), ["daily:rate"])
    with pytest.raises(SourceMissing, match=r"feature view 'slot': .*/lake/slot\.parquet"):
        retrieve(store, pd.DataFrame({"hour": [1], "event_timestamp": NOON}), ["slot:x"])


def test_a_source_that_cannot_be_read_is_named(store: FeatureStore, lake: Path) -> None:
    (lake / "slot.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(SourceUnreadable, match=r"feature view 'slot': .*slot\.parquet") as caught:
        retrieve(store, pd.DataFrame({"hour": [1], "event_timestamp": NOON}), ["slot:x"])
    assert isinstance(caught.value, StorageUnavailable)


@pytest.mark.parametrize("missing", ["carrier", "event_timestamp", "rate"])
def test_a_missing_source_column_is_named(store: FeatureStore, lake: Path, missing: str) -> None:
    table = pa.table(
        {"carrier": ["AA"], "event_timestamp": pa.array([NOON], INSTANT), "rate": [0.5]}
    )
    write_deltalake(lake / "daily", table.drop_columns(missing))

    with pytest.raises(SourceColumnInvalid, match=f"'daily': .* no column '{missing}'") as caught:
        retrieve(store, carriers(("AA", NOON)), ["daily:rate"])
    assert isinstance(caught.value, SchemaBreak)


def test_mistyped_timestamps_and_keys_are_named(store: FeatureStore, lake: Path) -> None:
    path = lake / "mistyped.parquet"
    pq.write_table(pa.table({"carrier": ["1"], "event_timestamp": [5], "rate": [0.5]}), path)
    with pytest.raises(SourceColumnInvalid, match=r"'event_timestamp' .* has type BIGINT"):
        retrieve(store, carriers(("1", NOON)), ["mistyped:rate"])

    table = pa.table({"carrier": [1], "event_timestamp": pa.array([NOON], INSTANT), "rate": [0.5]})
    pq.write_table(table, path)
    with pytest.raises(KeyTypeMismatch, match=r"'carrier' is VARCHAR .* but BIGINT"):
        retrieve(store, carriers(("1", NOON)), ["mistyped:rate"])


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT 1 AS carrier", "no column 'event_timestamp' and no other datetime"),
        ("SELECT now() AS event_timestamp", "'daily': the entity frame lacks .*'carrier'"),
        ("SELECT 'AA' AS carrier, 7 AS event_timestamp", "'event_timestamp' holds INTEGER values"),
        ("SELECT 'AA' AS carrier, now() AS t, 1 AS rate", "already has .* features: rate"),
        ("SELECT now() AS t, 'AA' AS carrier, 'B' AS carrier", "a column twice"),
        ("SELECT carrier FROM nowhere", "cannot be run: .*nowhere"),
        ("SELEKT", "cannot be run: .*SELEKT"),
        ("SELECT 'AA' AS carrier, now() AS t, 1 AS rowid", "a column 'rowid', a name the store"),
    ],
)
def test_an_unusable_entity_query_is_refused_at_once(
    store: FeatureStore, query: str, says: str
) -> None:
    with pytest.raises(EntityFrameInvalid, match=says):
        store.get_historical_features(query, ["daily:rate"])


def test_text_that_is_no_timestamp_is_named_when_the_query_runs(
    store: FeatureStore, lake: Path
) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    query = "SELECT 'AA' AS carrier, 'yesterday' AS event_timestamp"
    with pytest.raises(EntityFrameInvalid, match="yesterday"):
        retrieve(store, query, ["daily:rate"])


def test_other_entity_frames_and_empty_batches_are_refused(store: FeatureStore) -> None:
    with pytest.raises(RetrievalUnsupported, match="is a list; it must be a pandas") as caught:
        store.get_historical_features([1], ["daily:rate"])
    assert isinstance(caught.value, UsageError)
    job = store.get_historical_features(carriers(("AA", NOON)), ["daily:rate"])
    with pytest.raises(ValueError, match="at least one row, not 0"):
        next(job.to_batches(0))


def test_lost_or_doubled_rows_are_never_returned(
    store: FeatureStore, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    assemble = join._assemble
    frame = carriers(("AA", NOON), ("AA", NOON))
    for defect in (
        "SELECT * FROM ({0}) WHERE row > 0",
        "FROM ({0}) ORDER BY row DESC",
        "SELECT 1::BIGINT AS row, * EXCLUDE row FROM ({0})",
    ):
        monkeypatch.setattr(
            join, "_assemble", lambda *args, sql=defect: sql.format(assemble(*args))
        )
        with pytest.raises(EntityRowsLost) as caught:
            retrieve(store, frame, ["daily:rate"])
        assert isinstance(caught.value, RowsLost)


@pytest.mark.parametrize(
    ("setting", "value"), [("memory_limit", "banana"), ("temp_directory", "/nonexistent/x")]
)
def test_a_setting_that_cannot_be_used_is_named(
    store: FeatureStore, lake: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    monkeypatch.setattr(store.config.offline_store, setting, value)
    with pytest.raises(StoreMisconfigured, match=r"cannot be opened .* correct memory_limit"):
        retrieve(store, carriers(("AA", NOON)), ["daily:rate"])
