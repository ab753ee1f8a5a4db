"""What columns of a sample are: the declared type that all their values fit."""

from __future__ import annotations

import re
from typing import Any, Literal

import pandas as pd
import pyarrow as pa

Kind = Literal["string", "int64", "float64", "bool", "timestamp", "date"]
"""A column type, or a date without a time, which is declared as a timestamp."""

_WHOLE = re.compile(r"[+-]?(0|[1-9]\d{0,17})")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TRUTHS = {"true": True, "false": False, "yes": True, "no": False}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?"
)


def typed(rows: pa.Table, all_is_text: bool) -> tuple[pd.DataFrame, dict[str, Kind]]:
    """Return a sample with values of their types, and column → what it is.

    Text is looked into: for everything where the source has nothing but text, elsewhere for
    dates and times, which JSON and SQLite have no type for. Columns of lists or records are
    left out.
    """
    columns: dict[str, pd.Series[Any]] = {}
    kinds: dict[str, Kind] = {}
    for name in rows.column_names:
        values = rows.column(name)
        found = _stored(values.type)
        if found is None:
            continue
        series = values.to_pandas(types_mapper=_nullable)
        if found == "string":
            found, series = _read(series, all_is_text)
        elif found in ("timestamp", "date"):
            series = pd.to_datetime(series)
        columns[name], kinds[name] = series.reset_index(drop=True), found
    return pd.DataFrame(columns), kinds


def _stored(kind: pa.DataType) -> Kind | None:
    """Return what a column is by its stored type; None for what a lake table cannot hold."""
    tests: tuple[tuple[Any, Kind], ...] = (
        (pa.types.is_boolean, "bool"),
        (pa.types.is_integer, "int64"),
        (pa.types.is_floating, "float64"),
        (pa.types.is_decimal, "float64"),
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_date, "date"),
        (pa.types.is_string, "string"),
        (pa.types.is_large_string, "string"),
        (pa.types.is_dictionary, "string"),
        (pa.types.is_null, "string"),
    )
    return next((found for test, found in tests if test(kind)), None)


def _nullable(kind: pa.DataType) -> Any:
    """Return the pandas type that keeps whole numbers and truths whole beside missing ones."""
    if pa.types.is_boolean(kind):
        return pd.BooleanDtype()
    if pa.types.is_integer(kind):
        return pd.Int64Dtype()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pd.Float64Dtype()
    return None


def _read(text: pd.Series[Any], all_is_text: bool) -> tuple[Kind, pd.Series[Any]]:
    """Return what a column of text holds, and its values as that."""
    text = text.astype(object).where(text.notna() & (text != ""), None)
    there = text.dropna()
    if there.empty:
        return "string", text
    if all_is_text and (found := _plain(text, there)):
        return found
    for kind, pattern in (("date", _DATE), ("timestamp", _INSTANT)):
        if there.str.fullmatch(pattern).all():
            times = _times(text)
            if times is not None:
                return kind, times  # type: ignore[return-value]
    return "string", text


def _plain(text: pd.Series[Any], there: pd.Series[Any]) -> tuple[Kind, pd.Series[Any]] | None:
    """Return text as truths or numbers; None if it holds neither."""
    low = there.str.lower()
    if low.isin(["true", "false"]).all() or low.isin(["yes", "no"]).all():
        return "bool", text.str.lower().map(_TRUTHS).astype("boolean")
    if there.str.fullmatch(_WHOLE).all():
        return "int64", pd.to_numeric(text).astype("Int64")
    if there.str.fullmatch(_NUMBER).all() and not there.str.match(r"[+-]?0\d").any():
        return "float64", pd.to_numeric(text).astype("Float64")
    return None


def _times(text: pd.Series[Any]) -> pd.Series[Any] | None:
    """Return text as times, UTC where it has offsets; None if some is no time after all."""
    aware = text.dropna().str.contains(r"(?:Z|[+-]\d{2}:?\d{2}|[+-]\d{2})$").all()
    aware = aware and text.dropna().str.len().gt(10).all()
    try:
        return pd.to_datetime(text, format="ISO8601", utc=bool(aware))
    except ValueError:
        return None
