"""What is known about a use case's data days, and why one of them is not scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa

from include.declare import UseCase
from include.scoring import holds
from include.scoring.holds import Hold
from include.warehouse.days import DayState, day_states
from include.warehouse.tables import stage_runs

States = Mapping[date, DayState]


@dataclass(frozen=True)
class Record:
    """What the stages and people have said of data days.

    Attributes:
        use_case: whose days.
        days: the days in question, oldest first.
        ingested: day → state of the stage `ingest`; `built` of `features`, `scored` of `score`.
        holds: day → what was held of it, released or not.
    """

    use_case: UseCase
    days: tuple[date, ...]
    ingested: States
    built: States
    scored: States
    holds: Mapping[date, Hold]

    @classmethod
    def read(cls, connection: sa.Connection, use_case: UseCase, days: Sequence[date]) -> Record:
        """Return what is known of `days` and of all that were scored or held."""
        dataset = use_case.dataset.name
        scored = day_states(connection, "score", use_case.name)
        held = holds.of(connection, use_case.name)
        every = sorted({*days, *scored, *held})
        ingested = day_states(connection, "ingest", dataset, every)
        built = day_states(connection, "features", dataset, every)
        return cls(use_case, tuple(every), ingested, built, scored, held)

    def failure(self, day: date) -> str | None:
        """Return which stage stopped a day, or that its source lacks it, and why; else None."""
        for stage, subject, states in self.chain():
            found = states.get(day)
            if found is None or found.state == "writing":
                return None
            if found.state == "absent":
                return f"the source does not have {day}: {found.reason or 'it did not say why'}"
            if found.state == "stopped" and not self._awaits_publication(stage, found):
                return f"{stage} of {subject} stopped {day}: {found.reason or 'it did not say why'}"
        return None

    def released(self, day: date) -> Hold | None:
        """Return what was held of a day if it is released and not published yet."""
        scored, held = self.scored.get(day), self.holds.get(day)
        if scored is None or held is None or not self._awaits_publication("score", scored):
            return None
        return held

    def chain(self) -> Iterator[tuple[str, str, States]]:
        """Yield the stages a score depends on, first things first: name, subject, states."""
        yield "ingest", self.use_case.dataset.name, self.ingested
        yield "features", self.use_case.dataset.name, self.built
        yield "score", self.use_case.name, self.scored

    def _awaits_publication(self, stage: str, state: DayState) -> bool:
        held = self.holds.get(state.day) if stage == "score" else None
        return (
            held is not None
            and held.is_released
            and state.state == "stopped"
            and state.input_hash == held.input_hash
        )


def missing(connection: sa.Connection, record: Record, day: date) -> str:
    """Return which stage has not done a day that none has stopped, and how its last run went."""
    name = record.use_case.name
    if held := record.released(day):
        return (
            f"{held.released_by} released its scores ({held.released_reason}), and they are not "
            f"published yet; run ./nightshift score {name} --from {day} --to {day}"
        )
    for stage, subject, states in record.chain():
        found = states.get(day)
        if found is None or found.state != "done":
            last = _last_run(connection, stage, subject, day)
            return f"{stage} of {subject} {_told(last, found)}"
    return f"score of {name} has to be run again"


def _last_run(connection: sa.Connection, stage: str, subject: str, day: date) -> Any:
    """Return status and error of the newest run of a stage that was asked for a day, or None."""
    runs = stage_runs.c
    return connection.execute(
        sa.select(runs.status, runs.error)
        .where(
            runs.stage == stage,
            runs.subject == subject,
            runs.window_start <= day,
            runs.window_end >= day,
        )
        .order_by(runs.started_at.desc())
        .limit(1)
    ).first()


def _told(last: sa.Row[Any] | None, state: DayState | None) -> str:
    if last is not None and last.status == "running":
        return "is running, or was killed"
    if last is not None and last.error:
        return f"has not done it: its last run {_VERBS.get(last.status, 'failed')}: {last.error}"
    if state is not None:
        return "was interrupted; its next run does it again"
    return "has not run for it"


_VERBS = {"waiting": "waits", "stopped": "stopped", "crashed": "was killed"}
