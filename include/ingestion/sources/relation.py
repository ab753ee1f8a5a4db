"""One table or query of a SQL source: its columns, and the statements that read days of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from include.declare import Dataset
from include.declare_source import QueryTable
from include.errors import ConfigurationError

_KINDS = {1082: "date", 1114: "wall", 1184: "instant"}
"""Postgres' numbers of its types."""

_LAST_SEMICOLON = re.compile(r";((?:\s|--[^\n]*)*)\Z")

WIDER = timedelta(hours=3)
"""Wall times are asked for with so much to spare, as clocks are changed by up to two hours."""


@dataclass(frozen=True)
class Relation:
    """A table or query as it was found.

    Attributes:
        selectable: what rows are selected from.
        columns: its columns, in order.
        kinds: column → what its values are: `date`, `wall`, `instant` or `text`, which also
            stands for everything that is no time.
    """

    selectable: sa.FromClause
    columns: tuple[str, ...]
    kinds: dict[str, str]

    def within(
        self, column: str, dataset: Dataset, timezone: str, first: date, last: date
    ) -> sa.ColumnElement[bool]:
        """Return the condition that finds all rows of days, and perhaps a few around them.

        The days are those of the dataset's zone, as a half-open range of the column's own type,
        so that an index on it is used.
        """
        start, end = dataset.ends_at(first - timedelta(days=1)), dataset.ends_at(last)
        low: Any
        high: Any
        kind = self.kinds[column]
        value: sa.ColumnElement[Any] = sa.column(column)
        if kind == "instant":
            low, high = start, end
        elif kind == "date":
            low, high = first, last + timedelta(days=1)
        elif kind == "wall":
            low = (start - WIDER).astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
            high = (end + WIDER).astimezone(ZoneInfo(timezone)).replace(tzinfo=None)
        else:  # ISO 8601 sorts by its date, whatever follows; offsets are less than a day
            low = (first - timedelta(days=1)).isoformat()
            high = (last + timedelta(days=2)).isoformat()
        return sa.and_(value >= low, value < high)

    def is_no_date(self, column: str, dialect: str) -> sa.ColumnElement[bool]:
        """Return the condition for values that do not begin with an ISO 8601 date."""
        value: sa.ColumnElement[Any] = sa.column(column)
        if dialect == "sqlite":
            return value.op("NOT GLOB", is_comparison=True)(
                "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"
            )
        return value.op("!~", is_comparison=True)(r"^\d{4}-\d\d-\d\d")

    def day(self, column: str, dataset: Dataset, timezone: str) -> sa.ColumnElement[date]:
        """Return the data day of rows, as Postgres computes it."""
        kind = self.kinds[column]
        value: sa.ColumnElement[Any] = sa.column(column)
        if kind == "wall" and timezone != dataset.timezone:
            value, kind = sa.func.timezone(timezone, value), "instant"
        if kind == "instant":
            value = sa.func.timezone(dataset.timezone, value)
        return sa.cast(value, sa.Date)

    def select(self, columns: Sequence[str]) -> sa.Select[Any]:
        """Return a statement for some columns."""
        chosen: list[sa.ColumnElement[Any]] = [sa.column(name) for name in columns]
        return sa.select(*chosen).select_from(self.selectable)


def find(connection: sa.Connection, dataset: Dataset, declared: QueryTable, where: str) -> Relation:
    """Ask the database what a declared table or query gives, without its rows."""
    selectable = _selectable(dataset, declared, where)
    result = connection.execute(sa.select(sa.text("*")).select_from(selectable).limit(0))
    described: Sequence[Any] = (result.cursor and result.cursor.description) or ()
    kinds = {it[0]: _KINDS.get(it[1], "text") for it in described}
    return Relation(selectable, tuple(result.keys()), kinds)


def sql_file(dataset: Dataset, name: str, where: str) -> str:
    """Return the text of a SQL file in the dataset's folder; raises `ConfigurationError`."""
    file = dataset.folder / name
    try:
        return _LAST_SEMICOLON.sub(r"\1", file.read_text(encoding="utf-8"))
    except OSError:
        raise ConfigurationError(f"{where}: there is no file {file}") from None


def _selectable(dataset: Dataset, declared: QueryTable, where: str) -> sa.FromClause:
    if declared.table is not None:
        schema, _, name = declared.table.rpartition(".")
        return sa.table(name, schema=schema or None)
    assert declared.query is not None
    plain = re.sub(r"(?<!:):(?=\w)", r"\\:", sql_file(dataset, declared.query, where))
    return sa.text(f"{plain}\n").columns().subquery("source")


def is_ready(
    connection: sa.Connection, dataset: Dataset, declared: QueryTable, day: date, where: str
) -> bool:
    """Ask the declared `ready` query about a day."""
    assert declared.ready is not None
    asked = sa.text(sql_file(dataset, declared.ready, where))
    value = day.isoformat() if connection.dialect.name == "sqlite" else day
    return bool(connection.execute(asked, {"day": value}).scalar())


def utc_text(value: Any) -> str:
    """Return a version as a text that does not depend on the session."""
    return value.astimezone(UTC).isoformat() if getattr(value, "tzinfo", None) else str(value)
