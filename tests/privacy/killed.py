"""Forgets the subject of `test_forget` in a child and kills the child, hard, at a named point.

The marker is written at the point itself.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import ModuleType
from typing import Any

from include.lake import erasure as lake_rows
from include.warehouse import erasure as warehouse_rows
from tests.history import opened
from tests.privacy.test_forget import erase

POINTS: dict[str, tuple[ModuleType, str]] = {
    "lake": (lake_rows, "_rewrite"),
    "warehouse": (warehouse_rows, "erase_scores"),
}


def run(home: Path, point: str, marker: Path) -> None:
    """Forget; does not return when the point is reached."""
    module, name = POINTS[point]
    original = getattr(module, name)

    def dying(*arguments: Any, **named: Any) -> None:
        original(*arguments, **named)
        marker.write_text(point)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, name, dying)
    with opened(home) as workspace:
        erase(workspace)
