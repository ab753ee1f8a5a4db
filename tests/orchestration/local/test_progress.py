from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest
from rich.console import Console

from include.orchestration.local import progress
from include.orchestration.local.client import Run, TaskTry
from include.orchestration.local.progress import Progress, RunFailed, follow, follow_nights

CONSUMERS = ("u_nightly", "v_nightly")
DAYS = (date(2013, 10, 1), date(2013, 10, 2))


@dataclass
class Scheduler:
    """Answers like the API: every look takes each run one state further."""

    outcome: Mapping[tuple[str, str | None], str] = field(default_factory=dict)
    announces: Sequence[str] = CONSUMERS
    kept: list[Run] = field(default_factory=list)

    def trigger(self, dag_id: str, *, partition_key: str | None = None, conf: Any = None) -> Run:
        run = Run(dag_id, f"{dag_id}-{len(self.kept)}", "queued", partition_key)
        self.kept.append(run)
        return run

    def run(self, dag_id: str, run_id: str) -> Run:
        (place,) = [n for n, run in enumerate(self.kept) if run.run_id == run_id]
        run = self.kept[place]
        if run.state == "running":
            end = self.outcome.get((run.dag_id, run.partition_key), "success")
            if end == "success" and run.dag_id == "d_nightly":
                for consumer in self.announces:
                    self.trigger(consumer, partition_key=run.partition_key)
            self.kept[place] = replace(run, state=end)
        elif run.state == "queued":
            self.kept[place] = replace(run, state="running")
        return self.kept[place]

    def runs(self, dag_id: str, partition_key: str | None = None) -> list[Run]:
        mine = [run for run in self.kept if run.dag_id == dag_id]
        return [self.run(dag_id, run.run_id) for run in reversed(mine)]

    def tasks(self, run: Run) -> list[TaskTry]:
        return [TaskTry("work", run.state, 1, 1.0)]

    def log_lines(self, run: Run, task: TaskTry) -> list[str]:
        return ["something", "FAILED for a reason", "::endgroup::"]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "POLL", 0)
    monkeypatch.setattr(progress, "ANNOUNCEMENT_TIMEOUT", 0.2)


@pytest.fixture
def told() -> Progress:
    return Progress(Console(record=True, width=120))


def test_every_task_is_told_once(told: Progress) -> None:
    scheduler: Any = Scheduler()
    follow(scheduler, told, scheduler.trigger("d_backfill"), "backfill")
    assert told.console.export_text().count("✓ backfill · work") == 1


def test_nights_are_done_when_what_they_started_is_done(told: Progress) -> None:
    scheduler: Any = Scheduler()
    for state in ("success", "failed"):  # of an earlier demo on the same home
        scheduler.kept.append(Run("u_nightly", f"old-{state}", state, "2013-10-01"))

    follow_nights(scheduler, told, "d_nightly", DAYS, CONSUMERS)

    text = told.console.export_text()
    for day in DAYS:
        assert text.count(f"✓ d_nightly {day}") == 1
        for consumer in CONSUMERS:
            assert text.count(f"✓ {consumer} {day}") == 1


@pytest.mark.parametrize("dag_id", ["d_nightly", *CONSUMERS])
def test_a_failed_run_ends_it_with_the_last_words_of_its_task(told: Progress, dag_id: str) -> None:
    scheduler: Any = Scheduler(outcome={(dag_id, "2013-10-02"): "failed"})
    with pytest.raises(RunFailed, match=f"{dag_id} 2013-10-02 failed in work: FAILED for a reason"):
        follow_nights(scheduler, told, "d_nightly", DAYS, CONSUMERS)


@pytest.mark.parametrize("lost", CONSUMERS)
def test_a_lost_announcement_is_an_error_and_no_endless_wait(told: Progress, lost: str) -> None:
    scheduler: Any = Scheduler(announces=[it for it in CONSUMERS if it != lost])
    with pytest.raises(RunFailed, match=rf"{lost} for 2013-10-0\d did not start"):
        follow_nights(scheduler, told, "d_nightly", DAYS, CONSUMERS)


def test_a_dataset_without_use_cases_lands_its_nights(told: Progress) -> None:
    scheduler: Any = Scheduler(announces=())
    follow_nights(scheduler, told, "d_nightly", DAYS, ())
    assert told.console.export_text().count("✓ d_nightly") == len(DAYS)
