"""Pulls from one source against brute force."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from feast import (
    FeatureStore,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.features.asof.oracle import (
    modest,
    route_rows,
)
from tests.features.asof.views import (
    ROUTE,
    ROUTE_SCHEMA,
    at,
    write_parquet,
)


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
