"""Runs of stages that failed and were not tried again, or that do not end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from include.incidents.cause import STAGE_FAILED, STAGE_HANGS, Cause, Severity
from include.incidents.look import Look
from include.incidents.stage_days import NIGHTLY
from include.warehouse.tables import stage_runs

TRIED_AGAIN_WITHIN = timedelta(minutes=15)
"""Airflow's retries of a failed task are over by then; what they repair is no news."""

LONGEST_NIGHT = timedelta(hours=3)
LONGEST_WINDOW = timedelta(hours=13)
"""Past Airflow's own time-outs of a night and of a window or training."""

FORGOTTEN_AFTER = timedelta(days=60)
"""The last run of a stage that nobody has run for so long says nothing about today."""

_FOREIGN = re.compile(r"([A-Z]+[a-z]\w*): ")


def of_subject(connection: sa.Connection, subject: str, look: Look) -> Iterator[Cause]:
    """Yield what the newest run of each stage of a subject shows to be wrong."""
    for run in _newest(connection, subject, look, finished=True):
        if run.status in ("failed", "crashed") and _is_news(run, look):
            yield _failed(run)
    for run in _newest(connection, subject, look, finished=False):
        if run.started_at < look.now - _longest(run):
            yield _hangs(run)


def _newest(
    connection: sa.Connection, subject: str, look: Look, *, finished: bool
) -> list[sa.Row[Any]]:
    """Return the newest run of every stage that has ended, or that has not."""
    runs = stage_runs.c
    ended = runs.status != "running" if finished else runs.status == "running"
    mine = (runs.subject == subject, ended, runs.started_at > look.now - FORGOTTEN_AFTER)
    newest = (
        sa.select(runs.stage, sa.func.max(runs.started_at).label("at"))
        .where(*mine)
        .group_by(runs.stage)
        .subquery()
    )
    query = (
        sa.select(stage_runs)
        .join(newest, sa.and_(runs.stage == newest.c.stage, runs.started_at == newest.c.at))
        .where(*mine)
        .order_by(runs.stage)
    )
    return list(connection.execute(query))


def _is_news(run: sa.Row[Any], look: Look) -> bool:
    """Return whether retries are over; a failure that is known stays known while they go on."""
    ended = run.finished_at or run.started_at
    key = (run.subject, STAGE_FAILED.name, run.stage)
    return bool(ended <= look.now - TRIED_AGAIN_WITHIN) or key in look.open


def _failed(run: sa.Row[Any]) -> Cause:
    verb = "was killed" if run.status == "crashed" else "failed"
    why = discreet(run.error or "it did not say why")
    return Cause(
        subject=run.subject,
        kind=STAGE_FAILED,
        severity=_severity(run),
        detail=f"{run.stage} of {run.subject} {verb} on {_window(run)}: {why}",
        cause=run.stage,
        first_day=run.window_start,
        last_day=run.window_end,
    )


def _hangs(run: sa.Row[Any]) -> Cause:
    return Cause(
        subject=run.subject,
        kind=STAGE_HANGS,
        severity=_severity(run),
        detail=(
            f"{run.stage} of {run.subject} on {_window(run)} is said to run since "
            f"{run.started_at:%Y-%m-%d %H:%M} UTC; it hangs, or its process is gone"
        ),
        cause=run.stage,
        first_day=run.window_start,
        last_day=run.window_end,
    )


def discreet(error: str) -> str:
    """Return an error as it may leave the house: of one not meant for operators, its type.

    Those of libraries quote values of rows, and what is told goes out by mail. `runs.one_line`
    puts their type first.
    """
    foreign = _FOREIGN.match(error)
    return error if foreign is None else f"{foreign[1]}; the log of the run has its text"


def _severity(run: sa.Row[Any]) -> Severity:
    return "critical" if run.stage in NIGHTLY else "warning"


def _longest(run: sa.Row[Any]) -> timedelta:
    is_night = run.window_start == run.window_end and run.stage in NIGHTLY
    return LONGEST_NIGHT if is_night else LONGEST_WINDOW


def _window(run: sa.Row[Any]) -> str:
    if run.window_start == run.window_end:
        return f"{run.window_start}"
    return f"{run.window_start} … {run.window_end}"
