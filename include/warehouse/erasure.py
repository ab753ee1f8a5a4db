"""Erasure of a subject's rows from the warehouse, and from what its file keeps of them."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from include.errors import ConfigurationError, StorageUnavailable
from include.warehouse import monitoring_tables, tables
from include.warehouse.engine import BUSY_SECONDS, Warehouse
from include.warehouse.use_cases import UseCaseTables

ERASED = "[erased]"
"""What stands in a message where a value was."""

MESSAGES = (
    (tables.stage_days, "reason"),
    (tables.stage_runs, "error"),
    (tables.stage_runs, "notes"),
    (monitoring_tables.incidents, "detail"),
    (tables.readiness, "reason"),
    (tables.quarantine_decisions, "reason"),
    (monitoring_tables.acknowledgements, "reason"),
    (monitoring_tables.drift_metrics, "words"),
    (monitoring_tables.drift_verdicts, "words"),
)
"""Sentences that may name a value."""

Subject = Mapping[str, Any]


def require_owner(warehouse: Warehouse) -> None:
    """Raise `ConfigurationError` unless whoever is connected may erase from every table."""
    if warehouse.is_sqlite:
        return
    with warehouse.reading() as connection:
        query = "SELECT has_table_privilege('quarantine_decisions', 'UPDATE')"
        if not connection.scalar(sa.text(query)):
            raise ConfigurationError(
                f"{warehouse.name} lets its owner alone change what is append-only: forget as the "
                "login that runs ./nightshift init"
            )


def find(
    connection: sa.Connection, dataset: str, cases: Sequence[UseCaseTables], subject: Subject
) -> dict[str, int]:
    """Return table → rows of the subject, tables without any left out."""
    found = {
        table.name: connection.scalar(
            sa.select(sa.func.count()).select_from(table).where(_same(table, subject))
        )
        or 0
        for table in _keyed(connection, cases, subject)
    }
    found["quarantine"] = len(_held(connection, dataset, subject))
    found["quarantine_decisions"] = len(_decided(connection, dataset, subject))
    return {name: rows for name, rows in found.items() if rows}


def erase_scores(connection: sa.Connection, case: UseCaseTables, subject: Subject) -> None:
    """Erase the subject's rows from the tables of a use case that have all its columns."""
    for table in _keyed(connection, [case], subject):
        connection.execute(sa.delete(table).where(_same(table, subject)))


def erase(connection: sa.Connection, dataset: str, subject: Subject) -> None:
    """Erase the subject's held rows, the payloads of decisions on them, and it from messages.

    That a decision was made stays; so do hashes of whole rows.
    """
    decided = _decided(connection, dataset, subject)
    held = _held(connection, dataset, subject)
    quarantine, decisions = tables.quarantine, tables.quarantine_decisions
    if held:
        gone = sa.delete(quarantine).where(quarantine.c.entry == sa.bindparam("gone"))
        connection.execute(gone, [{"gone": entry} for entry in held])
    if decided:
        emptied = sa.update(decisions).where(decisions.c.entry == sa.bindparam("gone"))
        connection.execute(emptied.values(payload=None), [{"gone": entry} for entry in decided])
    for table, column in MESSAGES:
        _erase_from_messages(connection, table, column, subject)


def compact(warehouse: Warehouse, cases: Sequence[UseCaseTables]) -> None:
    """Give back the space of erased rows, so that the database's files do not keep them.

    Postgres keeps them until this, and its write-ahead log and backups beyond.

    Raises `StorageUnavailable` while somebody reads without end.
    """
    if warehouse.is_sqlite:
        compact_sqlite(Path(warehouse.address.database).expanduser())
        return
    erased = [
        tables.quarantine,
        tables.quarantine_decisions,
        *dict.fromkeys(t for t, _ in MESSAGES),
    ]
    with warehouse.speaking(), warehouse.engine.connect() as connection:
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
        quote = connection.dialect.identifier_preparer.format_table
        there = set(sa.inspect(connection).get_table_names())
        for table in [*erased, *(table for case in cases for table in case.all)]:
            if table.name in there:
                connection.exec_driver_sql(f"VACUUM {quote(table)}")


def compact_sqlite(path: Path) -> None:
    """Write a SQLite file anew without its free pages, and empty its write-ahead log.

    Raises `StorageUnavailable` when another process does not let go of it.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            connection.execute("VACUUM")
            while connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > deadline:
                    raise sqlite3.OperationalError("it is being read")
                time.sleep(0.2)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StorageUnavailable(
            f"erased rows cannot be removed from the file {path}: {error}; end whoever uses it, "
            "then run again"
        ) from error


def _keyed(
    connection: sa.Connection, cases: Sequence[UseCaseTables], subject: Subject
) -> Iterator[sa.Table]:
    """Yield the tables of use cases, as far as there are any, with all columns of the subject."""
    there = set(sa.inspect(connection).get_table_names())
    for case in cases:
        for table in case.all:
            if table.name in there and subject.keys() <= set(table.columns.keys()):
                yield table


def _same(table: sa.Table, subject: Subject) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == value for name, value in subject.items()))


def _held(connection: sa.Connection, dataset: str, subject: Subject) -> list[int]:
    """Return the entries of the subject's rows in quarantine."""
    table = tables.quarantine.c
    query = sa.select(table.entry, table.payload).where(table.dataset == dataset)
    rows = connection.execute(query, execution_options={"yield_per": 10_000})
    return [entry for entry, payload in rows if _is_of(payload, subject)]


def _decided(connection: sa.Connection, dataset: str, subject: Subject) -> list[int]:
    """Return the decisions that carry a corrected row of the subject.

    Found by the held row decided on, as a correction may correct what names the subject.
    """
    held, made = tables.quarantine.c, tables.quarantine_decisions.c
    mine = set(_held(connection, dataset, subject))
    query = sa.select(held.entry, held.row_hash).where(held.dataset == dataset)
    hashes = {row_hash for entry, row_hash in connection.execute(query) if entry in mine}
    corrected = sa.select(made.entry, made.row_hash, made.payload).where(made.payload.is_not(None))
    return [
        row.entry
        for row in connection.execute(corrected)
        if row.row_hash in hashes or _is_of(row.payload, subject)
    ]


def _is_of(payload: Mapping[str, Any], subject: Subject) -> bool:
    return all(
        name in payload
        and payload[name] == (it.isoformat() if isinstance(it, datetime | date) else it)
        for name, it in subject.items()
    )


def _erase_from_messages(
    connection: sa.Connection, table: sa.Table, column: str, subject: Subject
) -> None:
    """Replace the subject's texts, as whole words, in a column of sentences."""
    key = list(table.primary_key.columns)
    for value in filter(None, (it for it in subject.values() if isinstance(it, str))):
        word = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)")
        sentences = table.c[column]
        there = sa.cast(sentences, sa.Text).contains(value, autoescape=True)
        for row in connection.execute(sa.select(*key, sentences).where(there)).all():
            same = sa.and_(*(it == row[place] for place, it in enumerate(key)))
            told = row[-1]
            several = isinstance(told, list)
            told = told if several else [told]
            new = [word.sub(ERASED, it) for it in told]
            if new != told:
                value_now = new if several else new[0]
                connection.execute(sa.update(table).where(same).values({column: value_now}))
