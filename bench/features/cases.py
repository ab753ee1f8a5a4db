"""What the benchmark asks for: which views, of which tables, for which entity rows.

Standard library only: the process that starts the children imports it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

VIEWS = {
    "carrier_delays": ("carrier",),
    "origin_delays": ("origin",),
    "destination_delays": ("dest",),
    "tail_number_delays": ("tailnum",),
    "route_delays": ("origin", "dest"),
    "origin_hour_delays": ("origin", "departure_hour"),
}
"""Feature view → its join keys."""

FEATURES = ("flights_7d", "flights_28d", "late_rate_7d", "late_rate_28d")
"""The features of each view."""

COLUMNS = tuple(f"{view}__{feature}" for view in VIEWS for feature in FEATURES)
"""The feature columns of a result."""

KEYS = ("carrier", "origin", "dest", "tailnum", "departure_hour")
EVENT_TIMESTAMP = "event_timestamp"
CREATED = "created"
ROW = "row"
"""Number of an entity row, by which results are compared."""

FLIGHTS = 334_264
"""Flights of 2013 with a tail number, 1 January to 31 December."""

NIGHT = timedelta(hours=22)
"""The TTL that `feature_repo/` declares; importing it from there would import Feast."""

SAMPLE = 20_000
REPLAYS = 10


@dataclass(frozen=True)
class Case:
    """Offline tables, and the entity frame whose rows ask for all their features.

    Attributes:
        name: key of the case.
        title: what it is, for people.
        rows: entity rows.
        entities: Parquet file below the data folder: `row` (int64), KEYS, `event_timestamp`
            (microseconds, UTC).
        tables: folder below the data folder with a Parquet file per view: keys,
            `event_timestamp`, FEATURES.
        ttl: how long a feature value is valid.
        created: whether the tables have a `created` column that decides between rows equal
            in keys and `event_timestamp`.
        note: what else a reader should know.
    """

    name: str
    title: str
    rows: int = FLIGHTS
    entities: str = "entities/year.parquet"
    tables: str = "tables/year"
    ttl: timedelta = NIGHT
    created: bool = False
    note: str = ""


YEAR = Case("year", "A year of flights, each at the cut-off of its day")
MONTH = Case(
    "month",
    "The same, features valid for 28 days instead of one night",
    ttl=timedelta(days=28),
)
TWO_MONTHS = replace(
    MONTH,
    name="two_months",
    title="The same, features valid for 56 days",
    ttl=timedelta(days=56),
)
DEPARTURES = Case(
    "departures",
    "The same, each flight at its own hour of departure instead of its day's cut-off",
    entities="entities/departures.parquet",
)
CORRECTED = Case(
    "corrected",
    "The same, every fifth feature row corrected once or twice (`created_timestamp_column`)",
    tables="tables/corrected",
    created=True,
)
CORRECTED_MONTH = replace(
    CORRECTED,
    name="corrected_month",
    title="The same with corrected rows, features valid for 28 days",
    ttl=MONTH.ttl,
)
SAMPLED = Case(
    "sample",
    "The first flights of the year only, for Feast's Dask store",
    rows=SAMPLE,
    entities="entities/sample.parquet",
)
TEN_YEARS = Case(
    "ten_years",
    "The year ten times over, tables and entity rows alike",
    rows=FLIGHTS * REPLAYS,
    entities="entities/ten_years.parquet",
    tables="tables/ten_years",
    note="Feast's DuckDB store is not run: its time grows much faster than the rows.",
)
ALL = (YEAR, MONTH, TWO_MONTHS, DEPARTURES, CORRECTED, CORRECTED_MONTH, SAMPLED, TEN_YEARS)
CASES = {case.name: case for case in ALL}


@dataclass(frozen=True)
class Inputs:
    """A case on disk.

    Attributes:
        folder: the data folder, absolute.
    """

    folder: Path
    case: Case

    @property
    def entities(self) -> Path:
        """The entity frame, a Parquet file."""
        return self.folder / self.case.entities

    def table(self, view: str) -> Path:
        """Return the Parquet file of a view."""
        return self.folder / self.case.tables / f"{view}.parquet"

    @property
    def lake(self) -> Path:
        """The lake that the year's tables were copied from, Delta tables."""
        return lake(self.folder)


def home(folder: Path) -> Path:
    """Return the home that the features were built in."""
    return folder / "home"


def lake(folder: Path) -> Path:
    """Return the lake of that home."""
    return home(folder) / "lake"
