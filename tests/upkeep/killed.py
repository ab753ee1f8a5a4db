"""Does the housekeeping in a child and kills the child, hard, at a named point.

The marker is written at the point itself.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from include.lake import upkeep
from include.upkeep import database, rows
from tests.upkeep.houses import DAYS_LATER, keep_house, later

Die = Callable[[], None]


def run(home: Path, point: str, marker: Path) -> None:
    """Keep house; does not return when the point is reached."""

    def die() -> None:
        marker.write_text(point)
        os.kill(os.getpid(), signal.SIGKILL)

    POINTS[point](die)
    with later(home, DAYS_LATER) as workspace:
        keep_house(workspace)


def _after(owner: Any, name: str) -> Callable[[Die], None]:
    def plant(die: Die) -> None:
        original = getattr(owner, name)

        def dying(*arguments: Any, **named: Any) -> None:
            original(*arguments, **named)
            die()

        setattr(owner, name, dying)

    return plant


def _amid_files(die: Die) -> None:
    """Remove one of the files that are to go, as a vacuum does, and die."""
    original = upkeep._vacuum

    def dying(table: DeltaTable, keep: Any, dry_run: bool) -> list[str]:
        listed = original(table, keep, True)
        if not dry_run:
            (Path(table.table_uri.removeprefix("file://")) / listed[0]).unlink()
            die()
        return listed

    upkeep._vacuum = dying


POINTS: dict[str, Callable[[Die], None]] = {
    "rows deleted": _after(rows, "delete"),
    "amid the files of a table": _amid_files,
    "all but the commit": _after(database, "care"),
}
