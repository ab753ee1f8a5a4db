"""What every stage does around its work: lock, record the run, find due days, commit once.

`stage_days` is the truth about what is done. A day is `writing` from before a stage's first
write until the one transaction that holds the stage's results, its days and its run. A
stage killed in between leaves the days `writing`; they are due again on the next run.

    with stage_run(warehouse, "features", "nyc_flights", window, context) as run:
        if due := run.due(inputs):
            run.begin(due)
            ...                                  # write to the lake
            with run.commit() as commit:
                ...                              # write results on commit.connection
                commit.done(day, input_hash, output_hash)
    return run.result
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import sqlalchemy as sa

from include.errors import DayAbsent, DaysStopped, NightshiftError, SourceNotReady
from include.warehouse import runs
from include.warehouse.commit import Commit, StageResult
from include.warehouse.days import DayState, day_states, done_days, write_days
from include.warehouse.engine import Warehouse
from include.warehouse.locks import Verify, lock
from include.warehouse.migrate import require_current
from include.warehouse.runs import RunContext
from include.window import Window, describe_days

__all__ = [
    "Commit",
    "DayState",
    "RunContext",
    "StageResult",
    "StageRun",
    "day_states",
    "done_days",
    "stage_run",
]

_log = logging.getLogger(__name__)


class StageRun:
    """One run of a stage, holding its lock; made by `stage_run`.

    Attributes:
        states: the state of every day of the stage and subject when the run began.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        stage: str,
        subject: str,
        window: Window,
        context: RunContext,
        verify_lock: Verify,
    ) -> None:
        self.warehouse = warehouse
        self.stage = stage
        self.subject = subject
        self.window = window
        self.context = context
        self.run_id = uuid.uuid4().hex
        self.states: dict[date, DayState] = {}
        self._verify_lock = verify_lock
        self._begun: set[date] = set()
        self._result: StageResult | None = None

    @property
    def result(self) -> StageResult:
        """What the run did; there after `commit`, `finish` or the end of the block."""
        if self._result is None:
            raise RuntimeError(f"{self.stage} {self.subject} has not finished; commit it first")
        return self._result

    @property
    def finished(self) -> bool:
        """Whether the run has a result."""
        return self._result is not None

    def due(
        self, inputs: Mapping[date, str], *, restate: Callable[[date], bool] = lambda _day: True
    ) -> list[date]:
        """Return the days that need work, oldest first.

        Args:
            inputs: day → fingerprint of what the stage would read for it now.
            restate: whether a day that is done may be done again because its input changed.
        """
        return [day for day in sorted(inputs) if self._is_due(day, inputs[day], restate)]

    def _is_due(self, day: date, input_hash: str, restate: Callable[[date], bool]) -> bool:
        before = self.states.get(day)
        if before is None or before.state != "done":
            return True
        return before.input_hash != input_hash and restate(day)

    def begin(self, days: Iterable[date]) -> None:
        """Mark days as being written, at once; call it before the first write.

        Their rows keep the hashes from before. Readers refuse them until the commit.
        """
        begun = sorted(set(days))
        at = self.context.instant()
        rows = []
        for day in begun:
            before = self.states.get(day)
            input_hash = before.input_hash if before else None
            output_hash = before.output_hash if before else None
            rows.append(DayState(day, "writing", self.run_id, input_hash, output_hash, at))
        with self.warehouse.transaction() as connection:
            write_days(connection, self.stage, self.subject, rows)
        self._begun.update(begun)

    @contextmanager
    def commit(self, on: sa.Connection | None = None) -> Iterator[Commit]:
        """Open the one transaction of the stage's results, days and run.

        It is opened on the connection `on`, where results are staged, or on a new one.

        Everything said and written inside is committed together when the block ends, and
        rolled back when it raises. Every day that was begun needs an outcome. A day that
        ends as it was before the run keeps its row, run id and time.

        Raises `LockHeld` when the lock was lost meanwhile, `StorageUnavailable`.
        """
        self._require_unfinished()
        self._verify_lock()
        with self.warehouse.transaction(on) as connection:
            commit = Commit(connection, self.run_id, self.context.instant())
            yield commit
            result = self._conclude(commit)
            self._record(
                connection,
                result,
                input_versions=commit.inputs or None,
                output_versions=commit.outputs or None,
            )
            self._verify_lock()
        self._result = result

    def finish(self, *notes: str) -> StageResult:
        """End a run that had nothing to do."""
        self._require_unfinished()
        if self._begun:
            raise RuntimeError(f"days were begun and not committed: {describe_days(self._begun)}")
        result = StageResult(self.stage, self.subject, self.window, self.run_id, notes=notes)
        with self.warehouse.transaction() as connection:
            self._record(connection, result)
        self._result = result
        return result

    def _require_unfinished(self) -> None:
        if self._result is not None:
            raise RuntimeError(f"{self.stage} {self.subject} has already finished")

    def _conclude(self, commit: Commit) -> StageResult:
        """Write the days that changed and return what the run did."""
        if missing := self._begun - commit.outcomes.keys():
            raise RuntimeError(f"days were begun and have no outcome: {describe_days(missing)}")
        same = {
            day: before
            for day, outcome in commit.outcomes.items()
            if (before := self.states.get(day)) is not None and outcome.says_the_same(before)
        }
        changed = [it for day, it in sorted(commit.outcomes.items()) if day not in same]
        restored = [before for day, before in same.items() if day in self._begun]
        write_days(commit.connection, self.stage, self.subject, [*changed, *restored])
        done = tuple(it.day for it in commit.days_in("done"))
        stopped = {it.day: it.reason or "" for it in commit.days_in("stopped")} | commit.kept
        status = "done" if done or changed else "unchanged"
        if any(day in self.window for day in stopped):
            status = "stopped"
        return StageResult(
            stage=self.stage,
            subject=self.subject,
            window=self.window,
            run_id=self.run_id,
            status=status,
            done=done,
            stopped=stopped,
            absent={it.day: it.reason or "" for it in commit.days_in("absent")},
            notes=tuple(commit.notes),
            changed_days=tuple(it.day for it in changed),
            **commit.rows,
        )

    def _open(self) -> None:
        """Bury runs that died, record that this one has begun, and read the days."""
        with self.warehouse.transaction() as connection:
            runs.open_run(
                connection, self.run_id, self.stage, self.subject, self.window, self.context
            )
            self.states = day_states(connection, self.stage, self.subject)

    def _record(self, connection: sa.Connection, result: StageResult, **more: Any) -> None:
        runs.close_run(
            connection,
            self.run_id,
            self.context.instant(),
            status=result.status,
            rows_in=result.rows_in,
            rows_out=result.rows_out,
            rows_held=result.rows_held,
            notes=list(result.notes) or None,
            **more,
        )

    def _fail(self, error: BaseException) -> None:
        """Record how the run failed; what it has committed stays and keeps its counts."""
        status = "waiting" if isinstance(error, SourceNotReady) else "failed"
        if isinstance(error, (DaysStopped, DayAbsent)):
            status = "stopped"
        if self._result is not None:
            self._result = replace(self._result, status=status)
        try:
            with self.warehouse.transaction() as connection:
                told = runs.one_line(error)
                at = self.context.instant()
                runs.close_run(connection, self.run_id, at, status=status, error=told)
        except (NightshiftError, sa.exc.SQLAlchemyError) as trouble:
            _log.warning("the failure of run %s could not be recorded: %s", self.run_id, trouble)


@contextmanager
def stage_run(
    warehouse: Warehouse, stage: str, subject: str, window: Window, context: RunContext
) -> Iterator[StageRun]:
    """Run a stage under its lock, with its row in `stage_runs` from begin to end.

    A block that neither commits nor finishes ends as `unchanged`. A block that raises ends as
    `waiting` (`SourceNotReady`), `stopped` (`DaysStopped`, `DayAbsent`) or `failed`, and the
    error goes on. A row left `running` by a process that died becomes `crashed`.

    Raises `ConfigurationError` before `./nightshift init`, `LockHeld` when another run of the
    stage and subject does not end in time, `StorageUnavailable`.
    """
    require_current(warehouse)
    with lock(warehouse, stage, subject, timeout=context.lock_timeout) as verify_lock:
        run = StageRun(warehouse, stage, subject, window, context, verify_lock)
        run._open()
        try:
            yield run
            if not run.finished:
                run.finish()
        except BaseException as error:
            run._fail(error)
            raise
