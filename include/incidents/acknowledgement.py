"""Silencing an open incident: who, why, until when."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import sqlalchemy as sa

from include.errors import UsageError
from include.incidents import book
from include.incidents.book import Incident
from include.warehouse.migrate import require_current
from include.warehouse.monitoring_tables import acknowledgements, incidents
from include.workspace import Workspace


def acknowledge(
    workspace: Workspace, number: int, *, actor: str, reason: str, until: date | None = None
) -> Incident:
    """Silence an open incident until a day begins, UTC, or until it is over.

    Raises:
        UsageError: there is no such incident, it is over, the day has begun, or no reason is
            given.
        ConfigurationError: the warehouse lacks its tables.
    """
    require_current(workspace.warehouse)
    now, reason = workspace.context.instant(), " ".join(reason.split())
    if not reason:
        raise UsageError(f"say why incident {number} may be silent; the reason stays on record")
    end = None if until is None else datetime.combine(until, time(), UTC)
    if end is not None and end <= now:
        raise UsageError(f"{until} has begun (UTC); name a later day until which it is silent")
    with workspace.warehouse.transaction() as connection:
        found = _find(connection, number)
        if found.resolved_at is not None:
            raise UsageError(
                f"incident {number} is over since {found.resolved_at:%Y-%m-%d %H:%M} UTC; there "
                "is nothing to silence"
            )
        values = {"actor": actor, "reason": reason, "at": now, "until": end}
        connection.execute(sa.insert(acknowledgements).values(incident=number, **values))
    return found


def _find(connection: sa.Connection, number: int) -> Incident:
    row = connection.execute(sa.select(incidents).where(incidents.c.incident == number)).first()
    if row is None:
        known = ", ".join(str(it.number) for it in book.listed(connection))
        raise UsageError(f"there is no incident {number}; open incidents: {known or 'none'}")
    return book.as_incident(row)
