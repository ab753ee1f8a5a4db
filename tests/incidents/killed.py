"""Tells of what is wrong in a child and kills the child, hard, when the channel has been told.

The message is written into the marker.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from include.incidents import book, telling
from include.incidents.message import Message
from include.settings import Settings
from include.workspace import open_workspace
from tests.incidents.troubles import NOON


def run(home: Path, marker: Path) -> None:
    """Look and tell; does not return."""

    def dying(message: Message) -> None:
        marker.write_text(str(message.events))
        os.kill(os.getpid(), signal.SIGKILL)

    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    with open_workspace(settings, now=NOON) as workspace:
        book.watch(workspace)
        telling.tell(workspace, {"people": dying})
