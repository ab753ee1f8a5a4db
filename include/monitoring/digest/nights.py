"""The seven nights of a week, as the warehouse has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from include.declare import UseCase
from include.monitoring import persistence
from include.monitoring.week import Week
from include.scoring import holds, readiness
from include.scoring.holds import Hold
from include.training import ledger
from include.warehouse.days import day_states
from include.warehouse.monitoring_tables import drift_verdicts
from include.warehouse.tables import restatements
from include.warehouse.use_cases import use_case_tables

State = Literal["done", "stopped", "absent", "writing", "missing"]


@dataclass(frozen=True)
class Verdict:
    """What the drift of a night came to."""

    drifted: bool
    notable: bool
    moved: int
    watched: int
    words: str


@dataclass(frozen=True)
class Said:
    """What one model said of a night: how many scores, their mean, how many decided positive."""

    model_version: str
    scores: int
    mean: float
    positive: int | None


@dataclass(frozen=True)
class Night:
    """One data day of a use case.

    Attributes:
        expected: it comes after what the first champion was trained as of, and is not ahead.
        ahead: nothing is known of it nor, from the score stage, of a later one.
        state: of the score stage; `missing` if that has not touched it.
        reason: why it has no scores, in words.
        said: by model, what is published of it.
        due_by: when its scores were promised, UTC.
        ready_at: since when they may be used, UTC; None if they may not.
        hold: what is held of it and nobody has released.
        lasting: drift had lasted, as declared, by this night.
        changed: published rows that later runs changed; `flipped` of them decided otherwise.
    """

    day: date
    expected: bool
    ahead: bool
    state: State
    reason: str | None
    said: tuple[Said, ...]
    due_by: datetime
    ready_at: datetime | None
    hold: Hold | None
    verdict: Verdict | None
    lasting: bool
    changed: int
    flipped: int

    @property
    def published(self) -> bool:
        """Whether scores of the night may be read."""
        return self.state == "done"

    @property
    def scores(self) -> int:
        """How many scores are published of it."""
        return sum(it.scores for it in self.said)

    @property
    def lateness(self) -> timedelta:
        """By how much its scores were late; nothing if they were in time, or are not there."""
        if self.ready_at is None or self.ready_at <= self.due_by:
            return timedelta(0)
        return self.ready_at - self.due_by


def read(connection: sa.Connection, use_case: UseCase, week: Week) -> tuple[Night, ...]:
    """Return the nights of a week, Monday first."""
    days = week.window.days
    first = ledger.first_promotion(connection, use_case.name)
    since = first.as_of if first is not None and first.as_of is not None else date.max
    scored = day_states(connection, "score", use_case.name)
    newest = max(scored, default=date.max)
    mornings = {
        row.data_day: row
        for row in readiness.stored(connection, use_case.name)
        if row.data_day in week.window
    }
    held = holds.of(connection, use_case.name)
    said, verdicts = _said(connection, use_case, week), _verdicts(connection, use_case, week)
    moved = _restated(connection, use_case, week)
    nights = []
    for day in days:
        state, morning, hold = scored.get(day), mornings.get(day), held.get(day)
        done = state is not None and state.state == "done"
        ready_at = morning.ready_at if morning is not None else None
        changed, flipped = moved.get(day, (0, 0))
        ahead = day > newest and morning is None
        nights.append(
            Night(
                day=day,
                expected=day > since and not ahead,
                ahead=ahead,
                state="missing" if state is None else state.state,
                reason=(state.reason if state else None) or (morning.reason if morning else None),
                said=said.get(day, ()),
                due_by=readiness.due_by(use_case, day),
                ready_at=ready_at or (state.at if done and state is not None else None),
                hold=hold if hold is not None and not hold.is_released else None,
                verdict=verdicts.get(day),
                lasting=day in verdicts and bool(persistence.lasting(connection, use_case, day)),
                changed=changed,
                flipped=flipped,
            )
        )
    return tuple(nights)


def _said(
    connection: sa.Connection, use_case: UseCase, week: Week
) -> Mapping[date, tuple[Said, ...]]:
    scores = use_case_tables(use_case).scores.c
    decided = sa.case((scores.decision, 1), (sa.not_(scores.decision), 0))
    groups = (scores.data_day, scores.model_version)
    query = (
        sa.select(
            *groups, sa.func.count(), sa.func.avg(scores.prediction, type_=sa.Double),
            sa.func.sum(decided, type_=sa.BigInteger),
        )
        .where(scores.data_day.between(week.start, week.end))
        .group_by(*groups)
        .order_by(*groups)
    )  # fmt: skip
    found: dict[date, tuple[Said, ...]] = {}
    for day, version, count, mean, positive in connection.execute(query):
        found[day] = (*found.get(day, ()), Said(version, count, mean, positive))
    return found


def _verdicts(connection: sa.Connection, use_case: UseCase, week: Week) -> Mapping[date, Verdict]:
    table = drift_verdicts.c
    query = sa.select(drift_verdicts).where(
        table.use_case == use_case.name, table.data_day.between(week.start, week.end)
    )
    return {
        row.data_day: Verdict(row.drifted, row.notable, row.moved, row.watched, row.words)
        for row in connection.execute(query)
    }


def _restated(
    connection: sa.Connection, use_case: UseCase, week: Week
) -> Mapping[date, tuple[int, int]]:
    table = restatements.c
    changed: Any = sa.func.sum(table.inserted + table.updated + table.removed, type_=sa.BigInteger)
    query = (
        sa.select(table.data_day, changed, sa.func.sum(table.flipped, type_=sa.BigInteger))
        .where(table.use_case == use_case.name, table.data_day.between(week.start, week.end))
        .group_by(table.data_day)
    )
    return {day: (int(rows), int(flipped)) for day, rows, flipped in connection.execute(query)}
