"""Rows of the warehouse that outlived their declared retention."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from include.declare import Dataset, UseCase
from include.warehouse.engine import Warehouse
from include.warehouse.tables import quarantine, quarantine_decisions
from include.warehouse.use_cases import use_case_tables

CHUNK = 10_000
"""Rows deleted in one transaction: nobody waits long for a lock."""

Condition = sa.ColumnElement[bool]


def old_revisions(use_case: UseCase, now: datetime) -> tuple[sa.Column[Any], Condition] | None:
    """Return key and condition of superseded scores to delete; None keeps them for good."""
    days = use_case.retention.revisions_days
    if days is None:
        return None
    table = use_case_tables(use_case).revisions
    return table.c.revision, table.c.valid_to < now - timedelta(days=days)


def old_quarantine(dataset: Dataset, now: datetime) -> tuple[sa.Column[Any], Condition] | None:
    """Return key and condition of held rows to delete; None keeps them for good.

    Rows that somebody decided about stay: decisions are kept, and what they were about too.
    """
    days = dataset.retention.quarantine_days
    if days is None:
        return None
    rows, decisions = quarantine.c, quarantine_decisions.c
    decided = sa.exists().where(decisions.row_hash == rows.row_hash, decisions.rule == rows.rule)
    first_kept = dataset.newest_ended_day(now) - timedelta(days=days)
    return rows.entry, sa.and_(rows.dataset == dataset.name, rows.data_day < first_kept, ~decided)


def count(warehouse: Warehouse, key: sa.Column[Any], condition: Condition) -> int:
    """Return how many rows `delete` would delete; 0 when the table is not there yet."""
    with warehouse.reading() as connection:
        if not sa.inspect(connection).has_table(key.table.name):
            return 0
        return connection.scalar(sa.select(sa.func.count(key)).where(condition)) or 0


def delete(warehouse: Warehouse, key: sa.Column[Any], condition: Condition) -> int:
    """Delete rows, oldest first, a chunk per transaction; returns how many.

    Raises `StorageUnavailable`; what was deleted before stays deleted.
    """
    chunk = sa.select(key).where(condition).order_by(key).limit(CHUNK)
    statement = sa.delete(key.table).where(key.in_(chunk))
    total = 0
    while True:
        with warehouse.transaction() as connection:
            deleted = connection.execute(statement).rowcount
        total += deleted
        if deleted < CHUNK:
            return total
