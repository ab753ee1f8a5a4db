"""Rows as data frames in one canonical form, so that they compare and hash alike.

Scores come from pandas on one side and from SQLite or Postgres on the other; each has its
own idea of a missing value, a day and an instant. The canonical form has one per SQL type.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from include.errors import DataError
from include.warehouse.tables import UTC

Mask = npt.NDArray[np.bool_]


def canonical(table: sa.Table, names: Sequence[str], rows: pd.DataFrame) -> pd.DataFrame:
    """Return the named columns of `rows` in the dtypes of the table's columns, index reset.

    Days are `datetime64[s]`, instants `datetime64[us, UTC]`, floats `float64` without
    negative zero, integers `Int64`, truths `boolean`, text `object` with None.

    Raises `DataError` for missing columns, values of another type, infinite numbers, and
    missing values where the table wants one.
    """
    missing = [name for name in names if name not in rows.columns]
    if missing:
        raise DataError(f"rows for {table.name} lack the columns {', '.join(missing)}")
    rows = rows.reset_index(drop=True)
    return pd.DataFrame({name: _canonical(table, name, rows[name]) for name in names})


def _canonical(table: sa.Table, name: str, values: pd.Series[Any]) -> pd.Series[Any]:
    column = table.c[name]
    try:
        made = _convert(column.type, values)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"column {name} for {table.name} holds values that are not {column.type}: {error}"
        ) from error
    if isinstance(column.type, sa.Double) and np.isinf(made.to_numpy()).any():
        raise DataError(f"column {name} for {table.name} holds infinite values")
    if isinstance(column.type, sa.Text) and any("\0" in str(it) for it in pd.unique(made)):
        raise DataError(f"column {name} for {table.name} holds NUL characters")
    if not column.nullable and (empty := int(made.isna().sum())):
        raise DataError(f"column {name} for {table.name} is missing in {empty} rows")
    return made


def _convert(kind: Any, values: pd.Series[Any]) -> pd.Series[Any]:
    if isinstance(kind, sa.Date):
        return pd.to_datetime(values).astype("datetime64[s]")
    if isinstance(kind, UTC):
        if not isinstance(values.dtype, pd.DatetimeTZDtype):
            values = pd.to_datetime(values, utc=True)
        instants: pd.Series[Any] = values.dt.tz_convert("UTC")
        return instants.astype("datetime64[us, UTC]")
    if isinstance(kind, sa.Double):
        return (
            pd.to_numeric(values.astype(object).where(values.notna(), np.nan)).astype("float64")
            + 0.0
        )
    if isinstance(kind, sa.BigInteger):
        return values.astype("Int64")
    if isinstance(kind, sa.Boolean):
        return values.astype("boolean")
    text = values.astype(object)
    return text.where(text.notna(), None)


def records(table: sa.Table, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return canonical rows as dicts of Python values, None where missing."""
    columns = [_values(table.c[name].type, rows[name]) for name in rows.columns]
    names = list(rows.columns)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(kind: Any, values: pd.Series[Any]) -> list[Any]:
    if isinstance(kind, sa.Date):
        return list(values.dt.date)
    return values.astype(object).where(values.notna(), None).tolist()


@dataclass(frozen=True)
class Comparison:
    """How new rows differ from those present.

    Attributes:
        written: for each new row, whether it must be inserted.
        superseded: for each present row, whether it must go.
    """

    written: Mask
    superseded: Mask
    inserted: int
    updated: int
    removed: int


def compare(
    new: pd.DataFrame, present: pd.DataFrame, key: list[str], content: list[str]
) -> Comparison:
    """Compare two canonical frames with unique keys."""
    left = new.assign(_new=np.arange(len(new)))
    right = present.assign(_present=np.arange(len(present)))
    both = left.merge(right, on=key, how="inner", suffixes=("", "__present"))
    differs = np.zeros(len(both), dtype=bool)
    for name in content:
        differs |= _differs(both[name], both[f"{name}__present"])
    written = np.ones(len(new), dtype=bool)
    written[both["_new"].to_numpy()[~differs]] = False
    superseded = np.ones(len(present), dtype=bool)
    superseded[both["_present"].to_numpy()[~differs]] = False
    return Comparison(
        written=written,
        superseded=superseded,
        inserted=len(new) - len(both),
        updated=int(differs.sum()),
        removed=len(present) - len(both),
    )


def _differs(left: pd.Series[Any], right: pd.Series[Any]) -> Mask:
    """Return where two columns differ; two missing values do not."""
    gone_left, gone_right = left.isna().to_numpy(), right.isna().to_numpy()
    unequal = (left != right).fillna(True).to_numpy(dtype=bool)
    result: Mask = (gone_left != gone_right) | (~gone_left & ~gone_right & unequal)
    return result


def day_hashes(
    table: sa.Table,
    rows: pd.DataFrame,
    key: Sequence[str],
    content: Sequence[str],
    days: Collection[date],
) -> dict[date, str]:
    """Return a SHA-256 per data day over key and content, independent of row order."""
    ordered = rows.sort_values(list(key), kind="stable", ignore_index=True)
    groups = dict(iter(ordered.groupby(ordered["data_day"].dt.date)))
    empty = ordered.iloc[:0]
    names = [*key, *content]
    return {day: _hash(table, groups.get(day, empty), names) for day in sorted(days)}


def combine(hashes: Mapping[date, str]) -> str:
    """Return one SHA-256 over the hashes of several days."""
    told = "\n".join(f"{day} {it}" for day, it in sorted(hashes.items()))
    return hashlib.sha256(told.encode()).hexdigest()


def _hash(table: sa.Table, rows: pd.DataFrame, names: Sequence[str]) -> str:
    """Hash column by column: name, row count, which values are missing, the values."""
    digest = hashlib.sha256()
    for name in names:
        column = rows[name]
        missing = column.isna().to_numpy()
        digest.update(f"{name}\0{len(column)}\0".encode())
        digest.update(np.packbits(missing).tobytes())
        digest.update(_bytes(table.c[name].type, column[~missing]))
    return digest.hexdigest()


def _bytes(kind: Any, present: pd.Series[Any]) -> bytes:
    if isinstance(kind, (sa.Date, UTC)):
        return present.astype("int64").to_numpy().astype("<i8").tobytes()
    if isinstance(kind, sa.Double):
        return present.to_numpy().astype("<f8").tobytes()
    if isinstance(kind, sa.BigInteger):
        return present.to_numpy(dtype="int64").astype("<i8").tobytes()
    if isinstance(kind, sa.Boolean):
        return present.to_numpy(dtype=bool).astype("u1").tobytes()
    codes, texts = pd.factorize(present)
    encoded = [str(text).encode() for text in texts]
    parts = [len(part).to_bytes(4, "little") + part for part in encoded]
    return b"".join(parts[code] for code in codes.tolist())
