"""What a source of a dataset can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Protocol

import pyarrow as pa

from include.declare import Table


class Source(Protocol):
    """Where a dataset's days come from.

    Constructed for one run, in which it may remember what it has asked: a class of its own with
    the dataset, `Files` and a `Database` by `catalog.load_source` also with connections.
    """

    def fingerprint(self, table: Table, day: date) -> str:
        """Return a cheap text that changes when the table's rows of `day` change.

        Raises:
            DayAbsent: the source does not have the day at this time.
            SourceUnreachable: the source cannot be asked; a night tries again.
            ConfigurationError: it refuses, or is not what the declaration says.
        """
        ...

    def read(self, table: Table, days: Sequence[date]) -> pa.Table:
        """Return the rows of `days`, with a `data_day` column (date32), in any row order.

        For a snapshot table `days` holds the day of landing, and there is no `data_day`.

        Raises:
            SchemaBreak: the days do not have the same columns; each is then read alone, so
                that only those that break the declared schema stop.
            SourceUnreachable: the source cannot be read.
        """
        ...
