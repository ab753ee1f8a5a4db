"""What stages leave behind when something is wrong, written straight into the warehouse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from include.incidents import book, telling
from include.incidents.book import Incident
from include.incidents.message import Message
from include.scoring import holds
from include.settings import Settings
from include.training import ledger
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse import tables
from include.warehouse.days import DayState, State, write_days
from include.workspace import Workspace, open_workspace

DATASET = USE_CASE.dataset
NOON = datetime(2014, 6, 1, 12, tzinfo=UTC)
TODAY = date(2014, 5, 31)
"""The newest data day that has ended at noon."""


def days(count: int, newest: date = TODAY) -> list[date]:
    """Return so many days, oldest first."""
    return [newest - timedelta(days=age) for age in reversed(range(count))]


def say(
    workspace: Workspace,
    stage: str,
    state: State,
    on: Sequence[date] = (TODAY,),
    reason: str | None = "a rule broke",
    at: datetime = NOON,
) -> None:
    """Let a stage say what became of days."""
    of_dataset = stage in ("ingest", "features", "quality", "online")
    subject = DATASET.name if of_dataset else USE_CASE.name
    told = None if state == "done" else reason
    rows = [DayState(day, state, "r1", "in", "out", at, told) for day in on]
    with workspace.warehouse.transaction() as connection:
        write_days(connection, stage, subject, rows)


def run(
    workspace: Workspace,
    stage: str,
    status: str,
    *,
    minutes_ago: float,
    error: str | None = None,
    subject: str = DATASET.name,
    on: date = TODAY,
    first: date | None = None,
) -> None:
    """Let a stage run on a day; it began, and ended, so many minutes before noon."""
    at = NOON - timedelta(minutes=minutes_ago)
    values = {
        "run_id": f"{stage} {subject} {status} {minutes_ago}",
        "stage": stage,
        "subject": subject,
        "window_start": first or on,
        "window_end": on,
        "status": status,
        "started_at": at,
        "finished_at": None if status == "running" else at,
        "error": error,
        **dict.fromkeys(("rows_in", "rows_out", "rows_held"), 0),
    }
    insert(workspace, tables.stage_runs, [values])


def insert(workspace: Workspace, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows."""
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.insert(table), rows)


def promote(workspace: Workspace, as_of: date) -> None:
    """Put a model into service that was trained as of a day."""
    with workspace.warehouse.transaction() as connection:
        ledger.append(
            connection,
            use_case=USE_CASE.name,
            model_version="1",
            sha256="0" * 64,
            event="promoted",
            actor="test",
            reason="for a test",
            evidence={},
            artifact_uri="file:///nowhere",
            as_of=as_of,
            at=NOON - timedelta(days=60),
        )


def hold(workspace: Workspace, day: date = TODAY) -> None:
    """Hold the scores of a day, as the score stage does."""
    with workspace.warehouse.transaction() as connection:
        holds.hold(
            connection,
            USE_CASE,
            day,
            model_version="1",
            input_hash="in",
            findings=["the mean moved by 9"],
            run_id="r1",
            at=NOON,
        )
    say(workspace, "score", "stopped", [day], "the mean moved by 9")


def found(workspace: Workspace) -> list[Incident]:
    """Look, and return what is open."""
    book.watch(workspace)
    with workspace.warehouse.reading() as connection:
        return book.listed(connection)


def kinds(incidents: Sequence[Incident]) -> list[tuple[str, str, str]]:
    """Return what tells incidents apart, in order."""
    return sorted(it.key for it in incidents)


@dataclass
class Channel:
    """A channel that keeps what it was told, and fails while it is told to."""

    broken: bool = False
    messages: list[Message] = field(default_factory=list)

    def __call__(self, message: Message) -> None:
        if self.broken:
            raise ConnectionError("nobody is at home")
        self.messages.append(message)

    def events(self) -> list[tuple[str, str]]:
        """Return event and kind of everything told, and forget it."""
        told = [(it["event"], it["kind"]) for message in self.messages for it in message.events]
        self.messages.clear()
        return told


def look(settings: Settings, at: datetime, **channels: Channel) -> dict[str, str]:
    """Look at an instant and tell the channels; returns those that failed."""
    with open_workspace(settings, now=at) as workspace:
        book.watch(workspace)
        return telling.tell(workspace, channels)
