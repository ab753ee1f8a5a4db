"""What a sample says about a table: its columns, how often values recur, and rows per day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, cast

import pandas as pd

from include.scaffold.inference import Kind

DAY = "__day__"
"""The column of a sample's frame with the day that a row's file is of; never a source's own."""

ENOUGH_ROWS = 50
"""So many whole numbers neither differ from each other by chance, nor are all 0 or 1."""

_PERSONAL = re.compile(
    r"(^|_)(e?mail|phone|mobile|iban|birth\w*|dob|surname|(first|last|full|middle)_?name|address"
    r"|street|ssn|passport|ip(_address)?)(_|$)"
)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[a-z]{2,}")


@dataclass(frozen=True)
class Column:
    """One column as the sample shows it.

    Attributes:
        missing: share of rows without a value.
        distinct: number of different values.
        low: smallest value of numbers; None for others.
        high: largest.
        values: the different values of text, if they are few and short.
        personal: whether name or values suggest that it tells of a person.
        unique: whether no two rows of a large enough sample share a value.
        flag: whether a large enough sample holds the whole numbers 0 and 1 alone.
    """

    name: str
    kind: Kind
    missing: float
    distinct: int
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    personal: bool = False
    unique: bool = False
    flag: bool = False

    @property
    def is_time(self) -> bool:
        """Whether it holds dates or instants."""
        return self.kind in ("date", "timestamp")

    @property
    def is_number(self) -> bool:
        """Whether it holds numbers."""
        return self.kind in ("int64", "float64")

    @property
    def is_identifier(self) -> bool:
        """Whether it identifies something: by its name, or as all whole numbers differ."""
        found = re.search(r"(^|_)(id|key|no|nr|code|number|uuid|sku)$", self.name.lower())
        named = self.kind in ("string", "int64") and found is not None
        return named or (self.kind == "int64" and self.unique)


@dataclass(frozen=True)
class Sample:
    """Rows of one table of a source, and on which days the source has any.

    Attributes:
        frame: the rows, values of their types; `DAY` is there when the paths tell the day.
        kinds: column → what it is.
        first_day: the oldest day of the source; None for a table without days.
        last_day: the newest.
        options: how the files had to be read, where that differs from the usual.
        names: column of the source → the name it is given, where SQL would not take its own.
        skipped: columns that a lake table cannot have.
    """

    frame: pd.DataFrame
    kinds: Mapping[str, Kind]
    first_day: date | None = None
    last_day: date | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()

    def columns(self) -> tuple[Column, ...]:
        """Return what the sample shows of every column."""
        return tuple(_column(name, kind, self.frame[name]) for name, kind in self.kinds.items())

    def days(self, column: str | None, timezone: str) -> pd.Series[Any]:
        """Return the day of every row: of a column, in a time zone, or of the path."""
        if column is None:
            return self.frame[DAY]
        times = self.frame[column]
        if getattr(times.dtype, "tz", None) is not None:
            times = times.dt.tz_convert(timezone).dt.tz_localize(None)
        found: pd.Series[Any] = times.dt.floor("D")
        return found

    def reach(self, days: pd.Series[Any]) -> tuple[date, date]:
        """Return the oldest and the newest day of the source; `days`: the day of every row."""
        first, last = pd.Timestamp(days.min()).date(), pd.Timestamp(days.max()).date()
        return self.first_day or first, self.last_day or last


def _column(name: str, kind: Kind, values: pd.Series[Any]) -> Column:
    there = values.dropna()
    numbers = kind in ("int64", "float64") and not there.empty
    enough = len(there) >= ENOUGH_ROWS
    return Column(
        name=name,
        kind=kind,
        missing=float(values.isna().mean()) if len(values) else 0.0,
        distinct=int(there.nunique()),
        low=float(there.min()) if numbers else None,
        high=float(there.max()) if numbers else None,
        values=_few(there) if kind == "string" else (),
        personal=_is_personal(name, kind, there),
        unique=enough and bool(there.is_unique),
        flag=enough and kind == "int64" and {*there.unique()} == {0, 1},
    )


def _few(there: pd.Series[Any]) -> tuple[str, ...]:
    """Return the values that look like categories: few, short, and each of many rows."""
    found = there.unique()
    if len(found) > 20 or len(found) * 10 > len(there) or any(len(it) > 30 for it in found):
        return ()
    return tuple(sorted(cast(list[str], found.tolist())))


def _is_personal(name: str, kind: Kind, there: pd.Series[Any]) -> bool:
    spelt = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if _PERSONAL.search(spelt):
        return True
    return kind == "string" and not there.empty and bool(there.str.fullmatch(_EMAIL).mean() > 0.5)
