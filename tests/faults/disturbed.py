"""A window in which things go wrong: run, and what is there afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from include.errors import DaysStopped, StorageUnavailable
from include.features.build import feature_tables
from include.lake import names
from include.warehouse import monitoring_tables, tables
from include.warehouse.days import DayState, day_states
from include.warehouse.use_cases import use_case_tables
from include.workspace import Workspace
from tests.faults.noticed_days import DRIFT, EXPIRED, Finding
from tests.faults.planted_days import AUTUMN_NIGHT, WINDOW
from tests.night.nights import STAGES
from tests.planted import PLANTED, PLANTED_USE_CASE

SCORES = use_case_tables(PLANTED_USE_CASE)
NEW_YORK = ZoneInfo(PLANTED.timezone)


@dataclass(frozen=True)
class Well:
    """What is there after the window in which nothing went wrong.

    Attributes:
        tables: what a reader sees.
        landed: day → what landed, as a hash.
        findings: day and what was found on it → in words, where there are any.
    """

    tables: dict[str, Any]
    landed: dict[date, str | None]
    findings: dict[tuple[date, Finding], str | None]


@dataclass(frozen=True)
class Seen:
    """What is there after the faulty run, and after the repair.

    Attributes:
        early: day → state of the stage `score`, which ran before features were built.
        states: day → state of the stage `ingest`.
        notes: what the landing found worth saying.
        rows: table of the lake or the warehouse → day → rows.
        held: day and rule → rows held.
        findings: day and what was found on it → in words, where there are any.
        weather: airport → its temperatures, as the night was scored on which it sent none.
        autumn: airport and hour, UTC, of the observations in the hour that autumn repeats.
        unreadable: damage to a file of the lake → what features said of it.
        repaired: what a reader sees after the repair.
    """

    early: dict[date, DayState]
    states: dict[date, DayState]
    notes: list[str]
    rows: dict[str, dict[date, int]]
    held: dict[tuple[date, str], int]
    findings: dict[tuple[date, Finding], str | None]
    weather: dict[str, list[float | None]]
    autumn: list[tuple[str, int]]
    unreadable: dict[str, str]
    repaired: dict[str, Any]


def run(workspace: Workspace, *stages: str) -> list[str]:
    """Run stages over the window; days that stop do not keep the others back."""
    notes: list[str] = []
    for stage in stages:
        try:
            notes += STAGES[stage](workspace, WINDOW, 0).notes
        except DaysStopped:
            with workspace.warehouse.reading() as connection:
                runs = tables.stage_runs.c
                mine = (runs.stage == stage, runs.window_start == WINDOW.start)
                for told in connection.scalars(sa.select(runs.notes).where(*mine)):
                    notes += told or []
    return notes


def states(workspace: Workspace, stage: str, subject: str) -> dict[date, DayState]:
    """Return the days of the window that a stage has a state of."""
    with workspace.warehouse.reading() as connection:
        return day_states(connection, stage, subject, WINDOW.days)


def count_rows(workspace: Workspace) -> dict[str, dict[date, int]]:
    """Return the rows of each day in every table of days that the stages write."""
    landed = [names.landed(PLANTED, it) for it in PLANTED.tables if it.kind == "events"]
    lake = [*landed, *feature_tables(PLANTED), names.scored(PLANTED_USE_CASE)]
    found = {}
    for name in lake:
        days = workspace.lake.read(name, WINDOW.days)["data_day"].value_counts().to_pylist()
        found[name] = {it["values"]: it["counts"] for it in days}
    with workspace.warehouse.reading() as connection:
        day = SCORES.scores.c.data_day
        query = sa.select(day, sa.func.count()).group_by(day)
        found[SCORES.scores.name] = dict(connection.execute(query).tuples().all())
    return found


def count_held(workspace: Workspace) -> dict[tuple[date, str], int]:
    """Return the rows held on each day by each rule."""
    table = tables.quarantine.c
    query = sa.select(table.data_day, table.rule, sa.func.count()).group_by(
        table.data_day, table.rule
    )
    with workspace.warehouse.reading() as connection:
        return {(day, rule): rows for day, rule, rows in connection.execute(query)}


def findings(workspace: Workspace) -> dict[tuple[date, Finding], str | None]:
    """Return what is unusual or has drifted."""
    quality, drift = monitoring_tables.data_quality.c, monitoring_tables.drift_metrics.c
    unusual = sa.select(
        quality.data_day, quality.table_name, quality.column_name, quality.metric, sa.null()
    ).where(quality.unusual.is_(True))
    drifted = sa.select(
        drift.data_day, sa.literal(DRIFT), drift.column_name, drift.kind, drift.words
    ).where(drift.drifted.is_(True))
    with workspace.warehouse.reading() as connection:
        rows = [*connection.execute(unusual), *connection.execute(drifted)]
    return {(day, Finding(table, column, what)): words for day, table, column, what, words in rows}


def weather(workspace: Workspace) -> dict[str, list[float | None]]:
    """Return the temperatures that the scores of the night of expired features rest on."""
    rows = workspace.lake.read(names.scored(PLANTED_USE_CASE), [EXPIRED.day]).to_pylist()
    found: dict[str, list[float | None]] = {}
    for row in rows:
        found.setdefault(row["origin"], []).append(row["origin_weather__temp"])
    return found


def autumn(workspace: Workspace) -> list[tuple[str, int]]:
    """Return airport and hour, UTC, of what was observed between one and two local time."""
    rows = workspace.lake.read("nyc_flights/weather", [AUTUMN_NIGHT]).to_pylist()
    return sorted(
        (row["origin"], row["observed_at"].hour)
        for row in rows
        if row["observed_at"].astimezone(NEW_YORK).hour == 1
    )


def damage(workspace: Workspace) -> dict[str, str]:
    """Spoil a file of the lake in several ways; return what building features says of each."""
    folder = Path(workspace.lake.uri("nyc_flights/flights")) / f"data_day={AUTUMN_NIGHT}"
    (file,) = folder.glob("*.parquet")
    saved, told = file.read_bytes(), {}
    ways: dict[str, Callable[[], object]] = {
        "cut short": lambda: file.write_bytes(saved[: len(saved) // 2]),
        "overwritten": lambda: file.write_bytes(b"x" * len(saved)),
        "gone": file.unlink,
    }
    for way, spoil in ways.items():
        spoil()
        with pytest.raises(StorageUnavailable) as error:
            run(workspace, "features")
        told[way] = str(error.value)
        built = states(workspace, "features", PLANTED.name).values()
        assert {state.state for state in built} == {"writing"}, "nothing that a reader takes"
    file.write_bytes(saved)
    return told
