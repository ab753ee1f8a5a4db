"""The rows of `stage_runs`: one per run of a stage, from begin to end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from include.errors import NightshiftError
from include.warehouse.tables import stage_runs
from include.window import Window

ERROR_CHARACTERS = 2000
"""Longest error text kept."""


@dataclass(frozen=True)
class RunContext:
    """Who runs, and when; the same for all stages of one process.

    Attributes:
        now: the time read at the edge, UTC.
        code_revision: git commit of the running code.
        lock_timeout: seconds to wait for another run of the same stage and subject.
    """

    now: datetime
    code_revision: str
    airflow_dag_id: str | None = None
    airflow_run_id: str | None = None
    lock_timeout: float = 600.0
    _opened: float = field(default_factory=time.monotonic, init=False, repr=False, compare=False)

    def instant(self) -> datetime:
        """Return `now` plus the time that has passed since the context was made."""
        return self.now + timedelta(seconds=time.monotonic() - self._opened)


def open_run(
    connection: sa.Connection,
    run_id: str,
    stage: str,
    subject: str,
    window: Window,
    context: RunContext,
) -> None:
    """Record that a run has begun; runs that died under the same lock become `crashed`."""
    started = context.instant()
    connection.execute(
        sa.update(stage_runs)
        .where(
            stage_runs.c.stage == stage,
            stage_runs.c.subject == subject,
            stage_runs.c.status == "running",
        )
        .values(
            status="crashed",
            finished_at=started,
            error=f"the process ended without a word; found by run {run_id}",
        )
    )
    connection.execute(
        sa.insert(stage_runs).values(
            run_id=run_id,
            stage=stage,
            subject=subject,
            window_start=window.start,
            window_end=window.end,
            status="running",
            rows_in=0,
            rows_out=0,
            rows_held=0,
            code_revision=context.code_revision,
            airflow_dag_id=context.airflow_dag_id,
            airflow_run_id=context.airflow_run_id,
            started_at=started,
        )
    )


def close_run(connection: sa.Connection, run_id: str, at: datetime, **values: Any) -> None:
    """Record how a run ended."""
    connection.execute(
        sa.update(stage_runs).where(stage_runs.c.run_id == run_id).values(finished_at=at, **values)
    )


def one_line(error: BaseException) -> str:
    """Return an error as one line that fits; the type only of errors not meant for operators."""
    text = " ".join(str(error).split())
    if not isinstance(error, NightshiftError):
        text = f"{type(error).__name__}: {text}"
    return text[:ERROR_CHARACTERS]
