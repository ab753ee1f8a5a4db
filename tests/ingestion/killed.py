"""Lands the day of `deciding` in a child and kills the child, hard, after the first lake write.

The marker is written at the point itself.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from include.ingestion.landing import ingest
from include.lake.delta import Lake
from include.settings import Settings
from include.workspace import open_workspace
from tests.faults.killed import LAKE, after
from tests.ingestion.deciding import NIGHT, WEATHER
from tests.planted import NOW


def run(home: Path, marker: Path) -> None:
    """Land the day; does not return."""

    def die() -> None:
        marker.write_text(LAKE)
        os.kill(os.getpid(), signal.SIGKILL)

    after(Lake, "replace_days", die)
    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    with open_workspace(settings, now=NOW) as workspace:
        ingest(workspace, WEATHER, NIGHT)
