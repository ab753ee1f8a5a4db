"""The numbers of a demo's summary, counted where the results lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import sqlalchemy as sa

from include.declare import Dataset, UseCase
from include.lake import names
from include.warehouse.monitoring_tables import drift_metrics, drift_verdicts
from include.warehouse.tables import (
    model_ledger,
    quarantine,
    score_runs,
    stage_days,
    stage_runs,
    validation_results,
)
from include.warehouse.use_cases import quantile_columns, use_case_tables
from include.workspace import Workspace


@dataclass(frozen=True)
class Night:
    """What one night did.

    Attributes:
        landed: rows of the day in the checked tables.
        held: rows of the day in quarantine.
        scored: score rows; `flagged` of them are decided to be positive.
        mean: the mean prediction.
        highest: the highest prediction.
        verdict: drift in words.
    """

    day: date
    landed: int
    held: int
    target_dates: tuple[date, ...]
    scored: int
    flagged: int
    mean: float | None
    highest: float | None
    verdict: str


def nights(workspace: Workspace, use_case: UseCase, days: Sequence[date]) -> list[Night]:
    """Return what the nights of `days` did, in their order."""
    landed = rows_landed(workspace, use_case.dataset, days)
    with workspace.warehouse.reading() as connection:
        held = rows_held(connection, use_case.dataset, days)
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
    """Return a query an analyst may paste: the highest predictions, with what goes with them."""
    quantiles = quantile_columns(use_case).values()
    columns = (*use_case.entity_keys, *(() if quantiles else use_case.score_columns))
    shown = ", ".join(column.name for column in columns if column.type != "timestamp")
    places = 3 if use_case.task == "binary" else 1
    rounded = ",\n       ".join(
        f"round({name}, {places}) AS {name.removeprefix('prediction_')}"
        for name in ("prediction", *quantiles)
    )
    return (
        f"SELECT target_date, {shown},\n       {rounded}, reason_1\n"
        f"FROM {use_case.name}_scores_latest\n"
        f"ORDER BY target_date DESC, prediction DESC, {', '.join(use_case.key_names)}\n"
        "LIMIT 5"
    )


def run_query(workspace: Workspace, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the columns and rows of a query written in this module."""
    with workspace.warehouse.reading() as connection:
        found = connection.execute(sa.text(query))
        return list(found.keys()), [tuple(row) for row in found]


def rows_landed(workspace: Workspace, dataset: Dataset, days: Sequence[date]) -> dict[date, int]:
    """Return day → rows in the checked tables that hold days."""
    counts: dict[date, int] = {}
    with duckdb.connect() as connection:
        for table in dataset.tables:
            if table.kind == "snapshot":
                continue
            rows = workspace.lake.relation(connection, names.landed(dataset, table), days)
            for day, count in rows.aggregate("data_day, count(*)").fetchall():
                counts[day] = counts.get(day, 0) + count
    return counts


def rows_held(
    connection: sa.Connection, dataset: Dataset, days: Sequence[date]
) -> Mapping[date, int]:
    """Return day → rows held; a row that breaks two rules counts once."""
    rows = sa.select(
        quarantine.c.data_day, quarantine.c.table_name, quarantine.c.row_hash
    ).distinct()
    rows = rows.where(
        quarantine.c.dataset == dataset.name,
        quarantine.c.data_day.in_(days),
        quarantine.c.decision.is_(None),
    )
    held = rows.subquery()
    query = sa.select(held.c.data_day, sa.func.count()).group_by(held.c.data_day)
    return {day: count for day, count in connection.execute(query)}


def _scored(
    connection: sa.Connection, use_case: UseCase, days: Sequence[date]
) -> dict[date, tuple[tuple[date, ...], int, int, float | None, float | None]]:
    """Return day → target dates, scores, those decided positive, mean and highest prediction."""
    scores = use_case_tables(use_case).scores.c
    found = {}
    for day in days:
        query = sa.select(
            sa.func.count(),
            sa.func.count().filter(scores.decision),
            sa.func.avg(scores.prediction),
            sa.func.max(scores.prediction),
        ).where(scores.data_day == day)
        targets = sa.select(scores.target_date).where(scores.data_day == day).distinct()
        count, flagged, mean, highest = connection.execute(query).one()
        dates = tuple(sorted(connection.execute(targets).scalars()))
        found[day] = (dates, count, flagged, mean, highest)
    return found


def _verdict(connection: sa.Connection, use_case: UseCase, day: date) -> str:
    """Return what monitoring said of a night."""
    mine = (drift_verdicts.c.use_case == use_case.name) & (drift_verdicts.c.data_day == day)
    said = connection.execute(sa.select(drift_verdicts.c.words).where(mine)).scalar()
    return "not judged" if said is None else str(said)
