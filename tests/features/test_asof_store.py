"""The point-in-time store against a brute-force oracle, and through a real Feast store."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    RepoConfig,
    ValueType,
)
from feast.data_format import DeltaFormat, ParquetFormat
from feast.errors import FeastError
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64, String, UnixTimestamp
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from include.errors import DataError, RowsLost, SchemaBreak, StorageUnavailable, UsageError
from include.features import asof_join
from include.features.asof_errors import (
    EntityFrameInvalid,
    EntityRowsLost,
    KeyTypeMismatch,
    RetrievalUnsupported,
    SourceColumnInvalid,
    SourceMissing,
    SourceUnreadable,
)

NOON = datetime(2013, 3, 10, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
INSTANT = pa.timestamp("us", "UTC")
TIED_TTL = timedelta(microseconds=2)
modest = examples(
    max_examples=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # an example costs 0.1 s: shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def at(microseconds: int) -> datetime:
    """Return an instant, in microseconds after noon."""
    return NOON + microseconds * MICROSECOND


# -- one Feast store for all tests: importing Feast and applying definitions is what costs ------


def entity(name: str, kind: ValueType = ValueType.STRING) -> Entity:
    return Entity(name=name, join_keys=[name], value_type=kind)


ORIGIN, DEST, CARRIER = entity("origin"), entity("dest"), entity("carrier")
AIRPORT, HOUR = entity("airport"), entity("hour", ValueType.INT64)


def view(
    name: str,
    entities: list[Entity],
    features: dict[str, Any],
    *,
    ttl: timedelta | None = None,
    created: str = "",
    delta: bool = False,
    path: str | None = None,
    timestamp: str = "event_timestamp",
    mapping: dict[str, str] | None = None,
) -> FeatureView:
    kinds = {ValueType.INT64: Int64, ValueType.STRING: String}
    keys = [Field(name=e.join_key, dtype=kinds[e.value_type]) for e in entities]
    return FeatureView(
        name=name,
        entities=entities,
        ttl=ttl,
        schema=keys + [Field(name=column, dtype=kind) for column, kind in features.items()],
        source=FileSource(
            name=f"{name}_source",
            path=path or f"{name}{'' if delta else '.parquet'}",
            file_format=DeltaFormat() if delta else ParquetFormat(),
            timestamp_field=timestamp,
            created_timestamp_column=created,
            field_mapping=mapping or {},
        ),
    )


ROUTE = view("route", [ORIGIN, DEST], {"x": Int64, "y": Int64}, ttl=TIED_TTL, created="created")
SLOT = view("slot", [HOUR], {"x": Int64})
DAILY = view("daily", [CARRIER], {"rate": Float64}, ttl=timedelta(days=2), delta=True)
WEATHER = view("weather", [AIRPORT], {"wind": Float64}, delta=True, path="lake/weather")
MAPPED = view(
    "mapped",
    [CARRIER],
    {"delay": Float64, "seen": UnixTimestamp},
    timestamp="ts",
    mapping={"raw delay": "delay", "cd": "carrier"},
)
GLOBAL = view("global", [], {"level": Int64}, ttl=timedelta(days=1))
MISTYPED = view("mistyped", [CARRIER], {"rate": Float64})
BOTH_ENDS = FeatureService(
    name="both_ends",
    features=[
        WEATHER.with_name("from_weather").with_join_key_map({"airport": "origin"}),
        WEATHER.with_name("to_weather").with_join_key_map({"airport": "dest"}),
    ],
)


@on_demand_feature_view(
    sources=[DAILY], schema=[Field(name="rate_twice", dtype=Float64)], mode="pandas"
)
def doubled(inputs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"rate_twice": inputs["rate"] * 2})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeatureStore]:
    root = tmp_path_factory.mktemp("asof")
    config = RepoConfig(
        project="tests",
        provider="local",
        registry={
            "registry_type": "sql",
            "path": f"sqlite:///{root / 'registry.db'}",
            "cache_ttl_seconds": 3600,
        },
        online_store={"type": "sqlite", "path": str(root / "online.db")},
        offline_store={
            "type": "include.features.asof_store.AsofOfflineStore",
            "root": str(root / "lake"),
            "memory_limit": "1GB",
            "threads": 2,
        },
        entity_key_serialization_version=3,
        materialization={"pull_latest_features": True},
    )
    feast = FeatureStore(config=config)
    (root / "lake").mkdir()
    feast.apply([ORIGIN, DEST, CARRIER, AIRPORT, HOUR])
    feast.apply([ROUTE, SLOT, DAILY, WEATHER, MAPPED, GLOBAL, MISTYPED, doubled, BOTH_ENDS])
    yield feast


@pytest.fixture
def lake(store: FeatureStore) -> Iterator[Path]:
    """The folder that relative source paths are resolved against, empty at the start."""
    folder = Path(store.config.offline_store.root)
    yield folder
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def write_parquet(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows), schema), path)


def retrieve(
    store: FeatureStore, frame: pd.DataFrame, features: Any, *, full: bool = False
) -> list[dict[str, Any]]:
    job = store.get_historical_features(frame, features, full_feature_names=full)
    rows: list[dict[str, Any]] = job.to_arrow().to_pylist()
    return rows


# -- the oracle: obviously right, slow ----------------------------------------------------------


def newest_visible(
    entity_row: dict[str, Any],
    feature_rows: Iterable[dict[str, Any]],
    keys: Sequence[str],
    values: Sequence[str],
    ttl: timedelta | None,
) -> dict[str, Any]:
    """Return the feature values an entity row may see, by looking at every feature row."""
    now = entity_row["event_timestamp"]
    visible = [
        row
        for row in feature_rows
        if now is not None
        and all(entity_row[key] is not None and row[key] == entity_row[key] for key in keys)
        and row["event_timestamp"] is not None
        and row["event_timestamp"] <= now
        and (ttl is None or row["event_timestamp"] >= now - ttl)
    ]

    def rank(row: dict[str, Any]) -> list[Any]:
        ranked = [row["event_timestamp"], row.get("created")] + [row[value] for value in values]
        return [(value is not None, value) for value in ranked]

    best = max(visible, key=rank, default=dict.fromkeys(values))
    return {value: best[value] for value in values}


codes = st.sampled_from(["1", "11", "", None])
hours = st.sampled_from([0, 1, 2**53, 2**53 + 1, None])
instants = st.integers(-3, 4).map(lambda n: None if n == 4 else at(n))
numbers = st.integers(-3, 4).map(lambda n: None if n == 4 else n)
route_rows = st.fixed_dictionaries(
    {
        "origin": codes,
        "dest": codes,
        "event_timestamp": instants,
        "created": instants,
        "x": numbers,
        "y": numbers,
    }
)
slot_rows = st.fixed_dictionaries({"hour": hours, "event_timestamp": instants, "x": numbers})
entity_rows = st.fixed_dictionaries(
    {"origin": codes, "dest": codes, "hour": hours, "event_timestamp": instants, "note": numbers}
)
ROUTE_SCHEMA = pa.schema(
    {
        "origin": pa.string(),
        "dest": pa.string(),
        "event_timestamp": INSTANT,
        "created": INSTANT,
        "x": pa.int64(),
        "y": pa.int64(),
    }
)
SLOT_SCHEMA = pa.schema({"hour": pa.int64(), "event_timestamp": INSTANT, "x": pa.int64()})
ENTITY_TYPES = {
    "origin": "object",
    "dest": "object",
    "hour": "Int64",  # through a float column, 2**53 + 1 would not survive
    "event_timestamp": "datetime64[us, UTC]",
    "note": "Int64",
}


def entity_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    columns = {
        name: pd.Series([row[name] for row in rows], dtype=kind)
        for name, kind in ENTITY_TYPES.items()
    }
    return pd.DataFrame(columns)


@modest
@given(
    entities=st.lists(entity_rows, max_size=12),
    routes=st.lists(route_rows, max_size=25),
    slots=st.lists(slot_rows, max_size=12),
    duplicates=st.booleans(),
)
def test_every_entity_row_gets_what_brute_force_finds(
    store: FeatureStore,
    lake: Path,
    entities: list[dict[str, Any]],
    routes: list[dict[str, Any]],
    slots: list[dict[str, Any]],
    duplicates: bool,
) -> None:
    entities = entities + entities[::-1] if duplicates else entities
    write_parquet(lake / "route.parquet", routes, ROUTE_SCHEMA)
    write_parquet(lake / "slot.parquet", slots, SLOT_SCHEMA)

    found = retrieve(store, entity_frame(entities), ["route:x", "route:y", "slot:x"], full=True)

    assert found == [
        row
        | prefixed("route", newest_visible(row, routes, ["origin", "dest"], ["x", "y"], TIED_TTL))
        | prefixed("slot", newest_visible(row, slots, ["hour"], ["x"], None))
        for row in entities
    ]


def prefixed(name: str, values: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}__{column}": value for column, value in values.items()}


@examples(modest, max_examples=15)
@given(
    entities=st.lists(entity_rows, max_size=8),
    routes=st.lists(route_rows, max_size=20),
    order=st.randoms(use_true_random=False),
)
def test_row_and_file_order_change_nothing(
    store: FeatureStore,
    lake: Path,
    entities: list[dict[str, Any]],
    routes: list[dict[str, Any]],
    order: Any,
) -> None:
    write_parquet(lake / "route.parquet", routes, ROUTE_SCHEMA)
    first = retrieve(store, entity_frame(entities), ["route:x", "route:y"])
    order.shuffle(routes)
    write_parquet(lake / "route.parquet", routes, ROUTE_SCHEMA)

    assert retrieve(store, entity_frame(entities), ["route:x", "route:y"]) == first


daily_rows = st.fixed_dictionaries(
    {
        "carrier": st.sampled_from(["AA", "A", "U A", None]),
        "event_timestamp": st.builds(
            lambda days, micros: at(micros) + timedelta(days=days),
            st.integers(-3, 3),
            st.integers(-1, 1),
        ),
        "rate": st.one_of(st.floats(allow_nan=False, width=32), st.none()),
    }
)
DAILY_SCHEMA = pa.schema(
    {
        "carrier": pa.string(),
        "event_timestamp": INSTANT,
        "rate": pa.float64(),
        "data_day": pa.date32(),
    }
)


def write_daily(lake: Path, rows: Sequence[dict[str, Any]], mode: str = "overwrite") -> None:
    dated = [row | {"data_day": row["event_timestamp"].date()} for row in rows]
    table = pa.Table.from_pylist(dated, DAILY_SCHEMA)
    write_deltalake(lake / "daily", table, partition_by=["data_day"], mode=mode)


@examples(modest, max_examples=20)
@given(
    rows=st.lists(
        daily_rows, max_size=15, unique_by=lambda r: (r["carrier"], r["event_timestamp"])
    ),
    entities=st.lists(daily_rows, max_size=6),
)
def test_a_partitioned_delta_table_gives_what_brute_force_finds(
    store: FeatureStore, lake: Path, rows: list[dict[str, Any]], entities: list[dict[str, Any]]
) -> None:
    write_daily(lake, rows)
    frame = pd.DataFrame(entities, columns=["carrier", "event_timestamp"])
    frame = frame.astype({"event_timestamp": "datetime64[us, UTC]", "carrier": object})

    found = retrieve(store, frame, ["daily:rate"])

    expected = [newest_visible(e, rows, ["carrier"], ["rate"], DAILY.ttl) for e in entities]
    assert [row["rate"] for row in found] == [row["rate"] for row in expected]


@modest
@given(
    rows=st.lists(route_rows, max_size=25),
    window=st.tuples(st.integers(-3, 3), st.integers(-3, 3)).map(sorted),
)
def test_pulls_return_the_range_and_the_newest_of_each_key(
    store: FeatureStore, lake: Path, rows: list[dict[str, Any]], window: list[int]
) -> None:
    write_parquet(lake / "route.parquet", rows, ROUTE_SCHEMA)
    provider = store._get_provider().offline_store
    start, end = at(window[0]), at(window[1])
    asked = {
        "config": store.config,
        "data_source": ROUTE.batch_source,
        "join_key_columns": ["origin", "dest"],
        "feature_name_columns": ["x", "y"],
        "timestamp_field": "event_timestamp",
        "created_timestamp_column": "created",
        "start_date": start,
        "end_date": end,
    }
    inside = [
        row
        for row in rows
        if row["event_timestamp"] is not None and start <= row["event_timestamp"] <= end
    ]

    everything = provider.pull_all_from_table_or_query(**asked).to_arrow().to_pylist()
    latest = provider.pull_latest_from_table_or_query(**asked).to_arrow().to_pylist()

    assert in_order(everything) == in_order(inside)
    newest: dict[tuple[Any, Any], tuple[list[Any], dict[str, Any]]] = {}
    for row in inside:
        values = [row[c] for c in ("event_timestamp", "created", "x", "y")]
        rank = [(value is not None, value) for value in values]
        key = (row["origin"], row["dest"])
        if key not in newest or rank > newest[key][0]:
            newest[key] = (rank, row)
    assert in_order(latest) == in_order(row for _, row in newest.values())


def in_order(rows: Iterable[dict[str, Any]]) -> list[Any]:
    tuples = [tuple(row[name] for name in ROUTE_SCHEMA.names) for row in rows]
    return sorted(tuples, key=lambda row: [(value is not None, value) for value in row])


# -- examples through Feast ---------------------------------------------------------------------


def carriers(*rows: tuple[str | None, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["carrier", "event_timestamp"])


def daily(carrier: str, when: datetime, rate: float | None) -> dict[str, Any]:
    return {"carrier": carrier, "event_timestamp": when, "rate": rate}


def test_ttl_includes_both_its_ends_to_the_microsecond(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    ends = [NOON - MICROSECOND, NOON, NOON + DAILY.ttl, NOON + DAILY.ttl + MICROSECOND]

    found = retrieve(store, carriers(*[("AA", end) for end in ends]), ["daily:rate"])

    assert [row["rate"] for row in found] == [None, 0.5, 0.5, None]


def test_the_newest_created_of_equal_times_wins_then_the_greatest_values(
    store: FeatureStore, lake: Path
) -> None:
    key = {"origin": "1", "dest": "11", "event_timestamp": NOON}
    late, early = {"created": at(9)}, {"created": at(1)}
    rows = [
        key | early | {"x": 9, "y": 9},
        key | late | {"x": 1, "y": 2},
        key | late | {"x": 1, "y": None},
        key | late | {"x": None, "y": 8},
        key | {"created": None, "x": 8, "y": 8},
    ]
    frame = pd.DataFrame([key, key | {"origin": "11", "dest": "1"}])
    for shown in (rows, rows[::-1]):
        write_parquet(lake / "route.parquet", shown, ROUTE_SCHEMA)

        found = retrieve(store, frame, ["route:x", "route:y"])

        assert [(row["x"], row["y"]) for row in found] == [(1, 2), (None, None)]


def test_a_newer_expired_or_null_value_does_not_uncover_an_older_one(
    store: FeatureStore, lake: Path
) -> None:
    write_daily(lake, [daily("AA", NOON - timedelta(hours=1), 0.5), daily("AA", NOON, None)])

    assert retrieve(store, carriers(("AA", NOON)), ["daily:rate"])[0]["rate"] is None


def test_the_entity_frame_comes_back_untouched(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    frame = carriers(("AA", NOON), ("ZZ", NOON), ("AA", NOON), (None, NOON))
    frame["when"] = pd.Series([date(2013, 1, 1)] * 4)
    frame["kind"] = pd.Categorical(["b", "a", "b", "a"])
    frame["count"] = pd.array([1, None, 3, 4], "Int64")
    frame.index = pd.Index([9, 9, 3, 1])
    before = frame.copy()

    found = store.get_historical_features(frame, ["daily:rate"]).to_df()

    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(found.drop(columns="rate"), before.reset_index(drop=True))
    assert found["rate"].fillna(-1).tolist() == [0.5, -1, 0.5, -1]


def test_one_view_serves_two_roles_by_alias_and_join_key_map(
    store: FeatureStore, lake: Path
) -> None:
    table = pa.table(
        {
            "airport": ["JFK", "LAX"],
            "event_timestamp": pa.array([NOON, NOON], INSTANT),
            "wind": [10.0, 20.0],
        }
    )
    write_deltalake(lake / "lake" / "weather", table)
    frame = pd.DataFrame(
        {"origin": ["JFK", "LAX"], "dest": ["LAX", "SFO"], "event_timestamp": NOON}
    )

    found = store.get_historical_features(frame, BOTH_ENDS, full_feature_names=True).to_df()

    assert found["from_weather__wind"].tolist() == [10.0, 20.0]
    assert found["to_weather__wind"].fillna(-1).tolist() == [20.0, -1]


def test_mapped_columns_nanoseconds_and_naive_times_come_out_as_utc(
    store: FeatureStore, lake: Path
) -> None:
    moment = pd.Timestamp("1969-12-31 23:59:59.999999001")
    table = pa.table(
        {
            "cd": ["AA", "AA"],
            "ts": pa.array([moment.value, moment.value + 900], pa.timestamp("ns")),
            "raw delay": [1.0, 2.0],
            "seen": pa.array([moment.value + 900, None], pa.timestamp("ns", "America/New_York")),
        }
    )
    pq.write_table(table, lake / "mapped.parquet")
    naive = pd.DataFrame({"carrier": ["AA", "AA"], "event_timestamp": [moment, moment]})
    naive.loc[1, "event_timestamp"] = pd.Timestamp("1969-12-31 23:59:59.999998")

    job = store.get_historical_features(naive, ["mapped:delay", "mapped:seen"])
    found = job.to_arrow()

    # Digits beyond the microsecond are cut, so the two source rows tie; the greater value wins.
    assert found["delay"].to_pylist() == [2.0, None]
    assert found.schema.field("event_timestamp").type.tz == "UTC"
    assert found.schema.field("seen").type == INSTANT


def test_timestamps_written_as_text_are_read_as_utc(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])

    found = retrieve(store, carriers(("AA", "2013-03-10T08:00:00-04:00")), ["daily:rate"])

    assert (found[0]["event_timestamp"], found[0]["rate"]) == (NOON, 0.5)


def test_integer_keys_that_pandas_made_floats_still_match(store: FeatureStore, lake: Path) -> None:
    rows = [{"hour": hour, "event_timestamp": NOON, "x": hour} for hour in (7, 8)]
    write_parquet(lake / "slot.parquet", rows, SLOT_SCHEMA)
    frame = pd.DataFrame({"hour": [7.0, None, 7.5], "event_timestamp": NOON})

    assert [row["x"] for row in retrieve(store, frame, ["slot:x"])] == [7, None, None]


def test_a_view_without_entities_joins_on_time_alone(store: FeatureStore, lake: Path) -> None:
    table = pa.table({"event_timestamp": pa.array([NOON, at(5)], INSTANT), "level": [1, 2]})
    pq.write_table(table, lake / "global.parquet")
    frame = pd.DataFrame({"event_timestamp": [at(5), at(4), at(-1)]})

    assert [row["level"] for row in retrieve(store, frame, ["global:level"])] == [2, 1, None]


def test_on_demand_views_are_computed_on_the_joined_rows(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])

    found = retrieve(store, carriers(("AA", NOON)), ["daily:rate", "doubled:rate_twice"])

    assert (found[0]["rate"], found[0]["rate_twice"]) == (0.5, 1.0)


def test_materialised_values_equal_those_retrieved_offline(store: FeatureStore, lake: Path) -> None:
    write_daily(
        lake,
        [
            daily("AA", NOON, 0.1),
            daily("AA", NOON + timedelta(days=1), 0.2),
            daily("UA", NOON, 0.3),
            daily("UA", NOON + timedelta(days=3), 0.4),
        ],
    )
    end = NOON + timedelta(days=1)

    store.materialize(NOON, end, feature_views=["daily"])

    keys = [{"carrier": "AA"}, {"carrier": "UA"}]
    online = store.get_online_features(["daily:rate"], keys).to_dict()
    offline = retrieve(store, carriers(("AA", end), ("UA", end)), ["daily:rate"])
    assert online["rate"] == [0.2, 0.3] == [row["rate"] for row in offline]


def test_only_files_that_time_can_touch_are_opened(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON + timedelta(days=d), float(d)) for d in range(-9, 10, 3)])
    for far in (-6, 3):
        folder = f"data_day={(NOON + timedelta(days=far)).date()}"
        for file in (lake / "daily" / folder).glob("*.parquet"):
            file.write_bytes(b"not opened")

    found = retrieve(store, carriers(("AA", NOON), ("AA", at(-1))), ["daily:rate"])

    assert [row["rate"] for row in found] == [0.0, None]


def test_columns_added_later_are_null_before_and_partition_values_can_be_features(
    store: FeatureStore, lake: Path
) -> None:
    old = pa.table({"carrier": ["A A"], "event_timestamp": pa.array([NOON], INSTANT)})
    write_deltalake(lake / "daily", old, partition_by=["carrier"])
    assert retrieve_error(store, carriers(("A A", NOON))) is SourceColumnInvalid
    new = old.append_column("rate", pa.array([0.5])).set_column(
        1, "event_timestamp", pa.array([at(1)], INSTANT)
    )
    write_deltalake(lake / "daily", new, mode="append", schema_mode="merge")

    found = retrieve(store, carriers(("A A", NOON), ("A A", at(1))), ["daily:rate"])

    assert [row["rate"] for row in found] == [None, 0.5]


# -- bad input ----------------------------------------------------------------------------------


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
        (carriers(("AA", NOON), (1, NOON)), "join key 'carrier' mixes types"),
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


def test_an_entity_query_is_refused(store: FeatureStore) -> None:
    with pytest.raises(RetrievalUnsupported, match="pass a pandas DataFrame") as caught:
        store.get_historical_features("SELECT 1", ["daily:rate"])
    assert isinstance(caught.value, UsageError)


def test_lost_or_doubled_rows_are_never_returned(
    store: FeatureStore, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    assemble = asof_join._assemble
    frame = carriers(("AA", NOON), ("AA", NOON))
    for defect in (
        "SELECT * FROM ({0}) WHERE row > 0",
        "SELECT 1::BIGINT AS row, * EXCLUDE row FROM ({0})",
    ):
        monkeypatch.setattr(
            asof_join, "_assemble", lambda *args, sql=defect: sql.format(assemble(*args))
        )
        with pytest.raises(EntityRowsLost) as caught:
            retrieve(store, frame, ["daily:rate"])
        assert isinstance(caught.value, RowsLost)
