"""What later runs changed about scores that were published: recorded by day, told by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from include.declare import UseCase
from include.warehouse.days import day_states
from include.warehouse.publish import DayChange, ScoreChange
from include.warehouse.tables import restatements
from include.warehouse.use_cases import history_of, use_case_tables


@dataclass(frozen=True)
class Restated:
    """One published data day that a run changed; a row of `restatements`.

    Attributes:
        inserted: rows whose key was not there before; `updated` those that say something
            else; `removed` those whose key is gone.
        largest_change: of a prediction, absolute, over updated rows; `mean_change` their mean.
        flipped: updated rows decided otherwise.
        at: from when the new scores are what we say, UTC.
    """

    run_id: str
    use_case: str
    data_day: date
    inserted: int
    updated: int
    removed: int
    largest_change: float
    mean_change: float
    flipped: int
    at: datetime


@dataclass(frozen=True)
class Moved:
    """One row that a run restated: what it said before and after; None where it is gone.

    Attributes:
        key: data day, target date and entity keys.
    """

    key: Mapping[str, Any]
    before: float
    after: float | None
    decision_before: bool | None
    decision_after: bool | None


def record(connection: sa.Connection, use_case: UseCase, change: ScoreChange, run_id: str) -> None:
    """Write down which published days a run changed and how far.

    Args:
        connection: the transaction that publishes the scores, before its days are done.
        change: what was published.
        run_id: the run that scored.
    """
    before = day_states(connection, "score", use_case.name, list(change.days))
    rows = [
        asdict(_restated(use_case, day, moved, run_id, change.at))
        for day, moved in sorted(change.days.items())
        if moved.updated
        or moved.removed
        # A day that had nothing but rows that stayed was published too.
        or (moved.inserted and day in before and before[day].output_hash is not None)
    ]
    if rows:
        connection.execute(sa.insert(restatements), rows)


def _restated(
    use_case: UseCase, day: date, moved: DayChange, run_id: str, at: datetime
) -> Restated:
    return Restated(
        run_id=run_id,
        use_case=use_case.name,
        data_day=day,
        inserted=moved.inserted,
        updated=moved.updated,
        removed=moved.removed,
        largest_change=moved.largest,
        mean_change=moved.total / moved.updated if moved.updated else 0.0,
        flipped=moved.flipped,
        at=at,
    )


def listed(
    connection: sa.Connection, use_case: UseCase, run_id: str | None = None, limit: int = 50
) -> list[Restated]:
    """Return restated days, the newest first; those of one run if it is given."""
    table = restatements.c
    query = sa.select(restatements).where(table.use_case == use_case.name)
    if run_id is not None:
        query = query.where(table.run_id == run_id)
    query = query.order_by(table.at.desc(), table.data_day.desc()).limit(limit)
    return [Restated(**row) for row in connection.execute(query).mappings()]


def largest(
    connection: sa.Connection, use_case: UseCase, run_id: str, limit: int = 20
) -> list[Moved]:
    """Return the rows whose predictions a run moved most, rows that it removed last.

    What the run said is read from the history: it may have been superseded since.
    """
    tables = use_case_tables(use_case)
    run, past = restatements.alias("run"), tables.revisions.alias("past")
    new = history_of(use_case).alias("new")
    same = sa.and_(*(past.c[name] == new.c[name] for name in tables.key))
    moved = sa.func.abs(new.c.prediction - past.c.prediction)
    query = (
        sa.select(
            *(past.c[name] for name in tables.key),
            past.c.prediction.label("before"),
            new.c.prediction.label("after"),
            past.c.decision.label("decision_before"),
            new.c.decision.label("decision_after"),
        )
        .select_from(
            run.join(
                past, (past.c.data_day == run.c.data_day) & (past.c.valid_to == run.c.at)
            ).outerjoin(new, same & (new.c.valid_from == run.c.at))
        )
        .where(run.c.use_case == use_case.name, run.c.run_id == run_id)
        .order_by(sa.func.coalesce(moved, -1.0).desc(), *(past.c[name] for name in tables.key))
        .limit(limit)
    )
    return [
        Moved(
            {name: row[name] for name in tables.key},
            *(row[it] for it in ("before", "after", "decision_before", "decision_after")),
        )
        for row in connection.execute(query).mappings()
    ]
