"""A source of SQL tables and queries, on Postgres or SQLite."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from include.connections import Connections
from include.declare import Dataset, Table
from include.declare_source import Database, QueryTable
from include.errors import ConfigurationError, DayAbsent, SchemaBreak
from include.ingestion.sources.engines import open_engine, reading
from include.ingestion.sources.files import TOLD_EVERY, require_same_tables
from include.ingestion.sources.relation import Relation, find, is_ready, sql_file, utc_text
from include.ingestion.sources.times import Placing
from include.lake import fingerprint
from include.lake.schema import of_days

VERSION = 1
"""Raise when the same rows are read differently, so that days are landed again."""
ASKED_DAYS = 64
"""Days whose fingerprints one statement asks for: more than a night heals."""

_log = logging.getLogger(__name__)


class DatabaseSource:
    """Reads the days of a dataset from a database; made for one run, in which it asks once."""

    def __init__(self, dataset: Dataset, declared: Database, connections: Connections) -> None:
        """Check the declaration and the connection; raises `ConfigurationError`."""
        require_same_tables(dataset, declared.tables)
        engine = open_engine(connections.get(declared.connection))
        self._tables = {
            table.name: TableQuery(dataset, table, declared.tables[table.name], declared, engine)
            for table in dataset.tables
        }
        for query in self._tables.values():
            query.require_sound()

    def fingerprint(self, table: Table, day: date) -> str:
        """Return what changes with a day's rows; raises what `Source.fingerprint` raises."""
        return self._tables[table.name].fingerprint(day)

    def read(self, table: Table, days: Sequence[date]) -> pa.Table:
        """Return the rows of days; raises what `Source.read` raises."""
        return self._tables[table.name].read(days)


