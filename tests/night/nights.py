"""Runs nights as the DAGs do, and reads what a reader can see afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import sqlalchemy as sa

from include.features.build import build_features, feature_tables
from include.ingestion.landing import ingest
from include.lake import fingerprint, names
from include.monitoring.monitor import monitor
from include.monitoring.outcomes import write_outcomes
from include.scoring.score import score
from include.warehouse import tables
from include.warehouse.stages import StageResult
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from include.workspace import Workspace
from tests.planted import PLANTED, PLANTED_USE_CASE

DAYS = Window(date(2013, 10, 1), date(2013, 10, 7))

Stage = Callable[[Workspace, Window, int], StageResult]

STAGES: dict[str, Stage] = {
    "ingest": lambda workspace, window, heal: ingest(workspace, PLANTED, window, heal),
    "features": lambda workspace, window, heal: build_features(workspace, PLANTED, window, heal),
    "score": lambda workspace, window, heal: score(workspace, PLANTED_USE_CASE, window, heal),
    "outcomes": lambda workspace, window, heal: write_outcomes(
        workspace, PLANTED_USE_CASE, window, heal
    ),
    "monitor": lambda workspace, window, heal: monitor(workspace, PLANTED_USE_CASE, window, heal),
}

ASIDE = {"run_id", "at", "scored_at", "valid_from", "started_at", "finished_at", "entry"}
"""Run ids, times and counted keys: they tell when something was done, not what."""


def night(workspace: Workspace, day: date) -> None:
    """Run one night: every stage for its key, healing what is due before it."""
    for stage in STAGES.values():
        stage(workspace, Window.night(day), PLANTED.heal_days)


def visible(workspace: Workspace) -> dict[str, Any]:
    """Return everything a reader can see, run ids and times aside, in a comparable form."""
    mine = use_case_tables(PLANTED_USE_CASE)
    read = [
        mine.scores,
        mine.outcomes,
        tables.stage_days,
        tables.validation_results,
        tables.quarantine,
        tables.drift_metrics,
        tables.model_ledger,
    ]
    seen: dict[str, Any] = {table.name: rows(workspace, table) for table in read}
    lake = [*feature_tables(PLANTED), names.scored(PLANTED_USE_CASE)]
    lake += [names.landed(PLANTED, table) for table in PLANTED.tables]
    for name in lake:
        seen[name] = fingerprint.of_table(_without_partition(workspace, name))
    return seen


def rows(workspace: Workspace, table: sa.Table) -> list[str]:
    """Return a table's rows, sorted, without what tells only when or by which run."""
    columns = [column for column in table.columns if column.name not in ASIDE]
    with workspace.warehouse.reading() as connection:
        return sorted(map(_told, connection.execute(sa.select(*columns))))


def _told(row: sa.Row[Any]) -> str:
    """Return a row as text that is the same on both databases, which order JSON differently."""
    return repr([json.dumps(it, sort_keys=True) if isinstance(it, dict) else it for it in row])


def everything(workspace: Workspace) -> dict[str, Any]:
    """Return all rows of all tables but `stage_runs`, whole, and the lake's versions."""
    mine = use_case_tables(PLANTED_USE_CASE)
    read = [*tables.metadata.sorted_tables, *mine.all]
    seen: dict[str, Any] = {}
    with workspace.warehouse.reading() as connection:
        for table in read:
            if table.name != "stage_runs":
                seen[table.name] = sorted(map(repr, connection.execute(sa.select(table)).all()))
    lake = [*feature_tables(PLANTED), names.scored(PLANTED_USE_CASE)]
    lake += [names.landed(PLANTED, table) for table in PLANTED.tables]
    seen["lake"] = workspace.lake.versions(lake)
    return seen


def count_runs(workspace: Workspace) -> int:
    """Return how many rows `stage_runs` has."""
    with workspace.warehouse.reading() as connection:
        query = sa.select(sa.func.count()).select_from(tables.stage_runs)
        return int(connection.execute(query).scalar_one())


def _without_partition(workspace: Workspace, name: str) -> Any:
    rows = workspace.lake.read(name)
    names_now = ["day" if column == "data_day" else column for column in rows.column_names]
    return rows.rename_columns(names_now)
