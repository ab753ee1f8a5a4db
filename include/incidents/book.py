"""The table `incidents`, made to say what is wrong: one open row per cause.

Looking and writing can be repeated at any time: causes are derived from what the stages wrote,
so a look that died loses nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from include.incidents.cause import Cause, Key
from include.incidents.look import Look
from include.incidents.observation import Observation, observe
from include.warehouse.locks import lock
from include.warehouse.migrate import require_current
from include.warehouse.monitoring_tables import incidents
from include.workspace import Workspace

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Incident:
    """One row of the table.

    Attributes:
        number: how people name it.
        since: when it was first seen, UTC.
        last_seen: when it was last seen, UTC.
        resolved_at: when it was seen to be over, UTC; None while it is not.
    """

    number: int
    subject: str
    kind: str
    cause: str
    severity: str
    detail: str
    data_day: date | None
    first_day: date | None
    since: datetime
    last_seen: datetime
    resolved_at: datetime | None

    @property
    def key(self) -> Key:
        """What tells it from every other open incident."""
        return self.subject, self.kind, self.cause


@dataclass(frozen=True)
class Changes:
    """What a look changed in the table.

    Attributes:
        unseen: subject → why it could not be looked at; its incidents stand as they were.
    """

    opened: int
    updated: int
    resolved: int
    unseen: dict[str, str]

    def summary(self) -> str:
        """Return it in a line."""
        return f"{self.opened} opened, {self.updated} still open, {self.resolved} over"


def watch(workspace: Workspace) -> Changes:
    """Look at everything and bring the table up to date.

    Raises:
        LockHeld: another look does not end.
        ConfigurationError: the warehouse lacks its tables.
        StorageUnavailable: it cannot be used.
    """
    require_current(workspace.warehouse)
    with lock(workspace.warehouse, "incidents", "all"):
        with workspace.warehouse.reading() as connection:
            known = {it.key: it.first_day for it in listed(connection)}
        now = workspace.context.instant()
        observation = observe(workspace, Look(now, known))
        with workspace.warehouse.transaction() as connection:
            return reconcile(connection, observation, now)


def listed(
    connection: sa.Connection, subject: str | None = None, *, over: bool = False
) -> list[Incident]:
    """Return open incidents, oldest first; with `over` also those that are over."""
    query = sa.select(incidents).order_by(incidents.c.since, incidents.c.incident)
    if subject is not None:
        query = query.where(incidents.c.subject == subject)
    if not over:
        query = query.where(incidents.c.resolved_at.is_(None))
    return [as_incident(row) for row in connection.execute(query)]


def as_incident(row: sa.Row[Any]) -> Incident:
    """Return a row of the table, other columns of the query left out."""
    values = {name: row._mapping[name] for name in incidents.c.keys() if name != "incident"}  # noqa: SIM118
    return Incident(number=row._mapping["incident"], **values)


def reconcile(connection: sa.Connection, observation: Observation, now: datetime) -> Changes:
    """Open what is new, update what goes on, and end what is no longer seen.

    An incident of a subject that could not be looked at stays as it is.
    """
    before = {it.key: it for it in listed(connection)}
    causes = {it.key: it for it in observation.causes}
    _open(connection, (it for key, it in causes.items() if key not in before), now)
    known = {key: before[key].number for key in causes.keys() & before.keys()}
    for key, number in known.items():
        _write(connection, number, {**_values(causes[key]), "last_seen": now})
    unseen = observation.unseen
    gone = [it for it in before.values() if it.key not in causes and it.subject not in unseen]
    for it in gone:
        _write(connection, it.number, {"resolved_at": now})
        _log.info("over: %s %s %s", *it.key)
    return Changes(len(causes) - len(known), len(known), len(gone), unseen)


def _open(connection: sa.Connection, causes: Iterable[Cause], now: datetime) -> None:
    for cause in causes:
        key = dict(zip(("subject", "kind", "cause"), cause.key, strict=True))
        values = {**key, **_values(cause), "since": now, "last_seen": now}
        connection.execute(sa.insert(incidents).values(**values))
        _log.info("opened: %s %s %s", *cause.key)


def _values(cause: Cause) -> dict[str, Any]:
    return {
        "severity": cause.severity,
        "detail": cause.detail,
        "first_day": cause.first_day,
        "data_day": cause.last_day,
    }


def _write(connection: sa.Connection, number: int, values: dict[str, Any]) -> None:
    connection.execute(sa.update(incidents).where(incidents.c.incident == number).values(**values))
