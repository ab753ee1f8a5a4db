"""Feast service of `origin_hour_delay`: views of `nyc_flights` that it shares with others."""

from __future__ import annotations

from feast import FeatureService
from nyc_flights import TAGS, origin_delays, origin_hour_delays, origin_weather

origin_hour_delay_v1 = FeatureService(
    name="origin_hour_delay_v1",
    features=[origin_delays, origin_hour_delays, origin_weather],
    description="Everything origin_hour_delay knows about an hour besides the plan",
    owner="ml-engineering",
    tags={**TAGS, "use_case": "origin_hour_delay"},
)
