"""Scores on their way into the warehouse: loaded beside the published ones, then published.

Rows are loaded batch by batch into a table nobody reads, and made true by `Staging.publish`
inside the stage's one transaction. On Postgres the table is an unlogged one in a schema of its
own, because ADBC loads on a connection of its own; a process that is killed leaves it to
housekeeping (`orphans`). On SQLite it is a temporary table of the connection that publishes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from include.errors import DataError, StorageUnavailable
from include.warehouse import frames
from include.warehouse.digests import DayDigests, runs
from include.warehouse.engine import Warehouse
from include.warehouse.load import insert_sqlite, loading
from include.warehouse.locks import lock_transaction
from include.warehouse.publish import ScoreChange, publish
from include.warehouse.swap import StagedRows
from include.warehouse.tables import stage_runs
from include.warehouse.use_cases import UseCaseTables

SCHEMA = "nightshift_staging"
"""Of the staging tables on Postgres."""

KEY_BYTES = 2_000
"""Most text in a key, in UTF-8; Postgres cannot index 2,700 bytes that do not compress."""

_log = logging.getLogger(__name__)


class Staging:
    """Rows of one run that nobody reads yet; made by `staged`.

    Attributes:
        rows: how many were added.
        connection: where the stage's transaction must be opened (`StageRun.commit(on=…)`):
            SQLite's temporary table lives on it. None on Postgres.
    """

    def __init__(
        self,
        tables: UseCaseTables,
        table: sa.Table,
        load: Callable[[pa.Table], None],
        loaded: Callable[[], None],
        connection: sa.Connection | None,
    ) -> None:
        self.connection = connection
        self._tables = tables
        self._table = table
        self._load, self._loaded = load, loaded
        self._rows: Counter[date] = Counter()
        self._digests = DayDigests([*tables.key, *hashed(tables)])
        self._last: pa.Table | None = None

    @property
    def rows(self) -> int:
        """How many rows were added."""
        return self._rows.total()

    def add(self, rows: pd.DataFrame) -> None:
        """Check and load a batch.

        Args:
            rows: key columns and content of the use case's tables; others are ignored. A data
                day's rows come one after the other over the batches, in the order of target
                date and entity keys.

        Raises `DataError` that names column and day for missing columns, repeated or too long
        keys, values missing, infinite or of another type; `ValueError` for rows out of order;
        `StorageUnavailable`, on Postgres for the batch before: batches load in the background.
        """
        tables = self._tables
        made = frames.canonical(tables.scores, [*tables.key, *tables.content], rows)
        if not len(made):
            return
        self._require_short_keys(made)
        self._require_order(made)
        for day, start, end in runs(made):
            self._digests.add(day, made.slice(start, end - start))
            self._rows[day] += end - start
        self._load(made)

    def finish(self) -> None:
        """Wait until all that was added is loaded; raises `StorageUnavailable` if it was not."""
        self._loaded()

    def publish(
        self, connection: sa.Connection, days: Collection[date], run_id: str, now: datetime
    ) -> ScoreChange:
        """Make the rows of `days` their scores; days without rows end empty.

        Rows that are there already with the same content keep their run id, `scored_at` and
        `valid_from`. Rows superseded or gone move to the revisions. Rows of other days are left
        alone, so that disjoint days can be published by several calls.

        Args:
            connection: the stage's open transaction; on SQLite that of `self.connection`.
            days: the days replaced.
            run_id: what new rows carry.
            now: from when new rows are true, UTC.

        Raises `RowsLost` when the rows staged are not those added, `LockHeld`.
        """
        if self.connection is not None and connection is not self.connection:
            raise ValueError("the rows are on another connection: open the commit on `connection`")
        self.finish()
        lock_transaction(connection, "publish", self._tables.scores.name)
        staged = StagedRows(self._table, self._rows, self._digests.of(days))
        return publish(connection, self._tables, staged, days, run_id, now)

    def _require_short_keys(self, rows: pa.Table) -> None:
        """Raise if the text of a key is longer than every database can index."""
        texts = [name for name in self._tables.key if rows[name].type == frames.TEXT]
        length = sum(
            (np.asarray(pc.binary_length(pc.cast(rows[name], pa.string()))) for name in texts),
            start=np.zeros(len(rows), dtype=np.int64),
        )
        if (longest := int(length.max())) > KEY_BYTES:
            day = rows[frames.DATA_DAY][int(length.argmax())]
            raise DataError(
                f"the key of a row for {self._tables.scores.name} has {longest:,} bytes of text "
                f"({', '.join(texts)}; on {day}) and at most {KEY_BYTES:,} can be indexed; use a "
                "shorter identifier"
            )

    def _require_order(self, rows: pa.Table) -> None:
        """Raise unless every key is greater than the one before, within its data day."""
        keys = frames.plain(rows.select(list(self._tables.key)))
        whole = keys if self._last is None else pa.concat_tables([self._last, keys])
        self._last = keys.slice(len(keys) - 1)
        if len(whole) < 2:
            return
        before, after = whole.slice(0, len(whole) - 1), whole.slice(1)
        equal = pc.equal(before[frames.DATA_DAY], after[frames.DATA_DAY])
        disorder = pa.scalar(False)
        for name in self._tables.key[1:]:
            less = pc.less(after[name], before[name])
            disorder = pc.or_(disorder, pc.and_(equal, less))
            equal = pc.and_(equal, pc.equal(before[name], after[name]))
        name = self._tables.scores.name
        if twice := pc.sum(equal).as_py():
            day = after.filter(equal)[frames.DATA_DAY][0]
            raise DataError(
                f"{twice} rows for {name} repeat a key ({', '.join(self._tables.key)}; first on "
                f"{day}); the entity frame must have each entity once"
            )
        if pc.any(disorder).as_py():
            day = after.filter(disorder)[frames.DATA_DAY][0]
            raise ValueError(f"rows for {name} do not come in the order of their keys on {day}")


def hashed(tables: UseCaseTables) -> tuple[str, ...]:
    """Return the content that the contract's fingerprint covers."""
    named, parts = ("prediction", "decision", "model_version"), ("prediction_q", "reason_")
    return tuple(name for name in tables.content if name in named or name.startswith(parts))


