"""What a stage says inside its one transaction, and what comes of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import sqlalchemy as sa

from include.errors import DaysStopped
from include.warehouse.days import DayState, State
from include.window import Window, describe_days

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageResult:
    """What one run of a stage did.

    Attributes:
        window: the days asked for; healing may have processed earlier ones too.
        status: as in `stage_runs`.
        done: days processed now.
        stopped: day → why, for days that stopped, healed ones included.
        absent: day → why, for days the source does not have.
        rows_in: rows read; `rows_out` accepted and written; `rows_held` held back.
        notes: sentences worth showing to an operator.
        changed_days: days whose state or content now differs from before the run.
    """

    stage: str
    subject: str
    window: Window
    run_id: str
    status: str = "unchanged"
    done: tuple[date, ...] = ()
    stopped: Mapping[date, str] = field(default_factory=dict)
    absent: Mapping[date, str] = field(default_factory=dict)
    rows_in: int = 0
    rows_out: int = 0
    rows_held: int = 0
    notes: tuple[str, ...] = ()
    changed_days: tuple[date, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything a reader can see differs from before the run."""
        return bool(self.changed_days)

    def or_raise(self) -> StageResult:
        """Return the result; raises `DaysStopped` if days that were asked for are missing."""
        reasons = {d: why for d, why in self.stopped.items() if d in self.window}
        reasons |= {d: f"absent: {why}" for d, why in self.absent.items() if d in self.window}
        if reasons:
            _log.info(self.summary())  # what did get done would else go unsaid
            raise DaysStopped(self.stage, self.subject, reasons)
        return self

    def summary(self) -> str:
        """Return the run in one line for a person."""
        parts = []
        if self.done:
            held = f", {self.rows_held:,} held" if self.rows_held else ""
            parts.append(
                f"{_count_days(len(self.done))} done ({describe_days(self.done)}), "
                f"{self.rows_in:,} rows in, {self.rows_out:,} out{held}"
            )
        for word, days in (("stopped", self.stopped), ("absent", self.absent)):
            if days:
                reasons = "; ".join(f"{day}: {why}" for day, why in sorted(days.items())[:3])
                more = f" and {len(days) - 3} more" if len(days) > 3 else ""
                parts.append(f"{_count_days(len(days))} {word} ({reasons}{more})")
        told = "; ".join([*(parts or ["nothing was due"]), *self.notes])
        return f"{self.stage} {self.subject} {self.window}: {told}"


@dataclass
class Commit:
    """The open transaction of a stage: write results on `connection`, then say what was done.

    Attributes:
        connection: writes on it are committed together with the days and the run, or not at all.
        run_id: what result rows carry.
        outcomes: what has been said so far, per day.
        kept: published days whose new results were held, and why.
    """

    connection: sa.Connection
    run_id: str
    at: datetime
    outcomes: dict[date, DayState] = field(default_factory=dict)
    rows: dict[str, int] = field(
        default_factory=lambda: {"rows_in": 0, "rows_out": 0, "rows_held": 0}
    )
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    kept: dict[date, str] = field(default_factory=dict)

    def done(self, day: date, input_hash: str, output_hash: str) -> None:
        """Say that a day's results are complete."""
        self._say(day, "done", input_hash, output_hash, None)

    def stopped(self, day: date, input_hash: str | None, reason: str) -> None:
        """Say that a day was not accepted, and why."""
        self._say(day, "stopped", input_hash, None, reason)

    def held(self, day: date, input_hash: str, reason: str, before: DayState | None) -> None:
        """Say that a day's new results are not published, and why.

        A day that was done (`before`) stays as it was, what was published before included; the
        run counts it among the stopped days all the same.
        """
        if before is None or before.state != "done":
            self.stopped(day, input_hash, reason)
            return
        self._say(day, before.state, before.input_hash, before.output_hash, before.reason)
        self.kept[day] = reason

    def absent(self, day: date, reason: str, input_hash: str | None = None) -> None:
        """Say that the source does not have a day and will not have it."""
        self._say(day, "absent", input_hash, None, reason)

    def count(self, *, rows_in: int = 0, rows_out: int = 0, rows_held: int = 0) -> None:
        """Add to the run's row counts."""
        for name, rows in (("rows_in", rows_in), ("rows_out", rows_out), ("rows_held", rows_held)):
            self.rows[name] += rows

    def versions(
        self, inputs: Mapping[str, int] | None = None, outputs: Mapping[str, int] | None = None
    ) -> None:
        """Record the lake versions read and written, by table."""
        self.inputs.update(inputs or {})
        self.outputs.update(outputs or {})

    def note(self, text: str) -> None:
        """Add a sentence for the operator."""
        self.notes.append(text)

    def days_in(self, state: State) -> tuple[DayState, ...]:
        """Return the days said to be in a state, oldest first."""
        return tuple(
            it
            for day, it in sorted(self.outcomes.items())
            if it.state == state and day not in self.kept
        )

    def _say(
        self,
        day: date,
        state: State,
        input_hash: str | None,
        output_hash: str | None,
        reason: str | None,
    ) -> None:
        if day in self.outcomes:
            raise RuntimeError(f"{day} was given two outcomes in one commit")
        self.outcomes[day] = DayState(
            day, state, self.run_id, input_hash, output_hash, self.at, reason
        )


def _count_days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
