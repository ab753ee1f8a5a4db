"""Turns a source's columns into the declared types; nothing is guessed and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from include.declare import ColumnType
from include.errors import SchemaBreak
from include.ingestion.local_time import localise

INSTANT = pa.timestamp("us", tz="UTC")
WALL = pa.timestamp("us")

TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")

_KINDS = {
    "int64": "a whole number",
    "float64": "a number",
    "bool": "true or false",
    "timestamp": "a time as ISO 8601 has it",
    "day": "a day or a time as ISO 8601 has it",
}
_HINTS = {
    "timestamp": "declare its form in the option timestamp_format",
    "day": "declare its form in the option timestamp_format",
}


@dataclass(frozen=True)
class Reader:
    """How the values of one table's source are read.

    Attributes:
        where: what is read, as messages name it.
        timezone: of times without an offset.
        dataset_zone: whose days are the data days.
        options: of the format: `decimal` and `timestamp_format` matter here.
        numbered: whether rows have an order, so that a message can say which one it is.
    """

    where: str
    timezone: str
    dataset_zone: str
    options: Mapping[str, str]
    numbered: bool = True

    def typed(self, values: pa.ChunkedArray, name: str, wanted: ColumnType) -> pa.ChunkedArray:
        """Return a column as declared as far as it can be told; the rest is refused later.

        Raises:
            SchemaBreak: text that is not of the declared type; names file, row and column.
        """
        values = _plain(values)
        if wanted == "timestamp":
            return self.instants(values, name)
        if wanted == "bool" and pa.types.is_integer(values.type):
            values = values.cast(pa.string())  # as SQLite has them: 0 and 1, and nothing else
        if not pa.types.is_string(values.type) or wanted == "string":
            return values
        return self._each(_trimmed(values), name, wanted, self._casts[wanted])

    def instants(self, values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
        """Return times as instants; those without an offset are the source's wall times.

        A date is its midnight. Raises what `typed` raises.
        """
        values = _plain(values)
        if pa.types.is_string(values.type):
            values = self._each(_trimmed(values), name, "timestamp", self._parsed)
        if pa.types.is_date(values.type):
            values = values.cast(WALL)
        if pa.types.is_timestamp(values.type) and values.type.tz is None:
            return localised(values, self.timezone)
        return values

    def days(self, values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
        """Return the day (date32) of each value: a date as it is, a time in the dataset's zone.

        Raises:
            SchemaBreak: values that are neither.
        """
        values = _plain(values)
        if self.are_dates(values):
            if pa.types.is_string(values.type):
                values = self._each(_trimmed(values), name, "day", self._parsed)
            return values.cast(pa.date32())
        instants = self.instants(values, name)
        if not pa.types.is_timestamp(instants.type):
            raise SchemaBreak(
                f"{self.where}: the day of a row comes from {name}, which is {instants.type} "
                "and neither a date nor a time"
            )
        return days_of(instants, self.dataset_zone)

    def data_days(self, values: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
        """Return `days`; raises `SchemaBreak` also where a row has none."""
        days = self.days(values, name)
        if days.null_count:
            first = pc.index(days.is_null(), True).as_py()
            raise SchemaBreak(
                f"{self._at(first)}: {days.null_count} of {len(days)} rows have no {name}, which "
                "says their day. Repair the source: no row may be left out"
            )
        return days

    def are_dates(self, values: pa.ChunkedArray) -> bool:
        """Tell dates, which have no zone, from times."""
        if not pa.types.is_string(values.type):
            return bool(pa.types.is_date(values.type))
        form = self.options.get("timestamp_format")
        if form is not None:
            return not any(sign in form for sign in ("%H", "%I", "%s", "%c", "%X", "%T", "%R"))
        return bool(
            pc.all(pc.match_substring_regex(_trimmed(values), r"^\d{4}-\d{2}-\d{2}$")).as_py()
        )

    @property
    def _casts(self) -> Mapping[str, Callable[[pa.ChunkedArray], pa.ChunkedArray]]:
        return {"int64": self._whole, "float64": self._number, "bool": _truth}

    def _whole(self, texts: pa.ChunkedArray) -> pa.ChunkedArray:
        decimal = re.escape(self.options.get("decimal", "."))
        # "5.0", as pandas writes whole columns with missing values
        return pc.replace_substring_regex(texts, rf"{decimal}0+$", "").cast(pa.int64())

    def _number(self, texts: pa.ChunkedArray) -> pa.ChunkedArray:
        decimal = self.options.get("decimal", ".")
        plain = texts if decimal == "." else pc.replace_substring(texts, decimal, ".")
        return plain.cast(pa.float64())

    def _parsed(self, texts: pa.ChunkedArray) -> pa.ChunkedArray:
        form = self.options.get("timestamp_format")
        if form is not None:
            try:
                found = pd.to_datetime(texts.to_pandas(), format=form, utc="%z" in form)
            except ValueError as error:
                raise pa.ArrowInvalid(str(error)) from None
            return pa.chunked_array([pa.Array.from_pandas(found, type=_type_of(found))])
        try:
            return texts.cast(WALL)
        except pa.ArrowInvalid:
            return texts.cast(INSTANT)

    def _each(
        self,
        texts: pa.ChunkedArray,
        name: str,
        wanted: str,
        convert: Callable[[pa.ChunkedArray], pa.ChunkedArray],
    ) -> pa.ChunkedArray:
        """Convert a column; the first row that cannot be is found by halving."""
        try:
            return convert(texts)
        except pa.ArrowInvalid:
            low, high = 0, len(texts)
            while high - low > 1:
                middle = (low + high) // 2
                try:
                    convert(texts.slice(low, middle - low))
                    low = middle
                except pa.ArrowInvalid:
                    high = middle
            hint = _HINTS.get(
                wanted,
                "if the text means that there is no value, name it in the option null_values",
            )
            raise SchemaBreak(
                f"{self._at(low)}: there is text in {name} that is not {_KINDS[wanted]}. Repair "
                f"the source, or {hint}"
            ) from None

    def _at(self, index: int) -> str:
        return f"{self.where}, row {index + 1}" if self.numbered else self.where


def localised(walls: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    """Return instants for wall times, by the rules of `local_time`."""
    instants = localise(pd.Series(walls.cast(WALL, safe=False).to_pandas()), timezone)
    return pa.chunked_array([pa.Array.from_pandas(instants, type=INSTANT)])


def days_of(instants: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    """Return the day of instants on the calendar of a zone."""
    local = pc.local_timestamp(instants.cast(pa.timestamp("us", tz=timezone), safe=False))
    return pc.floor_temporal(local, unit="day").cast(pa.date32())


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return dictionaries, views and large text as plain arrays of the same values."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
        values = values.cast(pa.string())
    return values


def _trimmed(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts without blanks around them; where nothing is left there is no value."""
    plain = pc.utf8_trim_whitespace(texts)
    return pc.if_else(pc.equal(plain, ""), pa.scalar(None, pa.string()), plain)


def _truth(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    low = pc.utf8_lower(texts)
    true, false = (pc.is_in(low, value_set=pa.array(words)) for words in (TRUE, FALSE))
    known = pc.or_(pc.or_(true, false), low.is_null())
    if not pc.all(known, min_count=0).as_py():
        raise pa.ArrowInvalid("neither true nor false")
    return pc.if_else(low.is_null(), pa.scalar(None, pa.bool_()), true)


def _type_of(found: Any) -> pa.DataType:
    return WALL if found.dt.tz is None else INSTANT
