"""What the source of a declared dataset holds: which days, and some rows of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from include import catalog
from include.connections import Connections
from include.declare import Dataset, Table
from include.errors import DayAbsent, UsageError
from include.ingestion.source import Source
from include.lake.schema import DATA_DAY
from include.window import Window

SEARCHED_DAYS = 400
READ_DAYS = 60


@dataclass(frozen=True)
class History:
    """Days of a dataset that its source has, and rows of the newest of them.

    Attributes:
        days: oldest first; at most `SEARCHED_DAYS`, which end with the newest.
        read: those of them whose rows were read.
        rows: table → rows of them, with `data_day`.
    """

    days: tuple[date, ...]
    read: tuple[date, ...]
    rows: dict[str, pa.Table]


def look(
    dataset: Dataset, tables: Sequence[str], connections: Connections, now: datetime
) -> History:
    """Ask a source which days it has, newest first, and read the newest that have rows.

    Args:
        tables: the first of them is the one that must have rows.

    Raises:
        UsageError: there are none.
        SchemaBreak: its rows are not as declared.
        SourceUnreachable: it does not answer.
    """
    source: Source = catalog.load_source(dataset, connections)
    chosen = [dataset.table(name) for name in dict.fromkeys(tables)]
    most = timedelta(days=min(SEARCHED_DAYS, dataset.repeats_after or SEARCHED_DAYS) - 1)
    last = dataset.newest_ended_day(now)
    while last >= dataset.first_day:
        searched = Window(max(dataset.first_day, last - most), last)
        days = [day for day in searched if _has(source, chosen, day)]
        while days:
            read = days[-READ_DAYS:]
            rows = source.read(chosen[0], read)
            if len(rows):
                return _history(source, chosen, days, rows)
            days = days[:-READ_DAYS]
        last = searched.start - timedelta(days=1)
    raise UsageError(
        f"the source of {dataset.name} has no rows of {chosen[0].name} since "
        f"{dataset.first_day}; check its declaration"
    )


def _history(
    source: Source, tables: Sequence[Table], days: Sequence[date], rows: pa.Table
) -> History:
    """Return the days up to the newest with rows, and what all tables hold of the newest."""
    newest = pc.max(rows.column(DATA_DAY)).as_py()
    found = tuple(day for day in days if day <= newest)
    read = found[-READ_DAYS:]
    return History(found, read, {table.name: source.read(table, read) for table in tables})


def _has(source: Source, tables: Iterable[Table], day: date) -> bool:
    try:
        for table in tables:
            source.fingerprint(table, day)
    except DayAbsent:
        return False
    return True
