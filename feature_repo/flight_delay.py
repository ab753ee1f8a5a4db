"""Feast service of `flight_delay`: views of `nyc_flights` that it shares with others."""

from __future__ import annotations

from feast import FeatureService
from nyc_flights import (
    TAGS,
    carrier_delays,
    destination_delays,
    origin_delays,
    origin_hour_delays,
    origin_weather,
    plane,
    route_delays,
    tail_number_delays,
)

flight_delay_v1 = FeatureService(
    name="flight_delay_v1",
    features=[
        carrier_delays,
        origin_delays,
        destination_delays,
        tail_number_delays,
        route_delays,
        origin_hour_delays,
        origin_weather,
        plane,
    ],
    description="Everything flight_delay knows about a planned flight besides the plan",
    owner="ml-engineering",
    tags={**TAGS, "use_case": "flight_delay"},
)
