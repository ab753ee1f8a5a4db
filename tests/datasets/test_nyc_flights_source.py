"""The replayed sample data: every day has flights, aligned, keyed and free of the future."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from include.datasets.nyc_flights.declaration import DATASET
from include.datasets.nyc_flights.source import ReplayedFlights, recorded_day
from include.errors import SourceUnreachable
from include.lake.schema import arrow_schema, conform

SOURCE = ReplayedFlights(DATASET)


def read(table: str, *days: date) -> pd.DataFrame:
    rows = SOURCE.read(DATASET.table(table), days)
    fitted, added = conform(rows, arrow_schema(DATASET.table(table)), table)
    assert not added
    return fitted.to_pandas()


def test_the_recorded_year_maps_to_itself_and_weekdays_stay() -> None:
    for day in (date(2013, 1, 1), date(2013, 7, 4), date(2013, 12, 30)):
        assert recorded_day(day) == day
    for day in (date(2012, 12, 31), date(2013, 12, 31), date(2026, 11, 19), date(1999, 5, 5)):
        shown = recorded_day(day)
        assert date(2013, 1, 1) <= shown <= date(2013, 12, 30)
        assert shown.weekday() == day.weekday()


@pytest.mark.parametrize(
    "day",
    [
        date(2013, 1, 1),
        date(2013, 3, 10),  # clocks go forward
        date(2013, 11, 3),  # clocks go back
        date(2013, 12, 30),
        date(2013, 12, 31),  # wraps around
        date(2026, 3, 8),
        date(2026, 11, 1),
        date(2026, 11, 19),
    ],
)
def test_flights_of_a_day_are_those_recorded_each_once(day: date) -> None:
    flights = read("flights", day)
    recorded = pd.read_csv(SOURCE._folder / "flights.csv.zip")
    shown = recorded_day(day)
    expected = recorded[(recorded["month"] == shown.month) & (recorded["day"] == shown.day)]
    assert len(flights) == len(expected)
    assert not flights.duplicated(["time_hour", "carrier", "flight"]).any()
    local = flights["time_hour"].dt.tz_convert(DATASET.timezone)
    assert set(local.dt.date) == {day}
    assert sorted(local.dt.hour) == sorted(expected["hour"])


def test_the_plan_is_tomorrows_flights_without_outcomes() -> None:
    day = date(2013, 2, 8)  # half of the flights were cancelled
    plan, flown = read("schedule", day - timedelta(days=1)), read("flights", day)
    key = ["time_hour", "carrier", "flight"]
    assert len(plan.merge(flown, on=key)) == len(plan) == len(flown)
    assert not {"departure_delay", "arrival_delay", "air_time", "cancelled"} & set(plan.columns)


def test_the_plans_tail_number_does_not_give_cancellations_away() -> None:
    days = [date(2013, 2, 1) + timedelta(days=n) for n in range(20)]
    plan = read("schedule", *[day - timedelta(days=1) for day in days])
    flown = read("flights", *days)
    both = plan.merge(flown, on=["time_hour", "carrier", "flight"], suffixes=("", "_flown"))
    assert both["cancelled"].sum() > 500
    assert both["tailnum_flown"].isna().sum() > 100
    assert both["tailnum"].isna().sum() == 0


def test_known_at_is_the_landing_and_some_flights_land_after_midnight() -> None:
    flights = read("flights", *[date(2013, 6, 1) + timedelta(days=n) for n in range(28)])
    late_landing = flights["known_at"] > [DATASET.cutoff(day) for day in flights["data_day"]]
    assert 0.04 < late_landing.mean() < 0.12
    arrived = flights["arrival_delay"].notna()
    assert (flights["known_at"] >= flights["scheduled_departure"])[arrived].mean() > 0.999


def test_the_hour_that_autumn_repeats_gives_two_instants() -> None:
    weather = read("weather", date(2013, 11, 3))
    assert not weather.duplicated(["origin", "observed_at"]).any()
    repeated = weather[weather["observed_at"].dt.strftime("%d %H").isin(["03 05", "03 06"])]
    assert len(repeated) == 6


def test_a_missing_file_is_a_source_out_of_reach(tmp_path: Path) -> None:
    source = ReplayedFlights(DATASET, tmp_path)
    with pytest.raises(SourceUnreachable, match=r"weather\.csv"):
        source.fingerprint(DATASET.table("weather"), date(2013, 1, 1))
