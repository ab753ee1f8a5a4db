"""Requests to forget a subject: what is asked, recorded by hash, and when it was done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import sqlalchemy as sa

from include.declare import Column, Dataset
from include.errors import UsageError
from include.ingestion import forgotten
from include.lake import fingerprint
from include.warehouse.days import day_states, write_days
from include.warehouse.tables import forgotten_subjects
from include.workspace import Workspace


def parse(dataset: Dataset, values: Mapping[str, str]) -> dict[str, Any]:
    """Return column → value in the type of the dataset's tables, in the order of names."""
    if not values:
        raise UsageError("name the subject as COLUMN=VALUE")
    tables = [it for it in dataset.tables if values.keys() <= {c.name for c in it.columns}]
    if not tables:
        every = {c.name for it in dataset.tables for c in it.columns}
        unknown = sorted(values.keys() - every)
        wrong = f"no column {', '.join(unknown)}" if unknown else "no table with all of them"
        raise UsageError(f"{dataset.name} has {wrong}; its columns are: {', '.join(sorted(every))}")
    columns: dict[str, Column] = {}
    for table in tables:
        for column in table.columns:
            known = columns.setdefault(column.name, column)
            if column.name in values and known.type != column.type:
                raise UsageError(
                    f"{column.name} is {known.type} in one table of {dataset.name} and "
                    f"{column.type} in another; give both the same type first"
                )
    return {name: forgotten.parse(columns[name], values[name]) for name in sorted(values)}


def record(
    workspace: Workspace,
    dataset: Dataset,
    subject: Mapping[str, Any],
    rows: Mapping[str, int],
    files: int,
    days: Sequence[date],
    actor: str,
    reason: str,
) -> tuple[int | None, bool]:
    """Record a request before it is carried out.

    Args:
        rows: place → rows that will be erased, `files` of the lake with them.
        days: landed days that lose rows; they get another fingerprint, so that features know.

    Returns:
        The entry to finish, None if there is nothing to do, and whether the subject had been
        forgotten before.

    Raises `UsageError` when nothing of the subject is there and nobody asked before.
    """
    table = forgotten_subjects
    hashed = forgotten.key_hash(dataset.name, subject)
    mine = (table.c.dataset == dataset.name) & (table.c.key_hash == hashed)
    with workspace.warehouse.transaction() as connection:
        earlier = connection.execute(
            sa.select(table.c.entry, table.c.finished_at).where(mine).order_by(table.c.entry)
        ).all()
        if not rows and not files and not earlier:
            raise UsageError(
                f"nothing in {dataset.name} has the given {' and '.join(subject)}; "
                "nothing was recorded: check the spelling"
            )
        _renew_fingerprints(connection, dataset, days, hashed)
        if earlier and earlier[-1].finished_at is None:
            return int(earlier[-1].entry), True
        if not rows and not files:
            return None, True
        values = {
            "dataset": dataset.name,
            "key_columns": list(subject),
            "key_hash": hashed,
            "erased": dict(rows),
            "actor": actor,
            "reason": reason,
            "at": workspace.context.instant(),
        }
        made = connection.execute(sa.insert(table).values(**values)).inserted_primary_key
        return int(made[0]) if made else None, bool(earlier)


def _renew_fingerprints(
    connection: sa.Connection, dataset: Dataset, days: Sequence[date], hashed: str
) -> None:
    states = day_states(connection, "ingest", dataset.name, days)
    renewed = [
        replace(it, output_hash=fingerprint.of_values(it.output_hash, hashed))
        for it in states.values()
        if it.state == "done"
    ]
    write_days(connection, "ingest", dataset.name, renewed)


def finish(workspace: Workspace, entry: int | None) -> None:
    """Record that a request was carried out."""
    table = forgotten_subjects
    finished = sa.update(table).where(table.c.entry == entry)
    with workspace.warehouse.transaction() as connection:
        connection.execute(finished.values(finished_at=workspace.context.instant()))
