"""`origin_hour_delay`: how late will departures be tomorrow, by airport and scheduled hour?"""

from __future__ import annotations

from include.datasets.nyc_flights.declaration import DATASET
from include.declare import Column, Label, UseCase
from include.declare_model import (
    Baseline,
    Gate,
    Guardrails,
    Monitoring,
    Scoring,
    Slice,
    Training,
)

USE_CASE = UseCase(
    name="origin_hour_delay",
    dataset=DATASET,
    description="How many minutes late will tomorrow's departures be, by airport and hour?",
    owner="ml-engineering",
    task="regression",
    entity_keys=(
        Column("origin", "string", "Airport of departure", nullable=False),
        Column("departure_hour", "int64", "Scheduled local hour of departure", nullable=False),
    ),
    score_columns=(Column("planned_flights", "int64", "Flights planned for the hour"),),
    plan_table="schedule",
    feature_service="origin_hour_delay_v1",
    label=Label(
        column="delay_minutes",
        mature_after=2,
        meaning=(
            "Mean departure delay in minutes, early departures counting below zero, of the "
            "flights of the hour that departed. Cancelled flights are left out; an hour of which "
            "none departed has no label."
        ),
    ),
    baseline=Baseline(
        name="same_weekday_hour",
        meaning="the mean of the airport's same weekday and hour in the last 28 days",
        lookback_days=28,
        least_gain=0.0,
    ),
    training=Training(
        schedule_features=(
            "origin",
            "departure_hour",
            "planned_flights",
            "planned_carriers",
            "planned_flights_at_origin",
            "day_of_week",
        ),
        categorical=("origin",),
        parameters={
            "tree_method": "hist",
            "max_depth": 3,
            "learning_rate": 0.05,
            "min_child_weight": 20,
            "subsample": 0.8,
            "colsample_bytree": 0.6,
            "reg_lambda": 5.0,
        },
        quantiles=(0.1, 0.9),
        refit=True,
    ),
    gate=Gate(
        metric="mae",
        # Four weeks out of time gave 11 to 20 minutes, most of them in summer; a fortnight of
        # storms is no reason to refuse a model, and half of the best is too good to be true.
        worst=25.0,
        too_good=6.0,
        least_gain=0.1,
        guardrails=Guardrails(slice_loss=2.0),
        slices=(Slice("origin", least_rows=300),),
    ),
    scoring=Scoring(exact_reasons=100, restate_days=7),
    monitoring=Monitoring(ignore=("day_of_week",)),
)
