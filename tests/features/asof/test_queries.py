"""Entity rows from SQL and from a date range, and results in batches."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureStore
from hypothesis import given
from hypothesis import strategies as st

from tests.features.asof.oracle import modest, newest_visible, route_rows
from tests.features.asof.views import (
    DAILY,
    INSTANT,
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


def test_a_query_gives_what_its_rows_in_a_data_frame_give(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5), daily("UA", NOON, 0.7)])
    frame = carriers(("UA", NOON), ("AA", NOON), (None, NOON), ("UA", at(-1)), ("AA", NOON))
    frame["note"] = [5, 4, 3, 2, 1]
    frame.to_parquet(lake / "asked.parquet")
    query = f"SELECT * FROM read_parquet('{lake / 'asked.parquet'}') ORDER BY note DESC;"

    job = store.get_historical_features(query, ["daily:rate"])
    asked = store.get_historical_features(frame, ["daily:rate"])

    assert job.to_arrow().to_pylist() == asked.to_arrow().to_pylist()
    assert job.metadata.keys == asked.metadata.keys == ["carrier", "note"]
    for moment in ("min_event_timestamp", "max_event_timestamp"):
        assert getattr(job.metadata, moment) == getattr(asked.metadata, moment)


def test_a_query_sees_the_projects_data_sources_by_name(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5), daily("UA", NOON, 0.7)])
    query = """
        SELECT DISTINCT carrier, event_timestamp + INTERVAL 1 MICROSECOND AS asked_at
        FROM daily_source WHERE rate > 0.6
    """

    assert retrieve(store, query, ["daily:rate"]) == [
        {"carrier": "UA", "asked_at": at(1), "rate": 0.7}
    ]


@pytest.mark.parametrize(
    "time",
    [
        "TIMESTAMP_NS '2013-03-10 12:00:00.000000999'",
        "TIMESTAMP '2013-03-10 12:00:00'",
        "TIMESTAMPTZ '2013-03-10 08:00:00-04'",
        "'2013-03-10T12:00:00Z'",
    ],
)
def test_any_time_a_query_gives_comes_out_as_utc(
    store: FeatureStore, lake: Path, time: str
) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5), daily("AA", at(1), 0.6)])

    found = store.get_historical_features(
        f"SELECT 'AA'::ENUM('AA') AS carrier, {time} AS event_timestamp", ["daily:rate"]
    ).to_arrow()

    assert found.schema.field("event_timestamp").type == INSTANT
    assert found.select(["event_timestamp", "rate"]).to_pylist() == [
        {"event_timestamp": NOON, "rate": 0.5}
    ]


def test_an_empty_query_gives_no_rows_and_all_columns(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    query = "SELECT 'AA' AS carrier, now() AS event_timestamp WHERE false"

    job = store.get_historical_features(query, ["daily:rate"])

    assert job.to_df().columns.tolist() == ["carrier", "event_timestamp", "rate"]
    assert [batch.num_rows for batch in job.to_batches()] == [0]
    assert job.metadata.min_event_timestamp is None


@modest
@given(
    rows=st.lists(route_rows, max_size=25), span=st.tuples(st.integers(-3, 3), st.integers(0, 4))
)
def test_a_date_range_gives_every_key_and_instant_in_it(
    store: FeatureStore, lake: Path, rows: list[dict[str, Any]], span: tuple[int, int]
) -> None:
    write_parquet(lake / "route.parquet", rows, ROUTE_SCHEMA)
    start, end = at(span[0]), at(span[0] + span[1])

    found = store.get_historical_features(
        None, ["route:x", "route:y"], start_date=start, end_date=end
    ).to_arrow()

    happened = {
        (row["event_timestamp"], row["origin"], row["dest"])
        for row in rows
        if None not in (row["event_timestamp"], row["origin"], row["dest"])
        and start <= row["event_timestamp"] <= end
    }
    asked = [
        {"origin": origin, "dest": dest, "event_timestamp": when}
        for when, origin, dest in sorted(happened)
    ]
    keys, values = ["origin", "dest"], ["x", "y"]
    assert found.to_pylist() == [
        row | newest_visible(row, rows, keys, values, TIED_TTL) for row in asked
    ]


def test_a_date_range_over_several_views_leaves_the_keys_a_view_lacks_null(
    store: FeatureStore, lake: Path
) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    write_parquet(
        lake / "route.parquet",
        [{"origin": "1", "dest": "11", "event_timestamp": at(1), "created": at(1), "x": 1, "y": 2}],
        ROUTE_SCHEMA,
    )

    found = store.get_historical_features(
        None, ["daily:rate", "route:x"], start_date=at(0), end_date=at(1)
    ).to_df()

    assert found["event_timestamp"].tolist() == [at(0), at(1)]
    assert found["carrier"].tolist() == ["AA", None]
    assert found["origin"].tolist() == [None, "1"]
    assert found["rate"].fillna(-1).tolist() == [0.5, -1]
    assert found["x"].fillna(-1).tolist() == [-1, 1]


def test_a_date_range_starts_one_ttl_before_its_end(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5), daily("AA", at(-1), 0.4)])

    found = store.get_historical_features(None, ["daily:rate"], end_date=NOON + DAILY.ttl).to_df()

    assert found["rate"].tolist() == [0.5]


def test_batches_carry_every_column_and_on_demand_features(store: FeatureStore, lake: Path) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    frame = carriers(*[("AA", NOON), ("ZZ", NOON)] * 4).assign(row=range(8))
    job = store.get_historical_features(frame, ["daily:rate", "doubled:rate_twice"])

    batches = list(job.to_batches(3))

    assert [batch.num_rows for batch in batches] == [3, 3, 2]
    assert pa.Table.from_batches(batches).to_pylist() == job.to_arrow().to_pylist()


def test_batches_have_one_schema_with_nulls_in_some(store: FeatureStore, lake: Path) -> None:
    rows = [{"hour": 1, "event_timestamp": NOON, "x": 1}]
    write_parquet(lake / "slot.parquet", rows, SLOT_SCHEMA)
    frame = pd.DataFrame({"hour": [1, 2], "event_timestamp": NOON})
    job = store.get_historical_features(frame, ["slot:x", "next:following"])

    batches = list(job.to_batches(1))

    assert batches[0].schema == batches[1].schema
    assert [batch["following"].to_pylist() for batch in batches] == [[2], [None]]


def test_a_stream_closed_early_leaves_nothing_behind(
    store: FeatureStore, lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_daily(lake, [daily("AA", NOON, 0.5)])
    monkeypatch.setattr(store.config.offline_store, "temp_directory", str(tmp_path))
    batches = store.get_historical_features(
        carriers(*[("AA", NOON)] * 4), ["daily:rate"]
    ).to_batches(1)

    next(batches)
    assert list(tmp_path.iterdir())
    batches.close()

    assert not list(tmp_path.iterdir())


def test_more_than_the_memory_limit_spills_and_gives_the_same(
    store: FeatureStore, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = pa.array(range(200_000))
    slots = pa.table(
        {"hour": hours, "event_timestamp": pa.array([NOON] * 200_000, INSTANT), "x": hours}
    )
    pq.write_table(slots, lake / "slot.parquet")
    frame = pd.DataFrame({"hour": hours.to_numpy()[::-1], "event_timestamp": NOON + timedelta(1)})
    monkeypatch.setattr(store.config.offline_store, "memory_limit", "24MB")

    found = store.get_historical_features(frame, ["slot:x"]).to_df()

    assert (found["x"] == found["hour"]).all()
