"""Copies: of the repository, for tests that add to it as people do, and of homes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from include.settings import REPOSITORY

IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}
"""Commits do not depend on whose machine this is."""


def copy_repository(folder: Path) -> Path:
    """Copy what git knows of the repository, with changes, and commit it there on `main`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        file = REPOSITORY / name
        if file.is_file():  # not one that was removed and is not yet committed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, folder / name)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, "Upstream")
    return folder


def commit(repository: Path, message: str) -> None:
    """Commit everything."""
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", message)


def git(repository: Path, *arguments: str) -> str:
    """Run git; returns what it printed, raises `AssertionError` with it when it fails."""
    return run(repository, ["git", *arguments])


def run(folder: Path, command: list[str], **environment: str) -> str:
    """Run a command; returns what it printed, raises `AssertionError` with it when it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **IDENTITY, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def copy_of(home: Path, folder: Path) -> Path:
    """Copy a home; models stay where the ledger says they are.

    By `cp`, because a home has thousands of small files, which Python takes its time for.
    """
    assert not folder.exists(), f"{folder} is there already"
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-Rp", home, folder], check=True)
    return folder
