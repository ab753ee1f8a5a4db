"""A source as the point-in-time SQL sees it: a DuckDB relation with typed columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
from deltalake.exceptions import DeltaError, TableNotFoundError

from include.features.asof.errors import SourceColumnInvalid, SourceMissing, SourceUnreadable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NANOSECONDS = frozenset({"TIMESTAMP_NS", "TIMESTAMPTZ_NS"})


@dataclass(frozen=True)
class TimeRange:
    """Inclusive bounds in microseconds since 1970 UTC; `None` is unbounded."""

    first: int | None = None
    last: int | None = None

    @classmethod
    def between(cls, first: datetime | None, last: datetime | None) -> TimeRange:
        """Return the range between two instants; naive ones are UTC."""

        def microseconds(instant: datetime | None) -> int | None:
            if instant is None:
                return None
            aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
            return (aware - EPOCH) // MICROSECOND

        return cls(microseconds(first), microseconds(last))


EVERYTHING = TimeRange()


@dataclass(frozen=True)
class SourceTable:
    """A source as a DuckDB relation.

    Attributes:
        relation: name of the registered view.
        location: path or URL, with the version if it is pinned to one, for messages.
        subject: what is being read for whom, for messages (`feature view 'x'`).
        types: column name → DuckDB type of the columns that the relation has.
        absent: column name → DuckDB type of columns the table has, but none of its read files
            (added later): they are null.
    """

    relation: str
    location: str
    subject: str
    types: Mapping[str, str]
    absent: Mapping[str, str]

    def type_of(self, column: str, role: str) -> str:
        """Return the DuckDB type of a column; raises `SourceColumnInvalid` naming its role."""
        found = self.types.get(column) or self.absent.get(column)
        if found is None:
            have = ", ".join(sorted({**self.types, **self.absent}))
            raise SourceColumnInvalid(
                f"{self.subject}: the source {self.location} has no column {column!r} "
                f"(declared as its {role}); it has {have or 'no columns'}"
            )
        return found

    def has(self, column: str) -> bool:
        """Return whether the source has the column."""
        return column in self.types or column in self.absent

    def value_type(self, column: str, role: str) -> str:
        """Return the DuckDB type of what `value` gives."""
        kind = self.type_of(column, role)
        if kind.startswith("ENUM"):
            return "VARCHAR"
        return "TIMESTAMP" if kind in NANOSECONDS else kind

    def value(self, column: str, role: str) -> str:
        """Return SQL for a column: nanoseconds cut to microseconds, enumerations as text."""
        kind = self.type_of(column, role)
        if column not in self.types:
            return f"CAST(NULL AS {self.value_type(column, role)})"
        if kind.startswith("ENUM"):
            return f"CAST({quote(column)} AS VARCHAR)"
        if kind in NANOSECONDS:
            return f"make_timestamp({self.instant(column, role)})"
        return quote(column)

    def instant(self, column: str, role: str) -> str:
        """Return SQL for a time column as microseconds since 1970 UTC (naive means UTC)."""
        kind = self.type_of(column, role)
        if not kind.startswith(("TIMESTAMP", "DATE")):
            raise SourceColumnInvalid(
                f"{self.subject}: column {column!r} of the source {self.location} is the "
                f"{role} but has type {kind}; it must be a timestamp or a date"
            )
        if kind in NANOSECONDS and column in self.types:
            # DuckDB's own cast rounds, so that a value could move into the future.
            nanoseconds = f"epoch_ns({quote(column)})"
            return f"({nanoseconds} // 1000 - CAST({nanoseconds} % 1000 < 0 AS BIGINT))"
        column_sql = self.value(column, role)
        return f"epoch_us({f'CAST({column_sql} AS TIMESTAMP)' if kind == 'DATE' else column_sql})"

    def within(self, column: str, bounds: TimeRange) -> list[str]:
        """Return SQL conditions: `column` has a time, and it lies inside `bounds`."""
        instant = self.instant(column, "event timestamp")
        conditions = [f"{instant} IS NOT NULL"]
        plain = self.types.get(column) in ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
        for sign, bound in ((">=", bounds.first), ("<=", bounds.last)):
            if bound is None:
                continue
            conditions.append(f"{instant} {sign} {bound}")
            if plain:  # says the same once more, in a form that skips row groups
                literal = f"CAST(make_timestamp({bound}) AS {self.types[column]})"
                conditions.append(f"{quote(column)} {sign} {literal}")
        return conditions


def quote(identifier: str) -> str:
    """Return a declared column name as a quoted SQL identifier."""
    return '"' + identifier.replace('"', '""') + '"'


def to_utc(table: pa.Table) -> pa.Table:
    """Return the table with every timestamp column as UTC microseconds; naive ones are UTC."""
    fields = [
        field.with_type(pa.timestamp("us", "UTC")) if pa.types.is_timestamp(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields), safe=False)


def describe(con: duckdb.DuckDBPyConnection, relation: str) -> dict[str, str]:
    """Return column name → DuckDB type of a relation, in its column order."""
    rows = con.execute(f"DESCRIBE SELECT * FROM {quote(relation)}").fetchall()
    return {str(row[0]): str(row[1]) for row in rows}


@contextmanager
def reading(subject: str, location: str) -> Iterator[None]:
    """Turn whatever a reader raises inside into an error that names view and source."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise SourceUnreadable(
            f"{subject}: reading the source {location} needs more than the memory limit; raise "
            f"offline_store.memory_limit or free space in its temp_directory ({line(error)})"
        ) from error
    except (TableNotFoundError, FileNotFoundError) as error:
        raise SourceMissing(
            f"{subject}: there is no table at {location}; build its features first, or correct "
            f"the source's path or offline_store.root ({line(error)})"
        ) from error
    except (duckdb.Error, DeltaError, pa.ArrowException, OSError) as error:
        raise SourceUnreadable(
            f"{subject}: the source {location} cannot be read ({line(error)})"
        ) from error


def line(error: BaseException) -> str:
    """Return an error's text on one line, cut to what a person reads."""
    return " ".join(str(error).split())[:400]
