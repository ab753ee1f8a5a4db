"""The point-in-time join against brute force, and through a real Feast store."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from feast import FeatureStore
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from include.features.asof import candidates
from include.features.asof.errors import SourceColumnInvalid
from tests.features.asof.oracle import (
    daily_rows,
    entity_frame,
    entity_rows,
    modest,
    newest_visible,
    prefixed,
    route_rows,
    slot_rows,
)
from tests.features.asof.views import (
    BOTH_ENDS,
    DAILY,
    INSTANT,
    MICROSECOND,
    NOON,
    ROUTE_SCHEMA,
    SLOT_SCHEMA,
    TIED_TTL,
    at,
    carriers,
    daily,
    retrieve,
    write_daily,
    write_parquet,
)


@modest
@given(
    entities=st.lists(entity_rows, max_size=12),
    routes=st.lists(route_rows, max_size=25),
    slots=st.lists(slot_rows, max_size=12),
    duplicates=st.booleans(),
    as_known=st.booleans(),
    batch_rows=st.integers(1, 30),
    parts=st.integers(1, 3),
)
def test_every_entity_row_gets_what_brute_force_finds(
    store: FeatureStore,
    lake: Path,
    entities: list[dict[str, Any]],
    routes: list[dict[str, Any]],
    slots: list[dict[str, Any]],
    duplicates: bool,
    as_known: bool,
    batch_rows: int,
    parts: int,
) -> None:
    entities = entities + entities[::-1] if duplicates else entities
    write_parquet(lake / "route.parquet", routes, ROUTE_SCHEMA)
    write_parquet(lake / "slot.parquet", slots, SLOT_SCHEMA)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "PARTITION_CELLS", 1 + len(routes) * 6 // parts)
        job = store.get_historical_features(
            entity_frame(entities),
            ["route:x", "route:y", "slot:x"],
            full_feature_names=True,
            filter_by_created_timestamp=as_known,
        )
        batches = list(job.to_batches(batch_rows))

    assert all(batch.num_rows <= batch_rows for batch in batches)
    keys, values = ["origin", "dest"], ["x", "y"]
    assert pa.Table.from_batches(batches).to_pylist() == [
        row
        | prefixed("route", newest_visible(row, routes, keys, values, TIED_TTL, as_known))
        | prefixed("slot", newest_visible(row, slots, ["hour"], ["x"], None))
        for row in entities
    ]


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


def test_ties_are_broken_alike_whatever_features_are_asked_for(
    store: FeatureStore, lake: Path
) -> None:
    key = {"origin": "1", "dest": "11", "event_timestamp": NOON, "created": NOON}
    write_parquet(
        lake / "route.parquet", [key | {"x": 1, "y": 9}, key | {"x": 2, "y": 0}], ROUTE_SCHEMA
    )
    frame = pd.DataFrame([key]).drop(columns="created")

    assert retrieve(store, frame, ["route:y"])[0]["y"] == 0
    assert retrieve(store, frame, ["route:x", "route:y"])[0]["y"] == 0


def test_a_value_backfilled_later_is_unknown_to_the_past(store: FeatureStore, lake: Path) -> None:
    key = {"origin": "1", "dest": "11"}
    rows = [
        key | {"event_timestamp": at(0), "created": at(0), "x": 1, "y": 0},
        key | {"event_timestamp": at(1), "created": at(3), "x": 2, "y": 0},
        key | {"event_timestamp": at(0), "created": at(2), "x": 3, "y": 0},
    ]
    write_parquet(lake / "route.parquet", rows, ROUTE_SCHEMA)
    frame = pd.DataFrame([key | {"event_timestamp": at(n)} for n in (1, 2, 3)])

    hindsight = store.get_historical_features(frame, ["route:x"]).to_df()
    known = store.get_historical_features(
        frame, ["route:x"], filter_by_created_timestamp=True
    ).to_df()

    assert hindsight["x"].tolist() == [2, 2, 2]
    assert known["x"].tolist() == [1, 3, 2]


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


def test_a_number_the_sources_type_cannot_hold_is_no_key(store: FeatureStore, lake: Path) -> None:
    times = pa.array([NOON], INSTANT)
    table = pa.table({"hour": [float(2**53)], "event_timestamp": times, "x": [1]})
    pq.write_table(table, lake / "slot.parquet")
    frame = pd.DataFrame({"hour": [2**53, 2**53 + 1], "event_timestamp": NOON})

    assert [row["x"] for row in retrieve(store, frame, ["slot:x"])] == [1, None]


def test_only_the_data_of_a_folder_is_read_and_names_are_no_patterns(
    store: FeatureStore, lake: Path
) -> None:
    for name, hour in {
        "a1": 1,
        "a[1]": 2,
        "_temporary/0/b": 3,
        ".hidden/b": 4,
        "_SUCCESS": 5,
    }.items():
        path = lake / "slot.parquet" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(path, [{"hour": hour, "event_timestamp": NOON, "x": hour}], SLOT_SCHEMA)
    frame = pd.DataFrame({"hour": [1, 2, 3, 4, 5], "event_timestamp": NOON})

    assert [row["x"] for row in retrieve(store, frame, ["slot:x"])] == [1, 2, None, None, None]


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
    with pytest.raises(SourceColumnInvalid):
        retrieve(store, carriers(("A A", NOON)), ["daily:rate"])
    new = old.append_column("rate", pa.array([0.5])).set_column(
        1, "event_timestamp", pa.array([at(1)], INSTANT)
    )
    write_deltalake(lake / "daily", new, mode="append", schema_mode="merge")

    found = retrieve(store, carriers(("A A", NOON), ("A A", at(1))), ["daily:rate"])

    assert [row["rate"] for row in found] == [None, 0.5]


# -- bad input ----------------------------------------------------------------------------------
