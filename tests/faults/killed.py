"""Runs one stage in a child and kills the child, hard, at a named point.

The marker file is written at the point itself, so that a test can prove it was reached.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from include.lake.delta import Lake
from include.warehouse.stages import StageRun
from include.window import Window
from tests.history import opened
from tests.night.nights import STAGES
from tests.night.stages import without_pages

LAKE, BEGIN, COMMIT = "after the first lake write", "after begin", "before the commit ends"


def run(home: Path, stage: str, night: Window, point: str, marker: Path) -> None:
    """Run the stage for a night; does not return when the point is reached."""

    def die() -> None:
        marker.write_text(point)
        os.kill(os.getpid(), signal.SIGKILL)

    PLANTS[point](die)
    with without_pages(), opened(home) as workspace:
        STAGES[stage](workspace, night, 35)


def after(owner: Any, name: str, act: Callable[[], None]) -> None:
    """Act after each call of a function or method."""
    original = getattr(owner, name)

    def called(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        act()
        return result

    setattr(owner, name, called)


def before(owner: Any, name: str, act: Callable[[], None]) -> None:
    """Act before each call of a function or method."""
    original = getattr(owner, name)

    def called(*arguments: Any, **named: Any) -> Any:
        act()
        return original(*arguments, **named)

    setattr(owner, name, called)


def _inside_commit(die: Callable[[], None]) -> None:
    original = StageRun.commit

    @contextmanager
    def dying(self: StageRun, **given: Any) -> Any:
        with original(self, **given) as commit:
            yield commit
            die()

    StageRun.commit = dying  # type: ignore[method-assign]


PLANTS: dict[str, Callable[[Callable[[], None]], None]] = {
    LAKE: lambda die: after(Lake, "replace_days", die),
    BEGIN: lambda die: after(StageRun, "begin", die),
    COMMIT: _inside_commit,
}
