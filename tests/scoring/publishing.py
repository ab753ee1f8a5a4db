"""Publishes hand-made scores of the small use case, as the scoring stage does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd

from include.declare import UseCase
from include.scoring import restatements
from include.warehouse.engine import Warehouse
from include.warehouse.publish import ScoreChange
from include.warehouse.staging import staged
from include.warehouse.use_cases import use_case_tables

DAYS = [date(2013, 10, day) for day in (5, 6, 7)]
NOON = datetime(2013, 10, 8, 12, tzinfo=UTC)
PROMISED = pd.Timestamp("2013-10-09 15:00", tz="UTC")


def rows(*said: Mapping[str, Any]) -> pd.DataFrame:
    """Return score rows in the order of their keys, defaults filled."""
    reasons = {f"reason_{rank}{part}": "it" for rank in (1, 2, 3) for part in ("", "_feature")}
    contributions = {f"reason_{rank}_contribution": 0.25 for rank in (1, 2, 3)}
    made = [
        {
            "data_day": DAYS[0],
            "target_date": it.get("data_day", DAYS[0]) + timedelta(days=1),
            "promised_at": PROMISED,
            "customer": "ann",
            "order_number": 1,
            "shop": "north",
            "weight": 1.5,
            "gift": False,
            "items": 3,
            "prediction": 0.5,
            "decision": it.get("prediction", 0.5) >= 0.5,
            "threshold": 0.5,
            "model_version": "1",
            **reasons,
            **contributions,
            "reason_method": "exact",
        }
        | dict(it)
        for it in said
    ]
    keys = ["data_day", "target_date", "promised_at", "customer", "order_number"]
    return pd.DataFrame(made).sort_values(keys, ignore_index=True) if made else pd.DataFrame()


def publish(
    warehouse: Warehouse,
    use_case: UseCase,
    days: Sequence[date],
    said: pd.DataFrame,
    at: datetime,
    run_id: str = "run",
) -> ScoreChange:
    """Make the rows what is said of some days, and record what that restated."""
    with staged(warehouse, use_case_tables(use_case), run_id) as staging:
        if len(said):
            staging.add(said)
        with warehouse.transaction(staging.connection) as connection:
            change = staging.publish(connection, days, run_id, at)
            restatements.record(connection, use_case, change, run_id)
    return change
