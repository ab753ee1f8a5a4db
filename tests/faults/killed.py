"""Runs one stage and kills its own process, hard, at a named point.

`python -m tests.faults.killed HOME STAGE DAY POINT MARKER`: the marker file is written at
the point itself, so that a test can prove it was reached.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from include.lake.delta import Lake
from include.warehouse.stages import StageRun
from include.window import Window
from tests.history import opened
from tests.night.nights import STAGES

LAKE, BEGIN, COMMIT = "after the first lake write", "after begin", "before the commit ends"


def main(home: str, stage: str, day: str, point: str, marker: str) -> None:
    """Run the stage for the day; does not return when the point is reached."""

    def die() -> None:
        Path(marker).write_text(point)
        os.kill(os.getpid(), signal.SIGKILL)

    PLANTS[point](die)
    with opened(Path(home)) as workspace:
        STAGES[stage](workspace, Window.night(date.fromisoformat(day)), 35)


def _after(owner: type, name: str, die: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def dying(*arguments: Any, **named: Any) -> Any:
        original(*arguments, **named)
        die()

    setattr(owner, name, dying)


def _inside_commit(die: Callable[[], None]) -> None:
    original = StageRun.commit

    @contextmanager
    def dying(self: StageRun) -> Any:
        with original(self) as commit:
            yield commit
            die()

    StageRun.commit = dying  # type: ignore[method-assign]


PLANTS: dict[str, Callable[[Callable[[], None]], None]] = {
    LAKE: lambda die: _after(Lake, "replace_days", die),
    BEGIN: lambda die: _after(StageRun, "begin", die),
    COMMIT: _inside_commit,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
