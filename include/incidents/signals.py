"""What monitoring found that is worth a person's time: drift, data quality, performance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from include.declare import Dataset, UseCase
from include.incidents.cause import DATA_QUALITY, DRIFT, PERFORMANCE, Cause
from include.incidents.look import Look
from include.monitoring import persistence
from include.warehouse.monitoring_tables import data_quality, model_performance
from include.window import describe_days

MOST_FINDINGS = 5
"""Unusual measures of a table that are spelt out."""

LANDING = "the landing"
"""What is unusual when it is the dataset as a whole, whose table name is empty."""


def of_dataset(connection: sa.Connection, dataset: Dataset, look: Look) -> Iterator[Cause]:
    """Yield a cause per table whose newest measured day is unusual."""
    table = data_quality.c
    mine = (table.dataset == dataset.name, table.data_day >= look.healed_from(dataset))
    newest = (
        sa.select(table.table_name, sa.func.max(table.data_day).label("day"))
        .where(*mine)
        .group_by(table.table_name)
        .subquery()
    )
    same = sa.and_(table.table_name == newest.c.table_name, table.data_day == newest.c.day)
    query = (
        sa.select(data_quality)
        .join(newest, same)
        .where(*mine, table.unusual.is_(True))
        .order_by(table.table_name, table.metric.desc(), table.column_name)
    )
    by_table: dict[str, list[sa.Row[Any]]] = {}
    for row in connection.execute(query):
        by_table.setdefault(row.table_name, []).append(row)
    for name, rows in by_table.items():
        yield _unusual(dataset, name, rows)


def of_use_case(connection: sa.Connection, use_case: UseCase, look: Look) -> Iterator[Cause]:
    """Yield drift that lasts, and performance that stays below the gate."""
    nights = persistence.lasting(connection, use_case)
    if nights and nights[-1].data_day >= look.healed_from(use_case.dataset):
        days = [night.data_day for night in nights]
        among = use_case.monitoring.persistence[1]
        yield Cause(
            subject=use_case.name,
            kind=DRIFT,
            severity="warning",
            detail=(
                f"{len(days)} of the last {among} monitored nights drifted "
                f"({describe_days(days)}); {days[-1]}: {nights[-1].words}"
            ),
            first_day=days[0],
            last_day=days[-1],
        )
    if (cause := _performance(connection, use_case)) is not None:
        yield cause


def _unusual(dataset: Dataset, name: str, rows: list[sa.Row[Any]]) -> Cause:
    shown = "; ".join(_finding(row) for row in rows[:MOST_FINDINGS])
    rest = len(rows) - MOST_FINDINGS
    more = f"; and {rest} more" if rest > 0 else ""
    day, what = rows[0].data_day, name or LANDING
    return Cause(
        subject=dataset.name,
        kind=DATA_QUALITY,
        severity="warning",
        detail=f"{what} of {day} is unusual: {shown}{more}",
        cause=what,
        first_day=day,
        last_day=day,
    )


def _finding(row: sa.Row[Any]) -> str:
    what = f"{row.metric} of {row.column_name}" if row.column_name else row.metric
    return f"{what} {_number(row.value)}, usual {_number(row.lower)} to {_number(row.upper)}"


def _performance(connection: sa.Connection, use_case: UseCase) -> Cause | None:
    """Return that the newest matured dates lie beyond the gate's worst, whole intervals, or None.

    Of two models that scored a date, the one with more rows is judged. N of M is the use case's
    `monitoring.persistence`.
    """
    table, gate = model_performance.c, use_case.gate
    least, among = use_case.monitoring.persistence
    mine = (
        table.use_case == use_case.name,
        table.slice == "all",
        table.metric == gate.metric,
        table.lower.is_not(None),
        table.upper.is_not(None),
    )
    dates = sa.select(table.target_date).where(*mine).distinct()
    dates = dates.order_by(table.target_date.desc()).limit(among)
    query = sa.select(model_performance).where(*mine, table.target_date.in_(dates))
    judged = {row.target_date: row for row in connection.execute(query.order_by(table.n))}
    if not judged:
        return None
    # Imported here: evaluation is heavy, and the watch runs every few minutes.
    from include.training.evaluation.evaluate import better_when_higher

    higher = better_when_higher(gate.metric)
    bad = [
        row
        for _, row in sorted(judged.items())
        if (row.upper < gate.worst if higher else row.lower > gate.worst)
    ]
    if len(bad) < least:
        return None
    newest = bad[-1]
    return Cause(
        subject=use_case.name,
        kind=PERFORMANCE,
        severity="warning",
        detail=(
            f"{gate.metric} is {'below' if higher else 'above'} {gate.worst:g} with its whole "
            f"interval on {len(bad)} of the last {len(judged)} matured dates "
            f"({describe_days([row.target_date for row in bad])}); {newest.target_date}: "
            f"{_number(newest.value)} [{_number(newest.lower)}, {_number(newest.upper)}] on "
            f"{newest.n:,} rows of version {newest.model_version}"
        ),
        first_day=bad[0].target_date,
        last_day=newest.target_date,
    )


def _number(value: float | None) -> str:
    return "nothing" if value is None else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
