"""The installation an operator is woken for: what `docs/runbook.md` is about really happened.

Ten nights after the history, run half an hour ago: one day stopped at its landing, one was not at
the source, and of the newest a third of the plan came, so that its scores are held. Then the source
did not answer, and a process that filled the online store yesterday is gone. A row of the weather
of 12 February was held long ago. `./nightshift` reads the undisturbed source, so to it all of this
has been repaired there.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from include.errors import DaysStopped, SourceUnreachable
from include.warehouse.runs import open_run
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.history import opened
from tests.night.nights import STAGES
from tests.planted import FAULTS, PLANTED

NIGHTS = Window(date(2013, 10, 1), date(2013, 10, 10))
STOPPED, ABSENT, HELD = date(2013, 10, 3), date(2013, 10, 5), NIGHTS.end
UNANSWERED = Window.night(date(2013, 10, 11))
BEFORE = timedelta(minutes=30)
"""Longer ago than it takes until a failure is told."""


def disturb(home: Path) -> None:
    """Let it happen in a home that has the history; the caller heals `FAULTS`."""
    FAULTS.change("flights", STOPPED, lambda rows: rows.head(200))
    FAULTS.absent.add(ABSENT)
    FAULTS.change("schedule", HELD, lambda rows: rows[rows["flight"] % 3 == 0])
    now = datetime.now(UTC) - BEFORE
    with opened(home) as there, open_workspace(there.settings, now=now) as workspace:
        _leave_running(workspace, now - timedelta(days=1))
        for stage in ("ingest", "features", "score"):
            with suppress(DaysStopped):
                STAGES[stage](workspace, NIGHTS, 0)
        FAULTS.unreachable = True
        with suppress(SourceUnreachable):
            STAGES["ingest"](workspace, UNANSWERED, 0)


def _leave_running(workspace: Workspace, at: datetime) -> None:
    """Record what a killed process leaves behind."""
    context = replace(workspace.context, now=at)
    with workspace.warehouse.transaction() as connection:
        open_run(connection, "killed", "online", PLANTED.name, Window.night(HELD), context)
