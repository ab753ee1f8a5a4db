"""The real sample source with faults planted into chosen days.

A test names `tests.planted:PlantedSource` as the source of a dataset and plants faults in
`FAULTS`, which the fixture `faults` empties again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import pandas as pd
import pyarrow as pa

from include.datasets.nyc_flights.declaration import DATASET
from include.datasets.nyc_flights.source import ReplayedFlights
from include.declare import Table
from include.errors import DayAbsent, SchemaBreak, SourceUnreachable
from include.use_cases.flight_delay.declaration import USE_CASE
from tests.samples import NOW as NOW

Change = Callable[[pd.DataFrame], pd.DataFrame]

PLANTED = replace(DATASET, source="tests.planted:PlantedSource")
PLANTED_USE_CASE = replace(
    USE_CASE, dataset=PLANTED, training=replace(USE_CASE.training, tuning=None)
)
"""Without the search for better parameters, which has tests of its own."""


@dataclass
class Faults:
    """What is wrong with the source."""

    absent: set[date] = field(default_factory=set)
    unreachable: bool = False
    changes: dict[tuple[str, date], Change] = field(default_factory=dict)
    reads: list[tuple[str, tuple[date, ...]]] = field(default_factory=list)

    def change(self, table: str, day: date, change: Change) -> None:
        """Change what the source returns for one table and day."""
        self.changes[table, day] = change

    def heal(self) -> None:
        """Return to the undisturbed source."""
        self.absent, self.unreachable, self.changes = set(), False, {}


FAULTS = Faults()


class PlantedSource(ReplayedFlights):
    """`ReplayedFlights` with the faults of `FAULTS`."""

    def fingerprint(self, table: Table, day: date) -> str:
        if FAULTS.unreachable:
            raise SourceUnreachable("the source does not answer")
        if day in FAULTS.absent:
            raise DayAbsent("no file for the day")
        mark = super().fingerprint(table, day)
        change = FAULTS.changes.get((table.name, day))
        return f"{mark}:{id(change)}" if change else mark

    def read(self, table: Table, days: Sequence[date]) -> pa.Table:
        FAULTS.reads.append((table.name, tuple(days)))
        planted = [day for day in days if (table.name, day) in FAULTS.changes]
        if not planted:
            return super().read(table, days)
        parts = []
        for day in days:
            frame = super().read(table, [day]).to_pandas()
            change = FAULTS.changes.get((table.name, day))
            changed = change(frame) if change else frame
            parts.append(pa.Table.from_pandas(changed, preserve_index=False))
        try:
            return pa.concat_tables(parts)
        except pa.ArrowInvalid as difference:
            raise SchemaBreak(f"the days differ: {difference}") from difference
