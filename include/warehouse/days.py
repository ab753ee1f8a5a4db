"""The rows of `stage_days`: what each stage has done for each day."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Literal

import sqlalchemy as sa

from include.warehouse.tables import stage_days

State = Literal["writing", "done", "stopped", "absent"]


@dataclass(frozen=True)
class DayState:
    """What a stage has done for one day of a subject.

    Attributes:
        state: only `done` days may be read. A `writing` day keeps the hashes it had before.
        run_id: the run that brought the day into this state.
        input_hash: fingerprint of what the stage read.
        output_hash: fingerprint of what it wrote.
        at: when the day came into this state, UTC.
        reason: why it stopped or is absent.
    """

    day: date
    state: State
    run_id: str
    input_hash: str | None
    output_hash: str | None
    at: datetime
    reason: str | None = None

    def says_the_same(self, other: DayState | None) -> bool:
        """Return whether another row tells a reader the same, run and time aside."""
        return other is not None and (
            (self.state, self.input_hash, self.output_hash, self.reason)
            == (other.state, other.input_hash, other.output_hash, other.reason)
        )


def day_states(
    connection: sa.Connection, stage: str, subject: str, days: Collection[date] | None = None
) -> dict[date, DayState]:
    """Return the state of every day a stage has touched, oldest first.

    Args:
        connection: inside a transaction or reading.
        stage: the stage's name, `ingest`.
        subject: the dataset or use case it works on.
        days: only these days; all when None.
    """
    table = stage_days.c
    query = sa.select(stage_days).where(table.stage == stage, table.subject == subject)
    if days is not None:
        if not days:
            return {}
        query = query.where(table.data_day.between(min(days), max(days)))
    wanted = None if days is None else set(days)
    return {
        row.data_day: DayState(
            day=row.data_day,
            state=row.state,
            run_id=row.run_id,
            input_hash=row.input_hash,
            output_hash=row.output_hash,
            at=row.at,
            reason=row.reason,
        )
        for row in connection.execute(query.order_by(table.data_day))
        if wanted is None or row.data_day in wanted
    }


def done_days(
    connection: sa.Connection, stage: str, subject: str, days: Collection[date] | None = None
) -> dict[date, str]:
    """Return day → output hash of the days that are done, oldest first."""
    states = day_states(connection, stage, subject, days)
    return {day: it.output_hash or "" for day, it in states.items() if it.state == "done"}


def write_days(
    connection: sa.Connection, stage: str, subject: str, states: Iterable[DayState]
) -> None:
    """Put rows in place of those the days had."""
    rows = [
        {"stage": stage, "subject": subject, "data_day": it.day}
        | {name: value for name, value in asdict(it).items() if name != "day"}
        for it in states
    ]
    if not rows:
        return
    table = stage_days.c
    connection.execute(
        sa.delete(stage_days).where(
            table.stage == stage,
            table.subject == subject,
            table.data_day == sa.bindparam("gone_day"),
        ),
        [{"gone_day": row["data_day"]} for row in rows],
    )
    connection.execute(sa.insert(stage_days), rows)
