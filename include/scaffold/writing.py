"""Writes the files of a new dataset or use case: all of them, or none."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from subprocess import PIPE, STDOUT, run

from include.errors import ConfigurationError, UsageError
from include.settings import REPOSITORY

CONTRACTS = Path("tests/contracts")


def write(files: Mapping[Path, str], repository: Path = REPOSITORY) -> None:
    """Write files below the repository.

    Raises:
        UsageError: one of them is there already; nothing has been written.
        ConfigurationError: one cannot be written; those before it are gone again.
    """
    there = [str(path) for path in files if (repository / path).exists()]
    if there:
        raise UsageError(f"there is {', '.join(there)} already; nothing was written")
    made: list[Path] = []
    try:
        for path, text in files.items():
            _make_folder((repository / path).parent, made)
            made.append(repository / path)
            (repository / path).write_text(text, encoding="utf-8")
    except OSError as error:
        undo(made)
        raise ConfigurationError(f"nothing was written: {error}") from error


def undo(made: list[Path]) -> None:
    """Remove files and folders that were made, newest first."""
    for path in reversed(made):
        if path.is_dir():
            path.rmdir()
        elif path.is_file():
            path.unlink()


def command(name: str) -> str:
    """Return what runs the contract tests of a dataset or use case."""
    return f"PYTHONPATH=. .venv/bin/python -m pytest {CONTRACTS} -k {name}"


def check(name: str, repository: Path = REPOSITORY) -> tuple[bool | None, str]:
    """Run the contract tests of a dataset or use case.

    Returns whether they passed, None if they cannot run here; and what they said, or the command
    that runs them.
    """
    if find_spec("pytest") is None:
        return None, f"make install-dev && {command(name)}"
    if not (repository / CONTRACTS).is_dir():
        return None, command(name)
    done = run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", CONTRACTS, "-k", name],
        cwd=repository,
        stdout=PIPE,
        stderr=STDOUT,
        text=True,
        check=False,
    )
    return done.returncode == 0, done.stdout


def _make_folder(folder: Path, made: list[Path]) -> None:
    if not folder.exists():
        _make_folder(folder.parent, made)
        folder.mkdir()
        made.append(folder)
