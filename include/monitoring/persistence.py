"""Drift that lasts: one drifted night is weather, N of the last M are worth a person's time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from include.declare import UseCase
from include.warehouse.monitoring_tables import drift_verdicts


@dataclass(frozen=True)
class Night:
    """The verdict on one monitored night, as the warehouse has it."""

    data_day: date
    drifted: bool
    words: str


def lasting(connection: sa.Connection, use_case: UseCase, day: date | None = None) -> list[Night]:
    """Return the drifted nights among the last M monitored, oldest first, if there are N or more.

    N and M are the use case's `monitoring.persistence`. With a `day`, the nights up to it count.
    Only nights that the newest one's model scored do: what moved away from the model before it
    says nothing about the one in service.
    """
    least, among = use_case.monitoring.persistence
    table = drift_verdicts.c
    query = (
        sa.select(table.model_version, table.data_day, table.drifted, table.words)
        .where(table.use_case == use_case.name)
        .order_by(table.data_day.desc())
        .limit(among)
    )
    if day is not None:
        query = query.where(table.data_day <= day)
    found = connection.execute(query).all()
    nights = [Night(*night) for version, *night in found if version == found[0].model_version]
    drifted = [night for night in reversed(nights) if night.drifted]
    return drifted if len(drifted) >= least else []
