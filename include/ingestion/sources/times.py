"""Places rows in time: their data day, and when they became known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa
import pyarrow.compute as pc

from include.declare import Dataset, Table
from include.declare_source import Times
from include.errors import ConfigurationError, SchemaBreak
from include.ingestion.sources.values import INSTANT, Reader
from include.lake.known import KNOWN_AT
from include.lake.schema import DATA_DAY, arrow_schema, conform

_LAST = date.max - timedelta(days=1)
"""The last day that has an end, for those who write 9999-12-31 for never."""


@dataclass(frozen=True)
class Placing:
    """How the rows of one table become rows of the lake."""

    dataset: Dataset
    table: Table
    times: Times

    @property
    def day_column(self) -> str | None:
        """The column that says the day; None means that it comes from elsewhere."""
        return self.table.updated_at if self.table.kind == "changes" else self.times.day

    @property
    def known_column(self) -> str | None:
        """The column that says when a row became known; a change is known when it is made."""
        return self.times.known_at or self.table.updated_at

    def require_sound(self) -> None:
        """Raise `ConfigurationError` if the declarations of table and source do not fit."""
        where = f"{self.dataset.name}.{self.table.name}"
        known = next((it for it in self.table.columns if it.name == KNOWN_AT), None)
        if known is None or known.type != "timestamp":
            raise ConfigurationError(
                f"{where} has no column known_at of type timestamp; declare it: what is read from "
                "a declared source says of every row when it became known"
            )
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ConfigurationError(
                f"{where}: there is no time zone {self.timezone!r}; write one as Europe/Berlin"
            ) from None
        if self.table.kind == "changes" and self.times.day not in (None, self.table.updated_at):
            raise ConfigurationError(
                f"{where}: the day of a change is that of {self.table.updated_at}; leave out "
                f"times.day, which is {self.times.day}"
            )
        if self.table.kind == "snapshot" and self.times.day is not None:
            raise ConfigurationError(
                f"{where} is a snapshot, whose rows are of no day; leave out times.day"
            )

    @property
    def empty(self) -> pa.Table:
        """No rows, as `place` gives them."""
        schema = arrow_schema(self.table)
        return conform(schema.empty_table(), schema, self.table.name)[0]

    @property
    def timezone(self) -> str:
        """The zone of times without an offset."""
        return self.times.timezone or self.dataset.timezone

    def reader(self, where: str, options: Mapping[str, str], numbered: bool = True) -> Reader:
        """Return what reads the values of one file or query, called `where` in messages."""
        return Reader(where, self.timezone, self.dataset.timezone, options, numbered)

    def place(
        self, raw: pa.Table, reader: Reader, day: date | None = None
    ) -> tuple[pa.Table, list[str]]:
        """Return rows as the lake has them, and the names of columns that it has not.

        Args:
            raw: the source's columns, called as the table's.
            day: the data day of all rows, where no column says it.

        Raises:
            SchemaBreak: columns are missing or hold something else; names what is read.
        """
        for name in {self.day_column, self.known_column} - {None, *raw.column_names}:
            raise SchemaBreak(
                f"{reader.where}: {name} is missing, which the times of {self.table.name} are "
                f"taken from; it has {', '.join(raw.column_names)}"
            )
        rows = raw.drop_columns([it for it in (KNOWN_AT, DATA_DAY) if it in raw.column_names])
        declared = {column.name: column for column in self.table.columns}
        for index, name in enumerate(rows.column_names):
            if name in declared:
                typed = reader.typed(rows.column(name), name, declared[name].type)
                rows = rows.set_column(index, name, typed)
        days = self._days(raw, reader, day)
        if days is not None:
            rows = rows.append_column(DATA_DAY, days)
        rows = rows.append_column(KNOWN_AT, self._known(raw, reader, days))
        placed, extra = conform(rows, arrow_schema(self.table), reader.where)
        used = {self.day_column, self.known_column}
        return placed, [name for name in extra if name not in used]

    def _days(self, raw: pa.Table, reader: Reader, day: date | None) -> pa.ChunkedArray | None:
        if self.table.kind == "snapshot":
            return None
        if self.day_column is not None:
            return reader.data_days(raw.column(self.day_column), self.day_column)
        assert day is not None, "a day that no column says is known to the source"
        return pa.chunked_array([pa.repeat(pa.scalar(day, pa.date32()), len(raw))])

    def _known(
        self, raw: pa.Table, reader: Reader, days: pa.ChunkedArray | None
    ) -> pa.ChunkedArray:
        """Return when rows became known: as a column says, else at the end of their day.

        A date is known at its end: at its beginning nobody could have known.
        """
        if self.known_column is not None:
            values = raw.column(self.known_column)
            if reader.are_dates(values):
                known = self._ends(reader.days(values, self.known_column))
            else:
                known = reader.instants(values, self.known_column)
        elif days is not None:
            known = self._ends(days)
        else:
            first = datetime.combine(self.dataset.first_day, time(), self.dataset.zone)
            known = pa.chunked_array([pa.repeat(pa.scalar(first, INSTANT), len(raw))])
        if not self.times.known_after or not pa.types.is_timestamp(known.type):
            return known
        return pc.add(known, pa.scalar(self.times.known_after, pa.duration("us")))

    def _ends(self, days: pa.ChunkedArray) -> pa.ChunkedArray:
        distinct = pc.unique(days)
        ends = pa.array(
            [it and self.dataset.ends_at(min(it, _LAST)) for it in distinct.to_pylist()], INSTANT
        )
        return ends.take(pc.index_in(days.combine_chunks(), value_set=distinct))
