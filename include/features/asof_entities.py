"""The entity frame: checked, its time and keys taken out for the join, the rest untouched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import pyarrow as pa
from feast.infra.offline_stores.offline_utils import DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL

from include.features.asof_errors import EntityFrameInvalid
from include.features.asof_plan import ViewPlan
from include.features.asof_tables import to_utc

MICROSECONDS = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class EntityFrame:
    """An entity frame ready to join.

    Attributes:
        rows: the frame as given, its timestamp column in UTC.
        timestamp: name of that column.
        keys: `t` (int64 microseconds since 1970 UTC) and each join key as `key:<column>`.
        first: earliest timestamp, None without any.
        last: latest timestamp, None without any.
    """

    rows: pd.DataFrame
    timestamp: str
    keys: pa.Table
    first: datetime | None
    last: datetime | None


def prepare(frame: pd.DataFrame, plans: Sequence[ViewPlan]) -> EntityFrame:
    """Check an entity frame against the plans; raises `EntityFrameInvalid`."""
    twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
    if twice:
        raise EntityFrameInvalid(f"the entity frame has two columns named {', '.join(twice)}")
    timestamp = _timestamp_column(frame)
    for plan in plans:
        _check_columns(frame, plan)
    times = _times(frame, timestamp)
    rows = frame.assign(**{timestamp: times}).reset_index(drop=True)
    instants = _arrow(rows, timestamp).cast(MICROSECONDS, safe=False).cast(pa.int64())
    columns = {"t": instants}
    for column in dict.fromkeys(column for plan in plans for _, column in plan.keys):
        columns[f"key:{column}"] = _key(rows, column)
    known = times.dropna()
    return EntityFrame(
        rows=rows,
        timestamp=timestamp,
        keys=pa.table(columns),
        first=known.min().to_pydatetime(warn=False) if len(known) else None,
        last=known.max().to_pydatetime(warn=False) if len(known) else None,
    )


def attach(frame: EntityFrame, features: pa.Table) -> pa.Table:
    """Return the entity rows with feature columns to their right."""
    try:
        table = pa.Table.from_pandas(frame.rows, preserve_index=False)
    except pa.ArrowException as error:
        raise EntityFrameInvalid(
            f"the entity frame has a column of mixed types that cannot be carried over: {error}"
        ) from error
    for field, column in zip(features.schema, to_utc(features).columns, strict=True):
        table = table.append_column(field.name, column)
    return table


def _timestamp_column(frame: pd.DataFrame) -> str:
    """Return `event_timestamp`, or else the frame's only datetime column, as Feast does."""
    if DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL in frame.columns:
        return str(DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL)
    datetimes = [
        str(column)
        for column, kind in frame.dtypes.items()
        if pd.api.types.is_datetime64_any_dtype(kind)
    ]
    if len(datetimes) == 1:
        return datetimes[0]
    raise EntityFrameInvalid(
        f"the entity frame has no column {DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL!r} and "
        f"{len(datetimes) or 'no'} other datetime columns; add the time of each row under that "
        f"name (columns: {', '.join(map(str, frame.columns)) or 'none'})"
    )


def _check_columns(frame: pd.DataFrame, plan: ViewPlan) -> None:
    missing = [column for _, column in plan.keys if column not in frame.columns]
    if missing:
        raise EntityFrameInvalid(
            f"{plan.subject}: the entity frame lacks join key {', '.join(map(repr, missing))} "
            f"(columns: {', '.join(map(str, frame.columns))})"
        )
    taken = [name for _, name in plan.features if name in frame.columns]
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


def _key(rows: pd.DataFrame, column: str) -> pa.ChunkedArray | pa.Array:
    values = _arrow(rows, column)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    return values


def _arrow(rows: pd.DataFrame, column: str) -> pa.ChunkedArray | pa.Array:
    try:
        return pa.array(rows[column], from_pandas=True)
    except (pa.ArrowException, TypeError) as error:
        raise EntityFrameInvalid(
            f"the entity frame's join key {column!r} mixes types: {error}"
        ) from error