@contextmanager
def staged(warehouse: Warehouse, tables: UseCaseTables, run_id: str) -> Iterator[Staging]:
    """Open a run's staging; what is not published by the end of the block is gone.

    Raises `StorageUnavailable` when the warehouse is out of reach, full or read-only.
    """
    place = _on_sqlite if warehouse.is_sqlite else _on_postgres
    with place(warehouse, tables, run_id) as staging:
        yield staging


@contextmanager
def _on_sqlite(warehouse: Warehouse, tables: UseCaseTables, _run_id: str) -> Iterator[Staging]:
    table = _staging_table(
        tables, "nightshift_staged", schema="temp", sqlite_with_rowid=False, keyed=True
    )
    with warehouse.speaking():
        connection = warehouse.engine.connect()
    connection.detach()  # never another's: closing it is what removes the temporary table
    try:
        with _aside(warehouse, connection):
            table.create(connection)

        def load(rows: pa.Table) -> None:
            with _aside(warehouse, connection):
                insert_sqlite(connection, table, rows)

        yield Staging(tables, table, load, lambda: None, connection)
    finally:
        connection.close()


@contextmanager
def _aside(warehouse: Warehouse, connection: sa.Connection) -> Iterator[None]:
    """Open a transaction that touches temporary tables only and so locks nobody out."""
    connection.execution_options(sqlite_begin="BEGIN")
    try:
        with warehouse.transaction(connection):
            yield
    finally:
        connection.execution_options(sqlite_begin="BEGIN IMMEDIATE")


@contextmanager
def _on_postgres(warehouse: Warehouse, tables: UseCaseTables, run_id: str) -> Iterator[Staging]:
    name = f"{run_id}_{tables.scores.name}"[:63]
    table = _staging_table(tables, name, schema=SCHEMA, prefixes=["UNLOGGED"])
    with warehouse.transaction() as connection:
        table.create(connection)
    try:
        with loading(warehouse) as load:
            yield Staging(tables, table, partial(load.insert, table), load.finish, None)
    finally:
        try:
            with warehouse.transaction() as connection:
                drop(connection, name)
        except StorageUnavailable as error:
            _log.warning("%s is left to housekeeping: %s", name, error)


def _staging_table(
    tables: UseCaseTables, name: str, *, keyed: bool = False, **options: Any
) -> sa.Table:
    """Return a table with the key and content columns of the scores."""
    scores = tables.scores
    names = [*tables.key, *tables.content]
    columns = (sa.Column(it, scores.c[it].type, nullable=scores.c[it].nullable) for it in names)
    key = [sa.PrimaryKeyConstraint(*tables.key)] if keyed else []
    return sa.Table(name, sa.MetaData(), *columns, *key, **options)


def orphans(connection: sa.Connection) -> list[str]:
    """Return the staging tables whose run is no longer running; none on SQLite."""
    if connection.dialect.name == "sqlite":
        return []
    found = sa.inspect(connection).get_table_names(schema=SCHEMA)
    running = connection.scalars(
        sa.select(stage_runs.c.run_id).where(stage_runs.c.status == "running")
    ).all()
    return sorted(name for name in found if not name.startswith(tuple(f"{it}_" for it in running)))


def drop(connection: sa.Connection, name: str) -> None:
    """Drop a staging table of Postgres, if it is there."""
    place = connection.dialect.identifier_preparer.format_table(
        sa.Table(name, sa.MetaData(), schema=SCHEMA)
    )
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {place}")
