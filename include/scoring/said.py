"""What was said at an instant: the scores a reader saw then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa

from include.declare import UseCase
from include.errors import UsageError
from include.warehouse.use_cases import history_of, use_case_tables


@dataclass(frozen=True)
class Said:
    """Scores as they were at an instant.

    Attributes:
        count: how many there were.
        rows: the first of them, by target date, highest prediction first; columns as in the
            view `…_scores_history`.
    """

    count: int
    rows: Sequence[Mapping[str, Any]]


def said(
    connection: sa.Connection,
    use_case: UseCase,
    at: datetime,
    target: date | None = None,
    limit: int | None = None,
) -> Said:
    """Return what was said at an instant, about one target date or all of them."""
    tables = use_case_tables(use_case)
    table = history_of(use_case)
    history = table.c
    then = sa.and_(
        history.valid_from <= at, sa.or_(history.valid_to.is_(None), history.valid_to > at)
    )
    if target is not None:
        then = then & (history.target_date == target)
    order = [history.target_date, history.prediction.desc(), *(history[it] for it in tables.key)]
    query = sa.select(*history).where(then).order_by(*order).limit(limit)
    count = connection.scalar(sa.select(sa.func.count()).select_from(table).where(then))
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return Said(int(count or 0), rows)


def parse_instant(text: str) -> datetime:
    """Return the instant that an ISO 8601 text names, UTC unless it has an offset.

    Raises `UsageError` for anything else.
    """
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not an instant; write it in ISO 8601, for example "
            "2013-10-08T06:30:00-04:00, or without an offset for UTC"
        ) from None