@dataclass
class TableQuery:
    """What one table is read from."""

    dataset: Dataset
    table: Table
    declared: QueryTable
    source: Database
    engine: sa.Engine
    _marks: dict[date, str] = field(default_factory=dict)
    _relation: Relation | None = None

    @cached_property
    def _where(self) -> str:
        return f"{self.dataset.name}.{self.table.name} (connection {self.source.connection})"

    @cached_property
    def _placing(self) -> Placing:
        return Placing(self.dataset, self.table, self.declared.times)

    def require_sound(self) -> None:
        """Raise `ConfigurationError` if the declaration cannot be read by."""
        self._placing.require_sound()
        if (self.declared.table is None) == (self.declared.query is None):
            raise ConfigurationError(f"{self._where}: declare either a table or a query")
        if self.table.kind != "snapshot" and self._placing.day_column is None:
            raise ConfigurationError(
                f"{self._where}: name the column that says the day of a row in times.day"
            )

    def fingerprint(self, day: date) -> str:
        """Return a hash of what is declared about the reading and of a day's rows.

        Raises:
            DayAbsent: the declared check says that the day is not ready.
            SourceUnreachable: the database does not answer.
        """
        if self.declared.ready is not None:
            with reading(self.engine, self._where) as connection:
                if not is_ready(connection, self.dataset, self.declared, day, self._where):
                    raise DayAbsent(f"{self._where}: {self.declared.ready} says it is not ready")
        if self.table.kind == "snapshot":
            day = date.min
        if day not in self._marks:
            asked = [day]
            if self.table.kind != "snapshot":
                asked = [day + timedelta(days=n) for n in range(ASKED_DAYS)]
            self._marks |= dict.fromkeys(asked, "0") | self._ask(asked)
        return fingerprint.of_values(self._reading, self._marks[day])

    def read(self, days: Sequence[date]) -> pa.Table:
        """Return the rows of days, in batches and from one state of the database.

        Raises:
            SchemaBreak: columns are missing, or values are not as declared.
            SourceUnreachable: the database does not answer.
        """
        parts = [self._placing.empty]
        with reading(self.engine, self._where) as connection:
            relation = self._found(connection)
            added = [name for name in relation.columns if name not in self._needed(relation)]
            for run in _runs(days) if self.table.kind != "snapshot" else [None]:
                for part in self._placed(connection, relation, run):
                    parts.append(part if run is None else of_days(part, run))
        rows = pa.concat_tables(parts)
        for name in added:  # named without values: the landing tells that it is left out
            rows = rows.append_column(name, pa.nulls(len(rows)))
        return rows

    def _found(self, connection: sa.Connection) -> Relation:
        """Return what the database has; raises `SchemaBreak` if it lacks a column of the times."""
        if self._relation is None:
            found = find(connection, self.dataset, self.declared, self._where)
            version = self.declared.version
            placed = (self._placing.day_column, self._placing.known_column, version)
            for name in placed:
                if name is not None and name not in found.columns:
                    raise SchemaBreak(
                        f"{self._where}: {name} is missing, which rows are placed in time by; "
                        f"there is {', '.join(found.columns)}"
                    )
            self._account_for_undated(connection, found)
            self._relation = found
        return self._relation

    def _needed(self, relation: Relation) -> list[str]:
        """Return the columns that are read: those declared and those of the times."""
        wanted = {column.name for column in self.table.columns}
        wanted |= {
            name
            for name in (self._placing.day_column, self._placing.known_column)
            if name is not None
        }
        return [name for name in relation.columns if name in wanted]

    def _placed(
        self, connection: sa.Connection, relation: Relation, run: Sequence[date] | None
    ) -> Iterator[pa.Table]:
        """Yield batches of rows as the lake has them, of a run of days and a few around it."""
        names = self._needed(relation)
        reader = self._placing.reader(self._where, {}, numbered=False)
        asked = self._asked(relation, relation.select(names), run)
        options = {"yield_per": self.source.batch_rows}
        rows, told = 0, time.monotonic()
        for batch in connection.execute(asked, execution_options=options).partitions():
            raw = self._arrow(batch, names)
            yield self._placing.place(raw, reader)[0]
            rows += len(batch)
            if time.monotonic() - told > TOLD_EVERY:
                told = time.monotonic()
                _log.info("%s: %s rows read", self._where, f"{rows:,}")

    def _arrow(self, rows: Sequence[sa.Row[Any]], names: Sequence[str]) -> pa.Table:
        """Return rows of a driver as arrow, with the types that their values have."""
        floats = {column.name for column in self.table.columns if column.type == "float64"}
        columns = {}
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            plain = [str(it) if isinstance(it, UUID) else it for it in values]
            if name in floats:  # a NaN is no decimal number to arrow
                plain = [float(it) if isinstance(it, Decimal) else it for it in plain]
            try:
                columns[name] = pa.array(plain)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                kinds = sorted({type(it).__name__ for it in plain if it is not None})
                raise SchemaBreak(
                    f"{self._where}: {name} holds values of several kinds ({', '.join(kinds)}); "
                    "repair the source, or cast them in a query"
                ) from None
        return pa.table(columns)

    def _asked(
        self, relation: Relation, statement: sa.Select[Any], run: Sequence[date] | None
    ) -> sa.Select[Any]:
        column = self._placing.day_column
        if run is None or column is None:
            return statement
        zone = self._placing.timezone
        return statement.where(relation.within(column, self.dataset, zone, run[0], run[-1]))

    def _ask(self, days: Sequence[date]) -> dict[date, str]:
        """Return the marks of the days that have rows."""
        with reading(self.engine, self._where) as connection:
            relation = self._found(connection)
            column = self._placing.day_column
            grouped = self.engine.dialect.name == "postgresql" and (
                column is None or relation.kinds[column] != "text"
            )
            return (self._group if grouped else self._hash)(connection, relation, days)

    def _group(
        self, connection: sa.Connection, relation: Relation, days: Sequence[date]
    ) -> dict[date, str]:
        """Have Postgres count and hash the rows of every day."""
        column, version = self._placing.day_column, self._version
        if version is not None:
            mark: sa.ColumnElement[Any] = sa.func.max(sa.column(version))
        else:
            row = sa.func.row(*(sa.column(name) for name in self._needed(relation)))
            hashed = sa.func.hashtextextended(sa.cast(row, sa.Text), 0)
            mark = sa.func.sum(sa.cast(hashed, postgresql.NUMERIC))
        day: sa.ColumnElement[Any] = sa.literal(days[0], sa.Date)
        if column is not None:
            day = relation.day(column, self.dataset, self._placing.timezone)
        statement = sa.select(day, sa.func.count(), mark).select_from(relation.selectable)
        asked = self._asked(relation, statement, days if column is not None else None)
        grouped = asked.group_by(sa.text("1")) if column is not None else asked
        return {it: f"{count}:{utc_text(top)}" for it, count, top in connection.execute(grouped)}

    def _hash(
        self, connection: sa.Connection, relation: Relation, days: Sequence[date]
    ) -> dict[date, str]:
        """Hash the rows of every day here; of one that cannot be read what is wrong with it.

        So it is due, its landing stops it, and the others land.
        """
        run = None if self.table.kind == "snapshot" else days
        try:
            parts = [self._placing.empty, *self._placed(connection, relation, run)]
        except SchemaBreak as problem:
            if len(days) == 1:
                return {days[0]: str(problem)}
            alone = (self._hash(connection, relation, [day]) for day in days)
            return {day: mark for found in alone for day, mark in found.items()}
        rows = pa.concat_tables(parts)
        if run is None:
            return {days[0]: fingerprint.of_table(rows)}
        return fingerprint.of_days(of_days(rows, days), days)

    @cached_property
    def _reading(self) -> list[object]:
        """What the rows depend on besides the database."""
        it = self.declared
        asked = sql_file(self.dataset, it.query, self._where) if it.query else it.table
        return [VERSION, repr(it.times), asked, self.dataset.timezone]

    @property
    def _version(self) -> str | None:
        return self.declared.version or self.table.updated_at

    def _account_for_undated(self, connection: sa.Connection, relation: Relation) -> None:
        """Say how many rows belong to no day, such as orders that were not placed yet.

        Raises:
            SchemaBreak: rows have a text for a day that no range of days would find.
        """
        column = self._placing.day_column
        if column is None:
            return
        asked = sa.select(sa.func.count()).select_from(relation.selectable)
        undated = connection.execute(asked.where(sa.column(column).is_(None))).scalar_one()
        if undated:
            _log.warning(
                "%s: %s rows have no %s; they belong to no day and do not land until they have",
                self._where,
                f"{undated:,}",
                column,
            )
        if relation.kinds[column] == "text":
            unreadable = relation.is_no_date(column, connection.dialect.name)
            if count := connection.execute(asked.where(unreadable)).scalar_one():
                raise SchemaBreak(
                    f"{self._where}: {count:,} rows have a {column} that does not begin with a "
                    "date as YYYY-MM-DD, so their day cannot be told; convert it in a query"
                )


def _runs(days: Sequence[date]) -> Iterator[list[date]]:
    """Yield days as runs without a gap, in order."""
    run: list[date] = []
    for day in sorted(days):
        if run and day - run[-1] > timedelta(days=1):
            yield run
            run = []
        run.append(day)
    if run:
        yield run
