"""`flight_delay`: which of tomorrow's flights will arrive 15 or more minutes late?"""

from __future__ import annotations

from include.datasets.nyc_flights.declaration import DATASET
from include.declare import Column, Gate, Label, Monitoring, Scoring, Training, UseCase

USE_CASE = UseCase(
    name="flight_delay",
    dataset=DATASET,
    description="Which of tomorrow's flights will arrive 15 or more minutes late?",
    owner="ml-engineering",
    entity_keys=(
        Column("time_hour", "timestamp", "Scheduled hour of departure, UTC", nullable=False),
        Column("carrier", "string", "Airline, two-character IATA code", nullable=False),
        Column("flight", "int64", "Flight number", nullable=False),
    ),
    score_columns=(
        Column("origin", "string", "Airport of departure"),
        Column("dest", "string", "Airport of arrival"),
    ),
    plan_table="schedule",
    feature_service="flight_delay_v1",
    label=Label(
        column="late",
        mature_after=2,
        meaning=(
            "1 if the flight arrived 15 or more minutes after schedule, else 0. Cancelled and "
            "diverted flights never arrived: they are scored like all planned flights, and "
            "have no label, so training and evaluation leave them out and report how many."
        ),
    ),
    training=Training(
        schedule_features=(
            "carrier",
            "origin",
            "dest",
            "departure_minute",
            "arrival_minute",
            "distance",
            "day_of_week",
        ),
        categorical=("carrier", "origin", "dest"),
        parameters={
            "objective": "binary:logistic",
            "eval_metric": "logloss",
            "tree_method": "hist",
            "max_depth": 5,
            "learning_rate": 0.05,
            "min_child_weight": 20,
            "subsample": 0.8,
            "colsample_bytree": 0.6,
            "reg_lambda": 5.0,
        },
    ),
    gate=Gate(metric="auc", least=0.55, leak_above=0.70),
    scoring=Scoring(exact_reasons=100, restate_days=7),
    monitoring=Monitoring(ignore=("day_of_week",)),
)
