"""Feast definitions of `nyc_flights`: entities and feature views.

Sources are Delta tables, named relative to the lake. Each row is stamped with the cut-off of
its data day. The TTL is shorter than the shortest day, so that a night never takes another
night's features for its own.
"""

from __future__ import annotations

from datetime import timedelta

from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.data_format import DeltaFormat
from feast.types import Float64, Int64, PrimitiveFeastType, String

OWNER = "data-engineering"
TTL = timedelta(hours=22)
TAGS = {"dataset": "nyc_flights"}


def _entity(name: str, key: str, value_type: ValueType, description: str) -> Entity:
    return Entity(
        name=name,
        join_keys=[key],
        value_type=value_type,
        description=description,
        owner=OWNER,
        tags=TAGS,
    )


def _view(name: str, entities: list[Entity], fields: list[Field], description: str) -> FeatureView:
    keys: list[Field] = [
        Field(name=entity.join_key, dtype=_KEY_TYPES[entity.join_key]) for entity in entities
    ]
    return FeatureView(
        name=name,
        entities=entities,
        ttl=TTL,
        schema=[*keys, *fields],
        source=FileSource(
            name=f"{name}_source",
            path=f"nyc_flights/features/{name}",
            file_format=DeltaFormat(),
            timestamp_field="event_timestamp",
            description=f"Offline table of {name}",
        ),
        description=description,
        owner=OWNER,
        tags=TAGS,
    )


def _delays(of: str) -> list[Field]:
    """Return the fields every view of recent delays has."""
    return [
        Field(name="flights_7d", dtype=Int64, description=f"flights of {of} in the last 7 days"),
        Field(name="flights_28d", dtype=Int64, description=f"flights of {of} in the last 28 days"),
        Field(
            name="late_rate_7d",
            dtype=Float64,
            description=f"share of late arrivals of {of} in the last 7 days",
        ),
        Field(
            name="late_rate_28d",
            dtype=Float64,
            description=f"share of late arrivals of {of} in the last 28 days",
        ),
    ]


_KEY_TYPES: dict[str, PrimitiveFeastType] = {
    "carrier": String,
    "origin": String,
    "dest": String,
    "tailnum": String,
    "departure_hour": Int64,
}

carrier = _entity("carrier", "carrier", ValueType.STRING, "Airline, IATA code")
origin = _entity("origin", "origin", ValueType.STRING, "Airport of departure")
destination = _entity("destination", "dest", ValueType.STRING, "Airport of arrival")
tail_number = _entity("tail_number", "tailnum", ValueType.STRING, "Aircraft")
departure_hour = _entity(
    "departure_hour", "departure_hour", ValueType.INT64, "Scheduled local hour of departure"
)

carrier_delays = _view(
    "carrier_delays", [carrier], _delays("the airline"), "Recent delays by airline"
)
origin_delays = _view(
    "origin_delays", [origin], _delays("the origin"), "Recent delays by airport of departure"
)
destination_delays = _view(
    "destination_delays",
    [destination],
    _delays("the destination"),
    "Recent delays by airport of arrival",
)
tail_number_delays = _view(
    "tail_number_delays", [tail_number], _delays("the aircraft"), "Recent delays by aircraft"
)
route_delays = _view(
    "route_delays", [origin, destination], _delays("the route"), "Recent delays by route"
)
origin_hour_delays = _view(
    "origin_hour_delays",
    [origin, departure_hour],
    _delays("the hour at the origin"),
    "Recent delays by airport of departure and scheduled hour",
)
origin_weather = _view(
    "origin_weather",
    [origin],
    [
        Field(name="temp", dtype=Float64, description="temperature at the origin, °F"),
        Field(name="humid", dtype=Float64, description="relative humidity at the origin, %"),
        Field(name="wind_speed", dtype=Float64, description="wind speed at the origin, mph"),
        Field(name="precip", dtype=Float64, description="precipitation at the origin, inches"),
        Field(name="pressure", dtype=Float64, description="air pressure at the origin, mbar"),
        Field(name="visib", dtype=Float64, description="visibility at the origin, miles"),
    ],
    "Newest weather at the airport of departure before the cut-off",
)
plane = _view(
    "plane",
    [tail_number],
    [
        Field(name="age_years", dtype=Int64, description="age of the aircraft, years"),
        Field(name="seats", dtype=Int64, description="seats of the aircraft"),
    ],
    "Age and size of the aircraft planned",
)
