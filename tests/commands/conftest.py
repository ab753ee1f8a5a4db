"""A command, called in this process, in an installation of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from include.commands.app import app
from include.errors import NightshiftError
from include.settings import Settings

Run = Callable[..., str]
"""Runs a command by its arguments, with `answer` for what it asks."""


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command; returns what it printed, in one line, or raises what it raised."""
    monkeypatch.setenv("NIGHTSHIFT_HOME", str(settings.home))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"sqlite:///{settings.home / 'warehouse.db'}")
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setattr("include.commands.console.out.width", 400)

    def command(*arguments: str, answer: str = "") -> str:
        done = CliRunner().invoke(app, list(arguments), input=answer)
        if isinstance(done.exception, NightshiftError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    return command
