"""The `./nightshift` wrapper."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from include.settings import REPOSITORY


def test_without_an_installation_it_says_what_to_run(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "nightshift", tmp_path)
    done = subprocess.run(
        [tmp_path / "nightshift", "status"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "not installed yet; run 'make install'" in done.stderr


def test_it_finds_the_repository_from_anywhere(tmp_path: Path) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$PYTHONPATH|$DO_NOT_TRACK|$@"\n')
    python.chmod(0o755)
    shutil.copy(REPOSITORY / "nightshift", tmp_path)

    told = subprocess.run(
        [tmp_path / "nightshift", "score", "a b"],
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout == f"{tmp_path}|1|-m include score a b\n"
