"""What counts as the same value, in a Feast store of every type a feature may have."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from feast import Entity, Field, FileSource, RepoConfig, ValueType
from feast import FeatureStore as Feast
from feast import FeatureView as FeastView
from feast.data_format import DeltaFormat
from feast.types import Array, Bool, Float32, Float64, Int64, String, UnixTimestamp

from include.declare import FeatureView
from include.features import parity
from include.features.parity import SAMPLE_ROWS, choose, compare
from tests.planted import PLANTED

DAY = date(2013, 2, 12)
AT = PLANTED.cutoff(DAY)
ODD = replace(
    PLANTED,
    feature_views=(
        FeatureView("by_name", ("name",), lookback_days=1),
        FeatureView("by_both", ("name", "number"), lookback_days=1),
    ),
)
INSTANT = pa.timestamp("us", "UTC")
TYPES = {
    "whole": (Int64, pa.int64(), [3, None, -1]),
    "share": (Float64, pa.float64(), [0.1, float("nan"), None]),
    "single": (Float32, pa.float32(), [0.1, None, -0.0]),
    "flag": (Bool, pa.bool_(), [True, None, False]),
    "word": (String, pa.string(), ["", None, "é"]),
    "seen": (UnixTimestamp, INSTANT, [datetime(2013, 1, 1, 1, 2, 3, 456789, UTC), None, AT]),
    "shape": (Array(Float64), pa.list_(pa.float64()), [[1.5, float("nan")], None, []]),
}
BIG = 2**53 + 1
"""The first integer that a float cannot hold."""


@pytest.fixture
def feast(tmp_path: Path) -> Feast:
    config = RepoConfig(
        project="tests",
        provider="local",
        registry={"registry_type": "sql", "path": f"sqlite:///{tmp_path / 'registry.db'}"},
        online_store={"type": "sqlite", "path": str(tmp_path / "online.db")},
        offline_store={
            "type": "include.features.asof.store.AsofOfflineStore",
            "root": str(tmp_path / "lake"),
        },
        entity_key_serialization_version=3,
        materialization={"pull_latest_features": True},
    )
    name = Entity(name="name", join_keys=["name"], value_type=ValueType.STRING)
    number = Entity(name="number", join_keys=["number"], value_type=ValueType.INT64)
    store = Feast(config=config)
    fields = {feature: kind for feature, (kind, _, _) in TYPES.items()}
    by_name = feast_view("by_name", [name], {"name": String} | fields)
    by_both = feast_view("by_both", [name, number], {"name": String, "number": Int64, "x": Int64})
    store.apply([name, number, by_name, by_both])
    return store


def feast_view(name: str, entities: list[Entity], schema: dict[str, Any]) -> FeastView:
    return FeastView(
        name=name,
        entities=entities,
        ttl=timedelta(hours=22),
        schema=[Field(name=column, dtype=kind) for column, kind in schema.items()],
        source=FileSource(
            name=f"{name}_source",
            path=name,
            file_format=DeltaFormat(),
            timestamp_field="event_timestamp",
        ),
    )


def rows(**columns: pa.Array) -> pa.Table:
    """Return offline rows of the day."""
    (length,) = {len(column) for column in columns.values()}
    stamps = {"event_timestamp": pa.array([AT] * length, INSTANT), "data_day": [DAY] * length}
    return pa.table(stamps | columns)


def by_name(keys: list[str | None], values: dict[str, list[Any]] | None = None) -> pa.Table:
    chosen = {
        name: pa.array((values or {}).get(name, value), kind)
        for name, (_, kind, value) in TYPES.items()
    }
    return rows(name=pa.array(keys, pa.string()), **chosen)


def by_both(numbers: list[int], x: list[int | None]) -> pa.Table:
    names = pa.array(["a"] * len(numbers))
    return rows(name=names, number=pa.array(numbers), x=pa.array(x, pa.int64()))


def write(feast: Feast, tables: dict[str, pa.Table]) -> None:
    for name, table in tables.items():
        write_deltalake(f"{feast.config.offline_store.root}/{name}", table, mode="overwrite")


def materialise(feast: Feast) -> None:
    with redirect_stdout(io.StringIO()):
        feast.materialize(AT - timedelta(hours=1), AT, ["by_name", "by_both"])


def test_every_type_comes_back_as_it_is_offline(feast: Feast) -> None:
    tables = {"by_name": by_name(["a", "b", "c"]), "by_both": by_both([BIG, BIG + 1], [BIG, -BIG])}
    write(feast, tables)
    materialise(feast)
    found = compare(feast, ODD, DAY, tables)
    assert found.differences == ()
    assert found.compared == {"by_name": 3 * len(TYPES), "by_both": 2}
    assert str(found) == "23 online values compared with the offline ones, all equal"


def test_a_value_is_compared_in_full(feast: Feast) -> None:
    tables = {"by_name": by_name(["a", "b", "c"]), "by_both": by_both([1, 2], [BIG, None])}
    write(feast, tables)
    materialise(feast)  # Feast takes integers beside a null through floats
    (rounded,) = compare(feast, ODD, DAY, tables).differences
    assert (rounded.online, rounded.offline) == (BIG - 1, BIG)
    seconds = [datetime(2013, 1, 1, 1, 2, 4, 456789, UTC), None, AT]
    share = [0.1, None, 0.0]  # null is not zero, the next float not the same
    changed = {"share": [0.10000000000000002, *share[1:]], "seen": seconds, "flag": [None] * 3}
    tables |= {"by_name": by_name(["a", "b", "c"], changed), "by_both": by_both([1, 2], [3, None])}
    write(feast, tables)
    differ = {(it.key["name"], it.feature) for it in compare(feast, ODD, DAY, tables).differences}
    expected = {"share": "ac", "flag": "ac", "seen": "a", "x": "a"}
    assert differ == {(key, name) for name, keys in expected.items() for key in keys}


def test_rows_without_a_key_are_left_out_and_views_without_rows_are_empty(feast: Feast) -> None:
    tables = {"by_name": by_name(["a", "b", "c"]), "by_both": by_both([], [])}
    write(feast, tables)
    materialise(feast)
    tables["by_name"] = by_name(["a", None, "c"])
    found = compare(feast, ODD, DAY, tables)
    assert (found.compared, found.differences) == ({"by_name": 2 * len(TYPES), "by_both": 0}, ())
    nothing = {name: table.slice(0, 0) for name, table in tables.items()}
    assert str(compare(feast, ODD, DAY, nothing)).startswith("0 online values")


def test_the_sample_is_the_same_in_any_order_and_another_the_next_day() -> None:
    numbers = list(range(10 * SAMPLE_ROWS))
    table = by_both(numbers, [None] * len(numbers))
    found = choose(table, ("name", "number"))
    assert len(set(found["number"].to_pylist())) == SAMPLE_ROWS
    assert found == choose(table.take(pa.array(numbers[::-1])), ("name", "number"))
    tomorrow = pa.array([DAY + timedelta(days=1)] * len(numbers))
    other = table.set_column(table.column_names.index("data_day"), "data_day", tomorrow)
    assert found != choose(other, ("name", "number"))
    assert found.column_names == ["name", "number"]


def test_a_long_value_is_cut_in_the_message() -> None:
    told = str(parity.Difference("v", "f", {"k": "a\nb"}, "x" * 500, AT))
    assert told.startswith(f"f of v for k 'a\\nb' is '{'x' * 59}… online and 2013-02-13 05:00:00")
