"""Follows DAG runs and tells what happens: which run, which task, how long it took."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

from rich.console import Console
from rich.status import Status

from include.errors import NightshiftError
from include.orchestration.local.client import AirflowClient, Run, TaskTry

POLL = 0.7
"""Seconds between two looks."""

ANNOUNCEMENT_TIMEOUT = 120.0
"""Seconds until a run that an asset event should have started counts as lost."""


class RunFailed(NightshiftError):
    """A DAG run failed; the text names the task and its last words."""


@dataclass
class Progress:
    """Prints a line per finished task, and on a terminal what is running now."""

    console: Console
    started: float = field(default_factory=time.monotonic)
    _told: set[tuple[str, str, int, str]] = field(default_factory=set)
    _status: Status | None = None

    @property
    def elapsed(self) -> str:
        """Time since the start, as minutes and seconds."""
        seconds = int(time.monotonic() - self.started)
        return f"{seconds // 60}:{seconds % 60:02d}"

    def say(self, text: str) -> None:
        """Print a line with the elapsed time before it."""
        self.console.print(f"[dim]{self.elapsed:>6}[/]  {text}", highlight=False, soft_wrap=True)

    @contextmanager
    def doing(self, text: str) -> Iterator[None]:
        """Show what is going on while the block runs; print it where there is no terminal."""
        if not self.console.is_terminal:
            self.say(text)
            yield
            return
        with self.console.status(text) as self._status:
            yield
        self._status = None

    def now(self, text: str) -> None:
        """Change what is shown as going on."""
        if self._status is not None:
            self._status.update(f"{text} [dim]· {self.elapsed}[/]")

    def tell_tasks(self, label: str, tasks: list[TaskTry]) -> None:
        """Print the tasks that have ended since the last look."""
        for task in tasks:
            if task.state in ("running", "queued", "scheduled", "restarting"):
                self.now(f"{label} · {task.task_id}")
            mark = (label, task.task_id, task.try_number, task.state)
            if task.state not in _MARKS or mark in self._told:
                continue
            self._told.add(mark)
            self.say(f"{_MARKS[task.state]} {label} · {task.task_id} [dim]{task.seconds:.1f} s[/]")


_MARKS = {
    "success": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "up_for_retry": "[yellow]↻ trying again:[/]",
    "up_for_reschedule": "[yellow]… waiting:[/]",
}


def follow(client: AirflowClient, progress: Progress, run: Run, label: str) -> None:
    """Wait for a run and tell its tasks; raises `RunFailed` unless it succeeded."""
    while not run.finished:
        time.sleep(POLL)
        run = client.run(run.dag_id, run.run_id)
        tell(client, progress, run, label)


def follow_nights(
    client: AirflowClient,
    progress: Progress,
    producer: str,
    days: Iterable[date],
    consumers: Sequence[str],
) -> None:
    """Queue a run of `producer` per day, and wait for each and for what it starts.

    Raises:
        RunFailed: a run failed, or the run of one of `consumers` that it announced never came.
    """
    before = {run.run_id for consumer in consumers for run in client.runs(consumer)}
    keys = [day.isoformat() for day in days]
    nights = {client.trigger(producer, partition_key=key).run_id for key in keys}
    wanted = {(dag_id, key) for dag_id in (producer, *consumers) for key in keys}
    told: set[str] = set()
    announced: dict[tuple[str, str], float] = {}
    finished: set[tuple[str, str]] = set()
    while not finished >= wanted:
        time.sleep(POLL)
        runs = [run for run in client.runs(producer) if run.run_id in nights]
        for consumer in consumers:
            runs += [run for run in client.runs(consumer) if run.run_id not in before]
        for run in reversed(runs):
            if run.state == "queued" or run.run_id in told:
                continue
            tell(client, progress, run, f"{run.dag_id} {run.partition_key}")
            if run.finished:
                told.add(run.run_id)
        finished = {(run.dag_id, str(run.partition_key)) for run in runs if run.finished}
        started = {(run.dag_id, str(run.partition_key)) for run in runs}
        for dag_id, key in sorted(wanted - started):
            if (producer, key) in finished:
                _wait_for(dag_id, key, producer, announced)


def _wait_for(
    consumer: str, key: str, producer: str, announced: dict[tuple[str, str], float]
) -> None:
    """Raise `RunFailed` when a run that was announced has not come for too long."""
    since = announced.setdefault((consumer, key), time.monotonic())
    if time.monotonic() - since > ANNOUNCEMENT_TIMEOUT:
        raise RunFailed(
            f"{consumer} for {key} did not start within {ANNOUNCEMENT_TIMEOUT:.0f} s of its "
            f"announcement by {producer}"
        )


def tell(client: AirflowClient, progress: Progress, run: Run, label: str) -> None:
    """Print what is new about a run; raises `RunFailed` when it has failed."""
    tasks = client.tasks(run)
    progress.tell_tasks(label, tasks)
    if run.state == "failed":
        raise RunFailed(_why(client, run, tasks, label))


def _why(client: AirflowClient, run: Run, tasks: list[TaskTry], label: str) -> str:
    for task in tasks:
        if task.state == "failed":
            lines = client.log_lines(run, task)
            words = [line for line in lines if line.startswith("FAILED ")] or lines[-1:]
            return f"{label} failed in {task.task_id}: {' '.join(words[-1:])}"
    return f"{label} failed without a failed task; look at it in the Airflow UI"
