"""`./nightshift housekeeping`, as a person meets it."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.commands.app import app
from tests.upkeep.houses import CASE
from tests.upkeep.weeks import files


@pytest.fixture(autouse=True)
def environment(weeks_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The weeks are this installation; the time is now, so that even the scores are old."""
    monkeypatch.setenv("NIGHTSHIFT_HOME", str(weeks_home))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"sqlite:///{weeks_home / 'warehouse.db'}")


def test_a_dry_run_says_and_the_real_one_does(
    weeks_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "include")
    there = files(weeks_home)
    would = CliRunner().invoke(app, ["housekeeping", "--dry-run"], catch_exceptions=False)
    assert would.exit_code == 0
    assert would.stdout.startswith("housekeeping would free ")
    assert "nyc_flights/flights: 1 files to remove" in caplog.text
    assert files(weeks_home) == there
    did = CliRunner().invoke(app, ["housekeeping"], catch_exceptions=False)
    assert did.exit_code == 0
    assert did.stdout.startswith("housekeeping freed ")
    assert "nyc_flights/flights: 1 files removed" in caplog.text
    assert f"held rows of {CASE.dataset.name} nobody decided about: 1 deleted" in caplog.text
    assert len(files(weeks_home)) != len(there)
