"""The contenders without Feast: what an engineer would write by hand for these six views."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from bench.features.cases import EVENT_TIMESTAMP, FEATURES, ROW, VIEWS, Inputs
from bench.features.retrieval import Retrieval, Streamed, Whole

POINT_IN_TIME = Path(__file__).with_name("point_in_time.sql")


def sql(inputs: Inputs, *, entities: str = "frame", result: str = "frame") -> Retrieval:
    """Prepare `point_in_time.sql` on DuckDB.

    Args:
        entities: `frame`, or `sql` to have DuckDB read the entity frame's file.
        result: `frame` (pandas), `arrow` or `batches`.
    """
    asked = None if entities == "sql" else pd.read_parquet(inputs.entities)
    if result == "batches":
        return Streamed(lambda: _sql_batches(inputs, asked))
    if result == "arrow":
        return Whole(lambda: _query(inputs, asked).to_arrow_table())
    return Whole(lambda: _query(inputs, asked).df())


def _query(inputs: Inputs, asked: pd.DataFrame | None) -> duckdb.DuckDBPyRelation:
    con = duckdb.connect(":memory:")
    con.execute("SET TimeZone = 'UTC'")
    con.execute("SET VARIABLE ttl = $1", [inputs.case.ttl])
    if asked is None:
        con.read_parquet(str(inputs.entities)).create_view("entities")
    else:
        con.register("entities", asked)
    for view in VIEWS:
        con.read_parquet(str(inputs.table(view))).create_view(view)
    return con.sql(POINT_IN_TIME.read_text(encoding="utf-8"))


def _sql_batches(inputs: Inputs, asked: pd.DataFrame | None) -> Iterator[pa.RecordBatch]:
    yield from _query(inputs, asked).to_arrow_reader()


def merge_asof(inputs: Inputs) -> Retrieval:
    """Prepare pandas' own point-in-time join, view by view."""
    asked = pd.read_parquet(inputs.entities)
    return Whole(lambda: _merge_asof(inputs, asked))


def _merge_asof(inputs: Inputs, asked: pd.DataFrame) -> pd.DataFrame:
    ttl = pd.Timedelta(inputs.case.ttl)
    joined = asked.sort_values(EVENT_TIMESTAMP, kind="stable")
    for view, keys in VIEWS.items():
        table = pd.read_parquet(inputs.table(view)).sort_values(EVENT_TIMESTAMP, kind="stable")
        named = table.rename(columns={name: f"{view}__{name}" for name in FEATURES})
        joined = pd.merge_asof(joined, named, on=EVENT_TIMESTAMP, by=list(keys), tolerance=ttl)
    return joined.sort_values(ROW, ignore_index=True)
