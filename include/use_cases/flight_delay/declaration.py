"""`flight_delay`: which of tomorrow's flights will arrive 15 or more minutes late?"""

from __future__ import annotations

from include.datasets.nyc_flights.declaration import DATASET
from include.declare import Column, Label, UseCase
from include.declare_model import (
    Costs,
    Gate,
    Guardrails,
    Monitoring,
    Range,
    Scoring,
    Slice,
    Training,
    Tuning,
)

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
    # Somebody waiting in vain for a late flight costs three times a needless warning.
    costs=Costs(false_alarm=1, miss=3),
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
        tuning=Tuning(
            space={
                "max_depth": Range(3, 8, whole=True),
                "learning_rate": Range(0.03, 0.2, log=True),
                "min_child_weight": Range(5, 100, log=True),
                "colsample_bytree": Range(0.3, 1.0),
                "reg_lambda": Range(0.5, 20, log=True),
            },
            trials=8,
        ),
        refit=True,
    ),
    gate=Gate(
        metric="auc",
        worst=0.55,
        too_good=0.70,
        least_gain=0.002,
        # The share of late flights moves between 14 % (September) and 32 % (July), and a model
        # fitted on the months before is off by as much; the card says by how much.
        guardrails=Guardrails(calibration_error=0.15),
        slices=(Slice("origin", least_rows=1000), Slice("carrier", least_rows=1000)),
    ),
    scoring=Scoring(exact_reasons=100, restate_days=7),
    monitoring=Monitoring(ignore=("day_of_week",)),
)
