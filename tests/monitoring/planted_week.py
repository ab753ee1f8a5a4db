"""A week of a use case planted into the warehouse: a good one, for tests to spoil."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from include.declare import UseCase
from include.monitoring.digest import record
from include.monitoring.digest.record import Record
from include.monitoring.week import Week
from include.training import ledger
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse import monitoring_tables, tables
from include.warehouse.days import DayState, write_days
from include.warehouse.use_cases import apply, use_case_tables
from include.window import Window
from include.workspace import Workspace

CASE: UseCase = USE_CASE
WEEK = Week.parse("2013-W40")
SPAN = Window(WEEK.start - timedelta(days=14), WEEK.end)
"""The nights that are planted: the week and two before it."""

COLUMNS = ("carrier", "dep_hour", "origin_weather__temp")


def plant(workspace: Workspace) -> None:
    """Plant nights that were scored in time, did not drift, and are as good as promised."""
    apply(workspace.warehouse, CASE)
    with workspace.warehouse.transaction() as connection:
        _champion(connection)
        for day in SPAN:
            night(connection, day)
        states = [state(day) for day in SPAN]
        write_days(connection, "score", CASE.name, states)
        write_days(connection, "monitor", CASE.name, states)
        connection.execute(
            sa.insert(monitoring_tables.model_performance),
            [realised(day) for day in SPAN.days[:-3]],
        )


def state(day: date, kind: Any = "done", content: str = "out", reason: str | None = None) -> Any:
    """Return the state of a day that was brought about on the morning after it."""
    hashes = ("in", content) if kind == "done" else (None, None)
    return DayState(day, kind, "a run", *hashes, morning(day), reason)


def morning(day: date) -> datetime:
    """Return half past one local time, the morning after a data day."""
    return datetime(day.year, day.month, day.day, 5, 30, tzinfo=UTC) + timedelta(days=1)


def night(connection: sa.Connection, day: date, drifted: bool = False) -> None:
    """Plant what a night leaves: scores, readiness, drift and its verdict."""
    rng = np.random.default_rng(day.toordinal())
    at = morning(day)
    scores = use_case_tables(CASE).scores
    rows = [
        {
            "data_day": day,
            "target_date": day + timedelta(days=1),
            "time_hour": at + timedelta(hours=12),
            "carrier": "UA",
            "flight": place,
            "prediction": float(prediction),
            "decision": bool(prediction > 0.3),
            "threshold": 0.3,
            "model_version": "1",
            "scored_at": at,
            "valid_from": at,
            "run_id": "a run",
        }
        for place, prediction in enumerate(rng.beta(2, 6, size=41))
    ]
    connection.execute(sa.insert(scores), rows)
    connection.execute(
        sa.insert(tables.readiness).values(
            use_case=CASE.name, target_date=day + timedelta(days=1), data_day=day,
            due_by=at + timedelta(hours=4), state="ready", ready_at=at,
        )
    )  # fmt: skip
    connection.execute(
        sa.insert(monitoring_tables.drift_metrics),
        [
            _metric(day, name, "feature", 0.09 if drifted else 0.02 + 0.01 * place)
            for place, name in enumerate(COLUMNS)
        ]
        + [_metric(day, "prediction", "prediction", 0.04)],
    )
    words = "3 of 3 columns moved" if drifted else "no drift: 0 of 3 columns moved"
    connection.execute(
        sa.insert(monitoring_tables.drift_verdicts).values(
            use_case=CASE.name, data_day=day, model_version="1", drifted=drifted, notable=drifted,
            moved=3 if drifted else 0, watched=3, weight=1.0 if drifted else 0.0, words=words,
        )
    )  # fmt: skip


def realised(day: date, value: float = 0.66) -> dict[str, Any]:
    """Return a row of `model_performance` about the day after a data day."""
    return {
        "use_case": CASE.name,
        "target_date": day + timedelta(days=1),
        "model_version": "1",
        "slice": "all",
        "metric": CASE.gate.metric,
        "value": value,
        "lower": value - 0.05,
        "upper": value + 0.05,
        "n": 900,
        "label_coverage": 0.97,
    }


def incident(**more: Any) -> dict[str, Any]:
    """Return an open incident about the last night of the week."""
    return {
        "subject": CASE.name,
        "kind": "scores_late",
        "cause": "",
        "severity": "warning",
        "detail": "the scores are late",
        "first_day": WEEK.end,
        "data_day": WEEK.end,
        "since": morning(WEEK.end),
        "last_seen": morning(WEEK.end),
        "resolved_at": None,
    } | more


def insert(workspace: Workspace, table: sa.Table, *rows: dict[str, Any]) -> None:
    """Add rows to a table."""
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.insert(table), list(rows))


def read(workspace: Workspace, week: Week = WEEK) -> Record:
    """Return the record of a week."""
    with workspace.warehouse.reading() as connection:
        return record.read(connection, CASE, week)


def _metric(day: date, column: str, kind: str, value: float) -> dict[str, Any]:
    return {
        "use_case": CASE.name,
        "data_day": day,
        "column_name": column,
        "kind": kind,
        "method": "wasserstein",
        "value": value,
        "threshold": 0.06,
        "drifted": value > 0.06,
        "reference_id": "a reference",
    }


def _champion(connection: sa.Connection) -> None:
    for event in ("registered", "promoted"):
        ledger.append(
            connection, use_case=CASE.name, model_version="1", sha256="a" * 64,
            event=event, actor="ada", reason="better than nothing", evidence={},
            artifact_uri="", as_of=SPAN.start - timedelta(days=1), at=morning(SPAN.start),
        )  # fmt: skip
