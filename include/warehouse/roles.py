"""Who may do what in a Postgres warehouse: one role for the stages, one for analysts.

Both are groups that nobody logs in as; a person grants them to logins. What they may do is
said anew by every `./nightshift init`, so that it holds for tables made since. SQLite has no
roles: whoever may open the file may read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from include.declare import UseCase
from include.warehouse.engine import Warehouse
from include.warehouse.locks import lock
from include.warehouse.migrate import VERSION_TABLE
from include.warehouse.staging import SCHEMA as STAGING
from include.warehouse.tables import metadata
from include.warehouse.use_cases import UseCaseTables, use_case_tables

WRITER = "nightshift_writer"
READER = "nightshift_reader"

READABLE = (
    "data_quality",
    "drift_metrics",
    "drift_verdicts",
    "model_ledger",
    "model_performance",
    "readiness",
    "restatements",
    "score_holds",
    "score_runs",
    "stage_days",
    "validation_results",
)
"""Common tables that analysts may read: none of them holds rows of a source."""

APPEND_ONLY = ("forgotten_subjects", "model_ledger", "quarantine_decisions")
"""Tables whose rows nobody but the owner may change or delete."""

_TAKEN = ("42710", "23505")  # duplicate_object, and what a race with another database gives
_FORBIDDEN = "42501"


def apply(warehouse: Warehouse, use_cases: Sequence[UseCase]) -> list[str]:
    """Create the roles where they are missing and say anew what they may do; safe to repeat.

    Roles belong to the whole Postgres server: databases on it share them, and each says what
    they may do in it. Returns what was done in words, a request to an administrator
    included: where the connecting user may not create roles, nothing else is the worse for it.

    Raises `StorageUnavailable`, or `LockHeld` when another `init` does not end.
    """
    if warehouse.is_sqlite:
        return []
    with lock(warehouse, "init", "roles"), warehouse.transaction() as connection:
        there = _roles(connection)
        missing = [role for role in (WRITER, READER) if role not in there]
        refused = [role for role in missing if not _create(connection, role)]
        if refused:
            wanted = "; ".join(f"CREATE ROLE {role} NOLOGIN" for role in refused)
            return [
                f"{warehouse.name} has no role {' and '.join(refused)}, and may not create one: "
                f"ask an administrator for “{wanted}”, then run ./nightshift init again"
            ]
        for statement in _grants(connection, [use_case_tables(it) for it in use_cases]):
            connection.exec_driver_sql(statement)
    return [f"created role {role}" for role in missing]


def _roles(connection: sa.Connection) -> set[str]:
    query = sa.text("SELECT rolname FROM pg_roles WHERE rolname IN (:writer, :reader)")
    return set(connection.scalars(query, {"writer": WRITER, "reader": READER}))


def _create(connection: sa.Connection, role: str) -> bool:
    """Create a role; returns whether it is there now."""
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"CREATE ROLE {role} NOLOGIN")
    except sa.exc.DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state not in (*_TAKEN, _FORBIDDEN):
            raise
        return bool(state != _FORBIDDEN)
    return True


def _grants(connection: sa.Connection, cases: Sequence[UseCaseTables]) -> Iterator[str]:
    """Yield the statements that take everything away and give back what each role may do."""
    quote = connection.dialect.identifier_preparer.quote
    schema, database = connection.execute(
        sa.text("SELECT current_schema(), current_database()")
    ).one()
    yield f"REVOKE CREATE ON SCHEMA {quote(schema)} FROM PUBLIC, {WRITER}, {READER}"
    yield f"GRANT USAGE ON SCHEMA {quote(schema)} TO {WRITER}, {READER}"
    yield f"REVOKE TEMPORARY ON DATABASE {quote(database)} FROM PUBLIC, {READER}"
    yield f"GRANT TEMPORARY ON DATABASE {quote(database)} TO {WRITER}"
    if sa.inspect(connection).has_schema(STAGING):
        yield f"REVOKE ALL ON SCHEMA {STAGING} FROM PUBLIC, {READER}"
        yield f"GRANT USAGE, CREATE ON SCHEMA {STAGING} TO {WRITER}"
    tables = [*metadata.tables.values(), *(table for case in cases for table in case.all)]
    for table in tables:
        yield from _of_table(quote(table.name), *_rights(table, cases))
    for view in _views(connection, cases):
        yield from _of_table(quote(view), "SELECT", True)
    yield from _of_table(quote(VERSION_TABLE), "SELECT", False)
    for name in sorted(_sequences(connection, tables)):
        yield f"REVOKE ALL ON SEQUENCE {name} FROM PUBLIC, {READER}"
        yield f"GRANT USAGE ON SEQUENCE {name} TO {WRITER}"


def _rights(table: sa.Table, cases: Sequence[UseCaseTables]) -> tuple[str, bool]:
    """Return what the writer may do with a table, and whether the reader may read it."""
    append_only = table.name in APPEND_ONLY
    writer = "SELECT, INSERT" if append_only else "SELECT, INSERT, UPDATE, DELETE"
    published = {it.name for case in cases for it in (case.scores, case.revisions, case.outcomes)}
    return writer, table.name in READABLE or table.name in published


def _of_table(name: str, writer: str, readable: bool) -> Iterator[str]:
    yield f"REVOKE ALL ON TABLE {name} FROM PUBLIC, {WRITER}, {READER}"
    yield f"GRANT {writer} ON TABLE {name} TO {WRITER}"
    if readable:
        yield f"GRANT SELECT ON TABLE {name} TO {READER}"


def _views(connection: sa.Connection, cases: Sequence[UseCaseTables]) -> list[str]:
    """Return the views that are called after a use case and were made by `init`.

    A view shows whatever its owner may read: other people's are theirs to open.
    """
    use_cases = [case.scores.name.removesuffix("scores") for case in cases]
    owned = connection.scalars(
        sa.text(
            "SELECT viewname FROM pg_views "
            "WHERE schemaname = current_schema() AND viewowner = current_user"
        )
    )
    return sorted(name for name in owned if name.startswith(tuple(use_cases)))


def _sequences(connection: sa.Connection, tables: Sequence[sa.Table]) -> Iterator[str]:
    """Yield the sequences that number rows, quoted and with their schema."""
    quote = connection.dialect.identifier_preparer.quote
    query = sa.text("SELECT pg_get_serial_sequence(:table, :column)")
    for table in tables:
        for column in table.primary_key.columns:
            named = {"table": quote(table.name), "column": column.name}
            if name := connection.scalar(query, named):
                yield name
