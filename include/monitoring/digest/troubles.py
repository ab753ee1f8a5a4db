"""What was wrong in a week: rows held, rules broken, unusual data, incidents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from include.declare import UseCase
from include.monitoring.week import Week
from include.warehouse import monitoring_tables, tables


@dataclass(frozen=True)
class Held:
    """Rows of a table held for breaking a rule, over the week; their content is not read."""

    table: str
    rule: str
    rows: int
    days: int


@dataclass(frozen=True)
class Failure:
    """A rule that days of the week broke: on how many, of how many judged, by how many rows."""

    table: str
    rule: str
    on_failure: str
    days: int
    judged: int
    unexpected: int


@dataclass(frozen=True)
class Unusual:
    """A measure of landed data outside what is usual; see the table `data_quality`."""

    table: str
    day: date
    column: str
    metric: str
    value: float | None
    usual: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Incident:
    """One incident about the week.

    Attributes:
        silenced: who silenced it last, and why; None if nobody did.
    """

    number: int
    subject: str
    kind: str
    cause: str
    severity: str
    detail: str
    since: datetime
    resolved_at: datetime | None
    first_day: date | None
    data_day: date | None
    silenced: str | None

    def concerns(self, week: Week, since: date, resolved: date | None) -> bool:
        """Return whether it was open on a day of the week, by its data days if it has any."""
        first = self.first_day or self.data_day or since
        last = self.data_day or resolved or week.end
        if self.resolved_at is None:
            last = max(last, week.end)
        return first <= week.end and last >= week.start


def held(connection: sa.Connection, dataset: str, week: Week) -> tuple[Held, ...]:
    """Return what was held of the week's days, by table and rule, the most rows first."""
    table = tables.quarantine.c
    rows = sa.func.count()
    query = (
        sa.select(table.table_name, table.rule, rows, sa.func.count(sa.distinct(table.data_day)))
        .where(
            table.dataset == dataset,
            table.data_day.between(week.start, week.end),
            table.decision.is_(None),
        )
        .group_by(table.table_name, table.rule)
        .order_by(rows.desc(), table.table_name, table.rule)
    )
    return tuple(Held(*row) for row in connection.execute(query))


def decided(connection: sa.Connection, dataset: str, week: Week) -> Mapping[str, int]:
    """Return action → how many decisions there are about the week's held rows and rules."""
    table = tables.quarantine_decisions.c
    query = (
        sa.select(table.action, sa.func.count())
        .where(table.dataset == dataset, table.data_day.between(week.start, week.end))
        .group_by(table.action)
        .order_by(table.action)
    )
    return {action: count for action, count in connection.execute(query)}


def failures(connection: sa.Connection, dataset: str, week: Week) -> tuple[Failure, ...]:
    """Return the rules that days of the week broke, the most days first."""
    table = tables.validation_results.c
    failed = sa.func.sum(sa.case((table.success, 0), else_=1), type_=sa.BigInteger)
    wrong = sa.func.sum(sa.case((table.success, 0), else_=table.unexpected), type_=sa.BigInteger)
    query = (
        sa.select(
            table.table_name, table.rule, sa.func.max(table.on_failure), failed,
            sa.func.count(), wrong,
        )
        .where(table.dataset == dataset, table.data_day.between(week.start, week.end))
        .group_by(table.table_name, table.rule)
        .having(failed > 0)
        .order_by(failed.desc(), table.table_name, table.rule)
    )  # fmt: skip
    found = connection.execute(query)
    return tuple(Failure(*row[:3], *(int(it) for it in row[3:])) for row in found)


def unusual(connection: sa.Connection, dataset: str, week: Week) -> tuple[tuple[Unusual, ...], int]:
    """Return the unusual measures of the week's days, and how many were compared at all."""
    table = monitoring_tables.data_quality.c
    of_week = (table.dataset == dataset, table.data_day.between(week.start, week.end))
    query = (
        sa.select(
            table.table_name, table.data_day, table.column_name, table.metric, table.value,
            table.usual, table.lower, table.upper,
        )
        .where(*of_week, table.unusual)
        .order_by(table.data_day, table.table_name, table.metric, table.column_name)
    )  # fmt: skip
    compared = sa.select(sa.func.count()).where(*of_week, table.unusual.is_not(None))
    found = tuple(Unusual(*row) for row in connection.execute(query))
    return found, connection.execute(compared).scalar_one()


def incidents(connection: sa.Connection, use_case: UseCase, week: Week) -> tuple[Incident, ...]:
    """Return the incidents of use case and dataset about the week, open ones first."""
    table, zone = monitoring_tables.incidents.c, use_case.dataset.zone
    query = sa.select(monitoring_tables.incidents).where(
        table.subject.in_((use_case.name, use_case.dataset.name))
    )
    silenced = _silenced(connection)
    found = []
    for row in connection.execute(query.order_by(table.incident)):
        told = Incident(
            row.incident, row.subject, row.kind, row.cause, row.severity, row.detail, row.since,
            row.resolved_at, row.first_day, row.data_day, silenced.get(row.incident),
        )  # fmt: skip
        resolved = row.resolved_at and row.resolved_at.astimezone(zone).date()
        if told.concerns(week, row.since.astimezone(zone).date(), resolved):
            found.append(told)
    rank = {"critical": 0, "warning": 1, "info": 2}
    return tuple(
        sorted(found, key=lambda it: (it.resolved_at is not None, rank[it.severity], it.number))
    )


def _silenced(connection: sa.Connection) -> Mapping[int, str]:
    """Return incident → who silenced it last, until when and why."""
    query = sa.select(monitoring_tables.acknowledgements).order_by(
        monitoring_tables.acknowledgements.c.acknowledgement
    )
    told = {}
    for row in connection.execute(query):
        until = "until it is over" if row.until is None else f"until {row.until:%Y-%m-%d %H:%M} UTC"
        told[row.incident] = f"silenced by {row.actor} {until}: {row.reason}"
    return told
