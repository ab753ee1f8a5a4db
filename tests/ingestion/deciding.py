"""What tests about decisions have in common: a day with held rows, and somebody who decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from include.declare import Dataset, Table, UseCase
from include.ingestion import proposals, quarantine
from include.ingestion.held import Choice
from include.ingestion.landing import ingest
from include.ingestion.proposals import Desk, Proposal
from include.lake import fingerprint
from include.warehouse import tables
from include.warehouse.commit import StageResult
from include.window import Window
from include.workspace import Workspace
from tests.planted import PLANTED, Faults

DAY = date(2013, 2, 12)  # the weather of this day holds a wind speed of 1,048 mph
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)
NIGHT, WINDOW = Window.night(DAY), Window(BEFORE, AFTER)
WIND = "wind_speed_plausible"
ONLY_ON_SQLITE = ("warehouse_settings", ["sqlite"])

WEATHER, FLIGHTS = (
    replace(PLANTED, tables=(PLANTED.table(name),), feature_views=(), shared_sql=())
    for name in ("weather", "flights")
)
"""One table alone, of which a landing is quick."""


def desk(
    workspace: Workspace,
    dataset: Dataset = PLANTED,
    *,
    reason: str = "a storm",
    use_cases: tuple[UseCase, ...] = (),
) -> Desk:
    return Desk(workspace, dataset, "ada", reason, use_cases)


def decide(
    workspace: Workspace,
    ask: Callable[..., Proposal],
    *arguments: Any,
    dataset: Dataset = PLANTED,
) -> Proposal:
    """Propose and record."""
    proposal = ask(desk(workspace, dataset), *arguments)
    proposals.record(workspace, proposal)
    return proposal


def held(workspace: Workspace, rule: str = WIND) -> list[dict[str, Any]]:
    return quarantine.listed(workspace.warehouse, rule=rule, decided=False)


def the_row(workspace: Workspace, rule: str = WIND) -> Choice:
    """Return the one row that a rule holds."""
    (row,) = held(workspace, rule)
    return Choice((row["row_hash"],))


def land(workspace: Workspace, dataset: Dataset = PLANTED, window: Window = NIGHT) -> StageResult:
    """Land, and check what must hold of every landing."""
    result = ingest(workspace, dataset, window)
    discarded = sum(int(it.split()[0]) for it in result.notes if "discarded" in it)
    assert result.rows_in == result.rows_out + result.rows_held + discarded
    return result


def landed(workspace: Workspace, table: str = "weather", *days: date) -> pd.DataFrame:
    return workspace.lake.read(f"nyc_flights/{table}", days or None).to_pandas()


def rows_of(workspace: Workspace, table: sa.Table) -> list[dict[str, Any]]:
    with workspace.warehouse.reading() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def seen(workspace: Workspace, dataset: Dataset) -> dict[str, Any]:
    """Return what a reader sees of the landed days, runs, times and entry numbers aside."""
    aside = {"run_id", "at", "entry"}
    found: dict[str, Any] = {
        table.name: sorted(
            repr({name: value for name, value in row.items() if name not in aside})
            for row in rows_of(workspace, table)
        )
        for table in (tables.stage_days, tables.quarantine, tables.validation_results)
    }
    for table in dataset.tables:
        rows = workspace.lake.read(f"nyc_flights/{table.name}")
        days = ["day" if name == "data_day" else name for name in rows.column_names]
        found[table.name] = fingerprint.of_table(rows.rename_columns(days))
    return found


def plant_flight(faults: Faults, table: Table | str = "flights", **values: Any) -> None:
    """Give the first row of a table on the day other values."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        for name, value in values.items():
            frame.loc[frame.index[0], name] = value
        return frame

    faults.change(table if isinstance(table, str) else table.name, DAY, change)
