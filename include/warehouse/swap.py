"""The statements that put staged scores in the place of published ones, each over whole sets."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from include.errors import RowsLost
from include.warehouse.columns import UTC
from include.warehouse.use_cases import UseCaseTables

INSERTED, UPDATED, REMOVED = "inserted", "updated", "removed"
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class StagedRows:
    """Rows waiting to be published.

    Attributes:
        table: where they are, with the key and content columns of the scores.
        rows: data day → how many.
        hashes: data day → fingerprint, of the days asked for.
    """

    table: sa.Table
    rows: Mapping[date, int]
    hashes: Mapping[date, str]


def present_days(
    connection: sa.Connection, tables: UseCaseTables, days: Collection[date], now: datetime
) -> tuple[dict[date, int], datetime]:
    """Return the days that have scores, with how many, and from when others may be true.

    That is `now` unless the clock went back: validity begins after all that was said before.
    """
    scores, revisions = tables.scores.c, tables.revisions.c
    chosen = sorted(days)
    found = connection.execute(
        sa.select(scores.data_day, sa.func.count(), sa.func.max(scores.valid_from))
        .where(scores.data_day.in_(chosen))
        .group_by(scores.data_day)
    ).all()
    newest = sa.select(sa.func.max(revisions.valid_to)).where(revisions.data_day.in_(chosen))
    said = [connection.scalar(newest), *(it[2] for it in found)]
    earliest = [it + MICROSECOND for it in said if it is not None]
    return {it[0]: it[1] for it in found}, max([now, *earliest])


def insert(
    connection: sa.Connection,
    tables: UseCaseTables,
    chosen: sa.Select[Any],
    stamps: Mapping[str, Any],
    expected: int,
) -> None:
    """Insert chosen staged rows with their stamps; raises `RowsLost` for another number."""
    source = chosen.subquery("chosen")
    names = [*tables.key, *tables.content]
    values = [
        sa.literal(value, tables.scores.c[name].type).label(name) for name, value in stamps.items()
    ]
    query = sa.select(*(source.c[name] for name in names), *values)
    statement = sa.insert(tables.scores).from_select([*names, *stamps], query)
    _execute(connection, tables, statement, expected)


def _execute(
    connection: sa.Connection, tables: UseCaseTables, statement: sa.Executable, expected: int
) -> None:
    written = connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
    _require_all(tables, written, expected)


def _require_all(tables: UseCaseTables, found: int, expected: int) -> None:
    if found != expected:
        raise RowsLost(
            f"{expected} rows were staged for {tables.scores.name} and {found} found; nothing "
            "was published, run again"
        )


def find_differences(
    connection: sa.Connection,
    tables: UseCaseTables,
    staged: StagedRows,
    present: Mapping[date, int],
) -> sa.Table:
    """Write the keys of rows that change, and how, to a temporary table of the transaction."""
    differences = _differences_table(connection, tables)
    days = list(present)
    new = sa.select(staged.table).where(staged.table.c.data_day.in_(days)).subquery("new")
    old = sa.select(tables.scores).where(tables.scores.c.data_day.in_(days)).subquery("old")
    same_key = sa.and_(*(new.c[name] == old.c[name] for name in tables.key))
    unsaid = old.c.data_day.is_(None)
    differs = sa.or_(*(new.c[name].is_distinct_from(old.c[name]) for name in tables.content))
    columns = [column.name for column in differences.columns]
    connection.execute(
        sa.insert(differences).from_select(
            columns,
            sa.select(
                *(new.c[name] for name in tables.key),
                sa.case((unsaid, INSERTED), else_=UPDATED),
                sa.func.abs(new.c.prediction - old.c.prediction),
                sa.case((new.c.decision != old.c.decision, 1), else_=0),
            )
            .select_from(new.outerjoin(old, same_key))
            .where(sa.or_(unsaid, differs)),
        )
    )
    inserted = connection.scalar(sa.select(sa.func.count()).where(differences.c.fate == INSERTED))
    expected = sum(staged.rows.get(day, 0) for day in days)
    counted = sa.select(sa.func.count()).where(staged.table.c.data_day.in_(days))
    _require_all(tables, connection.scalar(counted) or 0, expected)
    matched = expected - (inserted or 0)
    if matched < sum(present.values()):
        gone = ~sa.exists().where(same_key).correlate(old)
        nothing = (sa.literal(REMOVED), sa.cast(sa.null(), sa.Double), sa.literal(0))
        query = sa.select(*(old.c[name] for name in tables.key), *nothing).where(gone)
        connection.execute(sa.insert(differences).from_select(columns, query))
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {differences.name}")  # nobody else does, in time
    return differences


def _differences_table(connection: sa.Connection, tables: UseCaseTables) -> sa.Table:
    table = sa.Table(
        "nightshift_differences",
        sa.MetaData(),
        *(sa.Column(name, tables.scores.c[name].type, nullable=False) for name in tables.key),
        sa.Column("fate", sa.Text, nullable=False),
        sa.Column("moved", sa.Double),
        sa.Column("flipped", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint(*tables.key),
        prefixes=["TEMPORARY"],
    )
    table.create(connection)
    return table


def replace_changed(
    connection: sa.Connection,
    tables: UseCaseTables,
    staged: StagedRows,
    present: Mapping[date, int],
    differences: sa.Table,
    stamps: Mapping[str, Any],
) -> dict[date, dict[str, Any]]:
    """Move superseded rows to the revisions, insert new ones; returns the figures by day.

    Days whose rows all go, or all come, are moved whole; others key by key.
    """
    changes = _figures(connection, differences, present)
    going = {day: it.get(UPDATED, 0) + it.get(REMOVED, 0) for day, it in changes.items()}
    coming = {day: it.get(UPDATED, 0) + it.get(INSERTED, 0) for day, it in changes.items()}
    scores, new = tables.scores, staged.table
    for chosen, rows in _parts(scores, differences, REMOVED, going, present):
        _supersede(connection, tables, chosen, stamps["valid_from"], rows)
    for chosen, rows in _parts(new, differences, INSERTED, coming, staged.rows):
        insert(connection, tables, sa.select(new).where(chosen), stamps, rows)
    return changes


def _parts(
    table: sa.Table,
    differences: sa.Table,
    fate: str,
    moving: Mapping[date, int],
    all_rows: Mapping[date, int],
) -> Iterator[tuple[sa.ColumnElement[bool], int]]:
    """Yield conditions on `table` that choose the rows updated or of `fate`, with their counts."""
    whole = [day for day, rows in moving.items() if 0 < rows == all_rows.get(day)]
    if whole:
        yield table.c.data_day.in_(whole), sum(moving[day] for day in whole)
    partly = [day for day, rows in moving.items() if rows and day not in whole]
    if partly:
        key = [it.name for it in differences.primary_key.columns]
        wanted = sa.select(*(differences.c[name] for name in key)).where(
            differences.c.fate.in_([UPDATED, fate])
        )
        chosen = sa.tuple_(*(table.c[name] for name in key)).in_(wanted)
        yield table.c.data_day.in_(partly) & chosen, sum(moving[day] for day in partly)


def _supersede(
    connection: sa.Connection,
    tables: UseCaseTables,
    chosen: sa.ColumnElement[bool],
    until: datetime,
    expected: int,
) -> None:
    names = [column.name for column in tables.scores.columns]
    moved = sa.select(*tables.scores.columns, sa.literal(until, UTC)).where(chosen)
    kept = sa.insert(tables.revisions).from_select([*names, "valid_to"], moved)
    _execute(connection, tables, kept, expected)
    _execute(connection, tables, sa.delete(tables.scores).where(chosen), expected)


def _figures(
    connection: sa.Connection, differences: sa.Table, days: Collection[date]
) -> dict[date, dict[str, Any]]:
    """Return the figures of each day: rows by fate, and how far predictions moved."""
    c = differences.c
    query = sa.select(
        c.data_day,
        c.fate,
        sa.func.count(),
        sa.func.max(c.moved),
        sa.func.sum(c.moved),
        sa.func.sum(c.flipped),
    ).group_by(c.data_day, c.fate)
    changes: dict[date, dict[str, Any]] = {day: {} for day in days}
    for day, fate, rows, largest, total, flipped in connection.execute(query):
        changes[day][fate] = rows
        if fate == UPDATED:
            changes[day] |= {"largest": largest, "total": total, "flipped": flipped}
    return changes
