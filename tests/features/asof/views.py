"""Feature views of every shape the store knows, and how tests write and read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    ValueType,
)
from feast.data_format import DeltaFormat, ParquetFormat
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64, String, UnixTimestamp

NOON = datetime(2013, 3, 10, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
INSTANT = pa.timestamp("us", "UTC")
TIED_TTL = timedelta(microseconds=2)


def at(microseconds: int) -> datetime:
    """Return an instant, in microseconds after noon."""
    return NOON + microseconds * MICROSECOND


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


@on_demand_feature_view(
    sources=[SLOT], schema=[Field(name="following", dtype=Int64)], mode="pandas", name="next"
)
def following(inputs: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"following": inputs["x"] + 1})


def write_parquet(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows), schema), path)


def retrieve(
    store: FeatureStore, frame: pd.DataFrame | str, features: Any, *, full: bool = False
) -> list[dict[str, Any]]:
    job = store.get_historical_features(frame, features, full_feature_names=full)
    rows: list[dict[str, Any]] = job.to_arrow().to_pylist()
    return rows


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


def carriers(*rows: tuple[str | None, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["carrier", "event_timestamp"])


def daily(carrier: str, when: datetime, rate: float | None) -> dict[str, Any]:
    return {"carrier": carrier, "event_timestamp": when, "rate": rate}
