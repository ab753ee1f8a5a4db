"""The oracle of no future: a lake as it was known at the cut-off of a day.

It is made by leaving out rows by `known_at`, whatever partition they are in, and knows nothing
of how features or entities are computed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from include.declare import Dataset
from include.lake import names
from include.lake.delta import Lake
from include.lake.schema import DATA_DAY
from include.warehouse import tables
from include.workspace import Workspace, open_workspace


@contextmanager
def truncated(whole: Workspace, dataset: Dataset, day: date, folder: Path) -> Iterator[Workspace]:
    """Open a copy of a workspace on SQLite whose lake holds only what was known on `day`.

    Its features are still to be built.
    """
    cutoff = pa.scalar(dataset.cutoff(day), pa.timestamp("us", tz="UTC"))
    lake = Lake(str(folder / "lake"))
    for table in dataset.tables:
        name = names.landed(dataset, table)
        rows = whole.lake.read(name)
        known = rows.filter(pc.less_equal(rows.column("known_at"), cutoff))
        if table.kind == "snapshot":
            lake.overwrite(name, known, "truncated", "none")
        else:
            lake.replace_days(name, known, rows.column(DATA_DAY).unique().to_pylist())
    database = folder / "warehouse.db"
    with sqlite3.connect(whole.warehouse.address.database) as original:
        original.backup(sqlite3.connect(database))
    address = replace(whole.settings.warehouse, database=str(database))
    settings = replace(whole.settings, lake=lake.root, warehouse=address)
    with open_workspace(settings, now=whole.now) as past:
        built = tables.stage_days
        with past.warehouse.transaction() as connection:
            connection.execute(sa.delete(built).where(built.c.stage == "features"))
        yield past
