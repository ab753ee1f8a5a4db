"""Score rows of the small use case, and how they get into its tables."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from include.warehouse import frames
from include.warehouse.digests import day_hashes
from include.warehouse.engine import Warehouse
from include.warehouse.publish import ScoreChange
from include.warehouse.staging import hashed, staged
from include.warehouse.use_cases import UseCaseTables

DAYS = [date(2013, 10, day) for day in (5, 6, 7)]
NOON = datetime(2013, 10, 8, 12, tzinfo=UTC)
ODD = 0.1 + 0.2  # has no short decimal form


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return score rows as scoring hands them in, defaults filled."""
    filled = [
        {
            "data_day": DAYS[0],
            "target_date": DAYS[0] + timedelta(days=1),
            "promised_at": pd.Timestamp("2013-10-06 15:00:00.123456", tz="America/New_York"),
            "customer": "ann",
            "order_number": 1,
            "shop": "north",
            "weight": 1.5,
            "gift": True,
            "items": 3,
            "prediction": ODD,
            "decision": False,
            "threshold": 0.5,
            "model_version": "1",
            "reason_1": "carrier's share: raises the risk",
            "reason_1_feature": "share",
            "reason_1_contribution": -0.25,
            "reason_2": None,
            "reason_2_feature": None,
            "reason_2_contribution": None,
            "reason_3": None,
            "reason_3_feature": None,
            "reason_3_contribution": None,
            "reason_method": "exact",
        }
        | row
        for row in rows
    ]
    return pd.DataFrame(filled)


def put(
    warehouse: Warehouse,
    tables: UseCaseTables,
    rows: pd.DataFrame,
    *,
    run: str = "first",
    hour: float = 0,
    days: Collection[date] = DAYS[:1],
    batch: int = 100_000,
) -> ScoreChange:
    """Stage rows in the order of their keys, a batch at a time, and publish `days`."""
    if len(rows):
        rows = rows.sort_values(list(tables.key))
    with staged(warehouse, tables, run) as staging:
        for start in range(0, len(rows), batch):
            staging.add(rows.iloc[start : start + batch])
        with warehouse.transaction(staging.connection) as connection:
            return staging.publish(connection, days, run, NOON + timedelta(hours=hour))


def read(warehouse: Warehouse, table: sa.Table) -> list[dict[str, Any]]:
    with warehouse.reading() as connection:
        query = sa.select(table).order_by(*table.primary_key.columns)
        return [dict(row._mapping) for row in connection.execute(query)]


def content_hashes(
    tables: UseCaseTables, rows: pd.DataFrame, days: Collection[date]
) -> dict[date, str]:
    """Return the fingerprint of each day's scores as `publish` gives it, for rows in any order."""
    names = [*tables.key, *hashed(tables)]
    canonical = frames.canonical(tables.scores, names, rows)
    return day_hashes(canonical, tables.key, hashed(tables), days)
