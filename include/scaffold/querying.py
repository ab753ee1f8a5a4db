"""Looks at a table of a database that is not declared yet: its newest rows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from include.connections import Connections
from include.errors import ConfigurationError
from include.ingestion.sources.engines import open_engine, reading
from include.scaffold.columns import sample_of
from include.scaffold.profile import Sample
from include.scaffold.proposals import day_of

PEEKED_ROWS = 1_000
MOST_ROWS = 100_000


def sample_table(connection: str, table: str, day: str | None, timezone: str) -> Sample:
    """Return rows of a table or view, the newest if a column tells their day.

    Args:
        connection: an Airflow connection.
        table: perhaps with its schema, `public.orders`.
        day: the column that tells the day, if it is known.
        timezone: whose days they are.

    Raises:
        ConfigurationError: the connection is not known or refuses, or there is no such table.
        SourceUnreachable: the database does not answer.
        UsageError: the table has no rows.
    """
    where = f"{table} (connection {connection})"
    engine = open_engine(Connections.from_env(os.environ).get(connection))
    schema, _, name = table.rpartition(".")
    source = sa.select(sa.text("*")).select_from(sa.table(name, schema=schema or None))
    with reading(engine, where) as opened:
        peeked = _sample(opened, source.limit(PEEKED_ROWS))
        chosen = day if day in peeked.kinds else day_of(peeked.columns())
        if chosen is None:
            return _sample(opened, source.limit(MOST_ROWS))
        column: sa.ColumnElement[Any] = sa.column(chosen)
        sample = _sample(opened, source.order_by(column.desc()).limit(MOST_ROWS))
        oldest = opened.scalar(sa.select(sa.func.min(column)).select_from(source.subquery()))
    if oldest is None:
        return sample
    first = pd.Timestamp(oldest)
    local = first if first.tzinfo is None else first.tz_convert(timezone)
    return replace(sample, first_day=local.date())


def _sample(connection: sa.Connection, query: sa.Select[Any]) -> Sample:
    result = connection.execute(query)
    names = list(result.keys())
    columns = zip(*result.fetchall(), strict=True)
    arrays = [_array(values) for values in columns] or [pa.nulls(0) for _ in names]
    if len(set(names)) < len(names):
        raise ConfigurationError(f"the table has a column twice: {', '.join(names)}")
    return sample_of([pa.table(arrays, names=names)], {}, (None, None), renames=False)


def _array(values: Sequence[Any]) -> pa.Array:
    """Return one column: its own type where there is one, else text."""
    known = (bool, int, float, str, datetime, date)
    plain = [float(it) if isinstance(it, Decimal) else it for it in values]
    try:
        if all(it is None or isinstance(it, known) for it in plain):
            return pa.array(plain)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        pass
    return pa.array([None if it is None else str(it) for it in plain], pa.string())
