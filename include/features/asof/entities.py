"""The entity frame, given as a data frame: checked, and its time and keys laid out for the join."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
from feast.infra.offline_stores.offline_utils import DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL

from include.features.asof.errors import EntityFrameInvalid
from include.features.asof.plan import ViewPlan

MICROSECONDS = pa.timestamp("us", "UTC")
KEYS = "__entity_keys"
"""Relation that entity rows are joined from: `row`, `t` and each join key as `key:<column>`."""


@dataclass(frozen=True)
class EntityRows:
    """Entity rows in a connection, their keys in the relation `KEYS`.

    Attributes:
        slice: gives the rows from a first up to a last position, the timestamp in UTC.
    """

    slice: Callable[[int, int], pa.Table]


@dataclass(frozen=True)
class EntityFrame:
    """A checked entity frame.

    Attributes:
        rows: the frame as given, its timestamp column in UTC.
        timestamp: name of that column.
        keys: the table described at `KEYS`.
    """

    rows: pa.Table
    timestamp: str
    keys: pa.Table

    @property
    def columns(self) -> list[str]:
        """Names of the frame's columns."""
        return list(self.rows.column_names)

    def load(self, con: duckdb.DuckDBPyConnection) -> EntityRows:
        """Register the keys in a connection."""
        con.register(KEYS, self.keys)
        return EntityRows(lambda start, stop: self.rows.slice(start, stop - start))


def prepare(frame: pd.DataFrame, plans: Sequence[ViewPlan]) -> EntityFrame:
    """Check an entity frame against the plans; raises `EntityFrameInvalid`.

    The result looks at the frame's own memory where it can: the frame must not change until
    the features are there.
    """
    twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
    if twice:
        raise EntityFrameInvalid(f"the entity frame has two columns named {', '.join(twice)}")
    datetimes = [
        str(column)
        for column, kind in frame.dtypes.items()
        if pd.api.types.is_datetime64_any_dtype(kind)
    ]
    timestamp = timestamp_column([str(column) for column in frame.columns], datetimes)
    check_columns([str(column) for column in frame.columns], plans)
    times = pa.array(_times(frame, timestamp), from_pandas=True)
    columns = {
        "row": pa.array(np.arange(len(frame))),
        "t": times.cast(MICROSECONDS, safe=False).cast(pa.int64()),
    }
    rows = _rows(frame)
    for column in dict.fromkeys(column for plan in plans for _, column in plan.keys):
        columns[f"key:{column}"] = _key(rows[column])
    rows = rows.set_column(rows.column_names.index(timestamp), timestamp, times)
    return EntityFrame(rows, timestamp, pa.table(columns))


def timestamp_column(columns: Sequence[str], datetimes: Sequence[str]) -> str:
    """Return `event_timestamp`, or else the frame's only datetime column, as Feast does."""
    if DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL in columns:
        return str(DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL)
    if len(datetimes) == 1:
        return datetimes[0]
    raise EntityFrameInvalid(
        f"the entity frame has no column {DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL!r} and "
        f"{len(datetimes) or 'no'} other datetime columns; add the time of each row under that "
        f"name (columns: {', '.join(columns) or 'none'})"
    )


def check_columns(columns: Sequence[str], plans: Sequence[ViewPlan]) -> None:
    """Raise `EntityFrameInvalid` if a join key is missing or a feature's name is taken."""
    for plan in plans:
        missing = [column for _, column in plan.keys if column not in columns]
        if missing:
            raise EntityFrameInvalid(
                f"{plan.subject}: the entity frame lacks join key "
                f"{', '.join(map(repr, missing))} (columns: {', '.join(columns)})"
            )
        taken = [name for _, name in plan.features if name in columns]
        if taken:
            raise EntityFrameInvalid(
                f"{plan.subject}: the entity frame already has columns named like its features: "
                f"{', '.join(taken)}; rename them or ask for full_feature_names"
            )


def _times(frame: pd.DataFrame, column: str) -> pd.Series[pd.Timestamp]:
    """Return the frame's timestamps in UTC, in their own unit; naive ones are UTC."""
    given = frame[column]
    kind = pd.api.types.infer_dtype(given, skipna=True)
    if kind not in ("datetime64", "datetime", "date", "string", "empty"):
        raise EntityFrameInvalid(
            f"the entity frame's {column!r} holds {kind} values; it must hold timestamps"
        )
    try:
        return pd.to_datetime(given, utc=True)
    except (ValueError, TypeError) as error:
        raise EntityFrameInvalid(
            f"the entity frame's {column!r} holds a value that is no timestamp: {error}"
        ) from error


def _rows(frame: pd.DataFrame) -> pa.Table:
    try:
        return pa.Table.from_pandas(frame, preserve_index=False)
    except OverflowError as error:
        raise EntityFrameInvalid(
            f"the entity frame holds a number that is too large: {error}"
        ) from error
    except (pa.ArrowException, TypeError) as error:
        raise EntityFrameInvalid(
            f"the entity frame has a column that mixes types: {'; '.join(map(str, error.args))}"
        ) from error


def _key(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a join key's values plain, instants in microseconds."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    return values
