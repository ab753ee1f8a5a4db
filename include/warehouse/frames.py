"""Rows in one canonical form, so that they compare, hash and load alike.

Rows come from pandas with ideas of its own of a missing value, a day and an instant. The
canonical form is an arrow table with one type per SQL type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from include.errors import DataError
from include.warehouse.columns import UTC

TEXT = pa.dictionary(pa.int32(), pa.string())
INSTANT = pa.timestamp("us", "UTC")
DATA_DAY = "data_day"


def canonical(table: sa.Table, names: Sequence[str], rows: pd.DataFrame) -> pa.Table:
    """Return the named columns of `rows` as the arrow types of the table's columns.

    Days are `date32`, instants `timestamp[us, UTC]`, floats `float64` without negative zero
    and with null for NaN, integers `int64`, truths `bool`, text a dictionary of strings.

    Raises `DataError` that names column and day for missing columns, values of another type,
    infinite numbers, text that no database stores, and missing values where the table wants one.
    """
    missing = [name for name in names if name not in rows.columns]
    if missing:
        raise DataError(f"rows for {table.name} lack the columns {', '.join(missing)}")
    return pa.table({name: _canonical(table, name, rows) for name in names})


def _canonical(table: sa.Table, name: str, rows: pd.DataFrame) -> pa.Array:
    column, values = table.c[name], rows[name]
    try:
        made = _convert(column.type, values)
    except (TypeError, ValueError) as error:
        day = _first_day(rows, name, lambda part: not _converts(column.type, part))
        raise DataError(
            f"column {name} for {table.name} holds values that are not {column.type}: {error}{day}"
        ) from error
    if isinstance(column.type, sa.Double) and _infinite(values):
        raise DataError(
            f"column {name} for {table.name} holds infinite values"
            f"{_first_day(rows, name, _infinite)}"
        )
    if isinstance(column.type, sa.Text) and _nul(made.dictionary):
        day = _first_day(rows, name, lambda part: _nul(_text(part).dictionary))
        raise DataError(f"column {name} for {table.name} holds NUL characters{day}")
    if not column.nullable and made.null_count:
        day = _first_day(rows, name, lambda part: bool(part.isna().any()))
        raise DataError(f"column {name} for {table.name} is missing in {made.null_count} rows{day}")
    return made


def _first_day(rows: pd.DataFrame, name: str, wrong: Callable[[pd.Series[Any]], bool]) -> str:
    """Return the first data day whose values are wrong, as the end of a sentence."""
    if DATA_DAY not in rows.columns or name == DATA_DAY:
        return ""
    for day, part in rows[name].groupby(rows[DATA_DAY], sort=False):
        if wrong(part):
            return f" (first on {str(day)[:10]})"
    return ""


def _converts(kind: Any, values: pd.Series[Any]) -> bool:
    try:
        _convert(kind, values)
    except (TypeError, ValueError):
        return False
    return True


def _infinite(values: pd.Series[Any]) -> bool:
    return bool(np.isinf(_floats(values)).any())


def _nul(texts: pa.Array) -> bool:
    return bool(pc.any(pc.match_substring(texts, "\0")).as_py())


def _convert(kind: Any, values: pd.Series[Any]) -> pa.Array:
    """Return values as arrow; raises `TypeError` or `ValueError` for those of another type."""
    if isinstance(kind, sa.Date):
        return _days(values)
    if isinstance(kind, UTC):
        if not isinstance(values.dtype, pd.DatetimeTZDtype):
            values = pd.to_datetime(values, utc=True)
        instants = pa.array(values.dt.tz_convert("UTC"), from_pandas=True)
        return pc.cast(instants, INSTANT, safe=False)
    if isinstance(kind, sa.Double):
        return pa.array(_floats(values) + 0.0, pa.float64(), from_pandas=True)
    if isinstance(kind, sa.BigInteger):
        whole = values if values.dtype.kind == "i" else values.astype("Int64")
        return pa.array(whole, pa.int64(), from_pandas=True)
    if isinstance(kind, sa.Boolean):
        truths = values if values.dtype == np.bool_ else values.astype("boolean")
        return pa.array(truths, pa.bool_(), from_pandas=True)
    return _text(values)


def _days(values: pd.Series[Any]) -> pa.Array:
    if values.dtype.kind != "M":
        return pa.array(values, pa.date32(), from_pandas=True)
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        raise TypeError("an instant is not a day")
    return pc.cast(pa.array(values, from_pandas=True), pa.date32(), safe=False)


def _floats(values: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    if values.dtype.kind != "f":
        values = pd.to_numeric(values.astype(object).where(values.notna(), np.nan))
    return values.to_numpy(dtype=np.float64, na_value=np.nan)


def _text(values: pd.Series[Any]) -> pa.Array:
    # Not pd.factorize, which takes texts that differ behind a NUL character for the same.
    return pa.array(values.astype(object), pa.string(), from_pandas=True).dictionary_encode()


def plain(rows: pa.Table) -> pa.Table:
    """Return canonical rows with strings in place of dictionaries."""
    columns = [pc.cast(it, pa.string()) if it.type == TEXT else it for it in rows.columns]
    return pa.table(columns, names=rows.column_names)


def records(rows: pa.Table) -> list[dict[str, Any]]:
    """Return canonical rows as dicts of Python values, None where missing."""
    found: list[dict[str, Any]] = rows.to_pylist()
    return found
