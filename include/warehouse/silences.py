"""Incidents that somebody has acknowledged, and that are silent for now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from include.warehouse.monitoring_tables import acknowledgements, incidents


def silenced(connection: sa.Connection, subject: str, kind: str, cause: str, now: datetime) -> bool:
    """Return whether the open incident of a cause is acknowledged until later than `now`."""
    said, found = acknowledgements.c, incidents.c
    query = (
        sa.select(sa.func.count())
        .select_from(acknowledgements.join(incidents, said.incident == found.incident))
        .where(
            found.subject == subject,
            found.kind == kind,
            found.cause == cause,
            found.resolved_at.is_(None),
            sa.or_(said.until.is_(None), said.until > now),
        )
    )
    return bool(connection.scalar(query))


@dataclass(frozen=True)
class Silence:
    """The acknowledgement of an incident that lasts longest.

    Attributes:
        until: when it ends, UTC; None for when the incident is over.
    """

    actor: str
    reason: str
    until: datetime | None

    def holds(self, now: datetime) -> bool:
        """Return whether the incident is silent at `now`."""
        return self.until is None or self.until > now


def silences(connection: sa.Connection) -> dict[int, Silence]:
    """Return the number of every incident ever acknowledged and its longest acknowledgement."""
    said = acknowledgements.c
    query = sa.select(said.incident, said.actor, said.reason, said.until).order_by(
        said.until.is_(None), said.until, said.at
    )
    rows = connection.execute(query)
    return {row.incident: Silence(row.actor, row.reason, row.until) for row in rows}
