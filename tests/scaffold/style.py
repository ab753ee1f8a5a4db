"""The style of the repository, as `make lint` has it, of code that was written elsewhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from include.settings import REPOSITORY


def require_style(folders: Sequence[Path], modules: Sequence[Path]) -> None:
    """Fail unless folders are formatted and pass lint, and modules pass types.

    Each folder has a `pyproject.toml` of its own, so that the settings are those of the repository.
    """
    for command in (
        ["ruff", "check", "--no-cache", *folders],
        ["ruff", "format", "--check", "--no-cache", *folders],
        ["mypy", *modules],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *map(str, command)],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
