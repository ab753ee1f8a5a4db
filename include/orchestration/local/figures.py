"""The numbers of a demo's summary, counted where the results lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import sqlalchemy as sa

from include.declare import UseCase
from include.lake import names
from include.warehouse.tables import (
    drift_metrics,
    model_ledger,
    quarantine,
    score_runs,
    stage_days,
    stage_runs,
    validation_results,
)
from include.warehouse.use_cases import use_case_tables
from include.workspace import Workspace


@dataclass(frozen=True)
class Night:
    """What one night did.

    Attributes:
        landed: rows of the day in the checked tables.
        held: rows of the day in quarantine.
        scored: score rows; `flagged` of them are decided to be positive; `mean` prediction.
        verdict: drift in words.
    """

    day: date
    landed: int
    held: int
    target_dates: tuple[date, ...]
    scored: int
    flagged: int
    mean: float | None
    verdict: str


def nights(workspace: Workspace, use_case: UseCase, days: Sequence[date]) -> list[Night]:
    """Return what the nights of `days` did, in their order."""
    landed = rows_landed(workspace, use_case, days)
    with workspace.warehouse.reading() as connection:
        held = rows_held(connection, use_case, days)
        scored = _scored(connection, use_case, days)
        verdicts = {day: _verdict(connection, use_case, day) for day in days}
    return [
        Night(day, landed.get(day, 0), held.get(day, 0), *scored[day], verdicts[day])
        for day in days
    ]


def empty_tables(workspace: Workspace, use_case: UseCase) -> list[str]:
    """Return the tables that a demo must have filled and has not."""
    scores = use_case_tables(use_case).scores
    filled = (
        stage_days,
        stage_runs,
        scores,
        score_runs,
        model_ledger,
        drift_metrics,
        validation_results,
        quarantine,
    )
    with workspace.warehouse.reading() as connection:
        return [
            table.name
            for table in filled
            if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first()
            is None
        ]


def sample_query(use_case: UseCase) -> str:
    """Return a query an analyst may paste: the scores most likely to come true."""
    columns = (*use_case.entity_keys, *use_case.score_columns)
    shown = ", ".join(column.name for column in columns if column.type != "timestamp")
    return (
        f"SELECT target_date, {shown},\n       round(prediction, 3) AS prediction, reason_1\n"
        f"FROM {use_case.name}_scores_latest\n"
        f"ORDER BY target_date DESC, prediction DESC, {', '.join(use_case.key_names)}\n"
        "LIMIT 5"
    )


def run_query(workspace: Workspace, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the columns and rows of a query written in this module."""
    with workspace.warehouse.reading() as connection:
        found = connection.execute(sa.text(query))
        return list(found.keys()), [tuple(row) for row in found]


def rows_landed(workspace: Workspace, use_case: UseCase, days: Sequence[date]) -> dict[date, int]:
    """Return day → rows in the checked tables that hold days."""
    counts: dict[date, int] = {}
    dataset = use_case.dataset
    with duckdb.connect() as connection:
        for table in dataset.tables:
            if table.kind == "snapshot":
                continue
            rows = workspace.lake.relation(connection, names.landed(dataset, table), days)
            for day, count in rows.aggregate("data_day, count(*)").fetchall():
                counts[day] = counts.get(day, 0) + count
    return counts


def rows_held(
    connection: sa.Connection, use_case: UseCase, days: Sequence[date]
) -> Mapping[date, int]:
    """Return day → rows in quarantine; a row that breaks two rules counts once."""
    rows = sa.select(
        quarantine.c.data_day, quarantine.c.table_name, quarantine.c.row_hash
    ).distinct()
    rows = rows.where(
        quarantine.c.dataset == use_case.dataset.name, quarantine.c.data_day.in_(days)
    )
    held = rows.subquery()
    query = sa.select(held.c.data_day, sa.func.count()).group_by(held.c.data_day)
    return {day: count for day, count in connection.execute(query)}


def _scored(
    connection: sa.Connection, use_case: UseCase, days: Sequence[date]
) -> dict[date, tuple[tuple[date, ...], int, int, float | None]]:
    scores = use_case_tables(use_case).scores.c
    found: dict[date, tuple[tuple[date, ...], int, int, float | None]] = {}
    for day in days:
        query = sa.select(
            sa.func.count(),
            sa.func.count().filter(scores.decision),
            sa.func.avg(scores.prediction),
        ).where(scores.data_day == day)
        targets = sa.select(scores.target_date).where(scores.data_day == day).distinct()
        count, flagged, mean = connection.execute(query).one()
        dates = tuple(sorted(connection.execute(targets).scalars()))
        found[day] = (dates, count, flagged, mean)
    return found


def _verdict(connection: sa.Connection, use_case: UseCase, day: date) -> str:
    """Return what monitoring said of a night, else a count of what moved."""
    said = (
        sa.select(stage_runs.c.notes)
        .join(stage_days, stage_days.c.run_id == stage_runs.c.run_id)
        .where(
            stage_days.c.stage == "monitor",
            stage_days.c.subject == use_case.name,
            stage_days.c.data_day == day,
        )
    )
    for note in connection.execute(said).scalar() or []:
        if note.startswith(f"{day.isoformat()}: "):
            return str(note.removeprefix(f"{day.isoformat()}: "))
    mine = (drift_metrics.c.use_case == use_case.name) & (drift_metrics.c.data_day == day)
    counts = sa.select(
        sa.func.count(), sa.func.count().filter(drift_metrics.c.drifted.is_(True))
    ).where(mine)
    columns, moved = connection.execute(counts).one()
    return f"{moved} of {columns} columns moved" if columns else "not judged"
