"""Entity frames that are not data frames: a SQL query, or all that happened in a time range."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from feast.infra.offline_stores.offline_utils import DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL

from include.features.asof.entities import KEYS, EntityRows, check_columns, timestamp_column
from include.features.asof.errors import EntityFrameInvalid, SourceUnreadable
from include.features.asof.plan import ViewPlan
from include.features.asof.tables import SourceTable, TimeRange, line, quote

FRAME = "__entity_frame"
"""Table of a query's rows in their order: `__t` (microseconds since 1970 UTC), its columns."""

Relation = Callable[[duckdb.DuckDBPyConnection], duckdb.DuckDBPyRelation]
"""Opens in a connection what a query reads, and returns the query, not yet run."""


@dataclass(frozen=True)
class EntityQuery:
    """The rows of a DuckDB query, in the order it gives them.

    Attributes:
        relation: the query.
        layout: its columns.
        timestamp: which of them is the time of each row.
        keys: which of them are join keys.
    """

    relation: Relation
    layout: SourceTable
    timestamp: str
    keys: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """Names of the query's columns."""
        return list(self.layout.types)

    def load(self, con: duckdb.DuckDBPyConnection) -> EntityRows:
        """Run the query into a table, which spills to disk if it must."""
        with _running():
            time = _instant(self.layout, self.timestamp)
            self.relation(con).project(f"{time} AS __t, *").create(FRAME)
        # What the query read is open under names that the join may want for itself.
        views = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        for (view,) in views:
            con.execute(f"DROP VIEW {quote(view)}")
        named = [
            f"{self.layout.value(key, 'join key')} AS {quote(f'key:{key}')}" for key in self.keys
        ]
        con.execute(
            f"CREATE TEMP VIEW {KEYS} AS "
            f"SELECT {', '.join(['rowid AS row', '__t AS t', *named])} FROM {FRAME}"
        )
        utc = f"CAST(make_timestamp(__t) AS TIMESTAMPTZ) AS {quote(self.timestamp)}"

        def rows(start: int, stop: int) -> pa.Table:
            return con.sql(
                f"SELECT * EXCLUDE (__t) REPLACE ({utc}) FROM {FRAME} "
                f"WHERE rowid >= {start} AND rowid < {stop} ORDER BY rowid"
            ).to_arrow_table()

        return EntityRows(rows)


def describe_query(
    con: duckdb.DuckDBPyConnection, relation: Relation, plans: Sequence[ViewPlan]
) -> EntityQuery:
    """Check a query against the plans without running it; raises `EntityFrameInvalid`."""
    with _running():
        found = relation(con)
    columns = list(found.columns)
    types = dict(zip(columns, map(str, found.types), strict=True))
    if len(types) < len(columns):
        raise EntityFrameInvalid(f"the entity query gives a column twice: {', '.join(columns)}")
    taken = [name for name in columns if name.lower() in ("rowid", "__t")]
    if taken:
        raise EntityFrameInvalid(
            f"the entity query has a column {taken[0]!r}, a name the store uses itself; rename it"
        )
    datetimes = [name for name, kind in types.items() if kind.startswith("TIMESTAMP")]
    timestamp = timestamp_column(columns, datetimes)
    if not types[timestamp].startswith(("TIMESTAMP", "DATE", "VARCHAR")):
        raise EntityFrameInvalid(
            f"the entity query's {timestamp!r} holds {types[timestamp]} values; "
            "it must hold timestamps"
        )
    check_columns(columns, plans)
    keys = dict.fromkeys(column for plan in plans for _, column in plan.keys)
    layout = SourceTable(FRAME, "the entity query", "the entity query", types, {})
    return EntityQuery(relation, layout, timestamp, tuple(keys))


def happened(
    con: duckdb.DuckDBPyConnection,
    plans: Sequence[ViewPlan],
    sources: Sequence[SourceTable],
    bounds: TimeRange,
) -> duckdb.DuckDBPyRelation:
    """Return the query of all keys and instants with a feature row in `bounds`.

    One row per distinct key and event timestamp of any of the views, ordered by time and keys;
    keys that a view does not have are null in its rows.
    """
    time = quote(DEFAULT_ENTITY_DF_EVENT_TIMESTAMP_COL)
    selects: list[str] = []
    keys: dict[str, None] = {}
    for plan, source in zip(plans, sources, strict=True):
        instant = source.instant(plan.timestamp, "event timestamp")
        columns = {quote(column): source.value(key, "join key") for key, column in plan.keys}
        keys |= dict.fromkeys(columns)
        where = source.within(plan.timestamp, bounds)
        where += [f"{sql} IS NOT NULL" for sql in columns.values()]
        columns[time] = f"CAST(make_timestamp({instant}) AS TIMESTAMPTZ)"
        selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
        selects.append(f"SELECT {selected} FROM {source.relation} WHERE {' AND '.join(where)}")
    rows = " UNION ALL BY NAME ".join(selects)
    return con.sql(
        f"SELECT DISTINCT {', '.join([*keys, time])} FROM ({rows}) "
        f"ORDER BY {', '.join([time, *keys])}"
    )


def _instant(layout: SourceTable, timestamp: str) -> str:
    """Return SQL of the query's timestamp in microseconds; text is read as a timestamp."""
    if layout.types[timestamp] == "VARCHAR":
        return f"epoch_us(CAST({quote(timestamp)} AS TIMESTAMPTZ))"
    return layout.instant(timestamp, "event timestamp")


@contextmanager
def _running() -> Iterator[None]:
    """Turn what DuckDB says of a query into an error that names it."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise SourceUnreadable(
            "the entity query needs more than the memory limit; raise offline_store.memory_limit "
            f"or free space in its temp_directory ({line(error)})"
        ) from error
    except duckdb.Error as error:
        raise EntityFrameInvalid(f"the entity query cannot be run: {line(error)}") from error
