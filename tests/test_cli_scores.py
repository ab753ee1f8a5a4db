"""The commands about published scores, called in this process: what they print and refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from typer.testing import CliRunner

from include import catalog
from include.cli import app
from include.declare_model import Sanity
from include.errors import ConfigurationError, DaysStopped, NightshiftError, UsageError
from include.scoring.score import score
from include.settings import Settings
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.migrate import upgrade
from include.workspace import open_workspace
from tests.model_nights import CASE, NIGHTS, crown, fitted, frames, prepare, wire

Run = Callable[..., str]
STRICT = replace(CASE, scoring=replace(CASE.scoring, sanity=Sanity(least_nights=1)))
DAY = NIGHTS.end


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an installation of its own; returns what it printed, or raises."""
    monkeypatch.setenv("NIGHTSHIFT_HOME", str(settings.home))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"sqlite:///{settings.home / 'warehouse.db'}")
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setattr("include.cli_console.out.width", 300)

    def command(*arguments: str) -> str:
        done = CliRunner().invoke(app, list(arguments), catch_exceptions=True)
        if isinstance(done.exception, NightshiftError):
            raise done.exception
        assert done.exit_code == 0, done.output
        return " ".join(done.output.split())

    return command


@pytest.fixture
def held(settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation in which a night with a third of its flights is held."""
    rows = frames()
    wire(monkeypatch, rows[~(rows["data_day"].eq(DAY) & (rows["flight"] % 3 > 0))])
    monkeypatch.setattr(catalog, "use_case", lambda _name: STRICT)
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        prepare(workspace)
        crown(workspace, fitted())
        with pytest.raises(DaysStopped, match="held"):
            score(workspace, STRICT, NIGHTS)
    return settings


def test_a_held_night_is_shown_and_released(held: Settings, run: Run) -> None:
    day = str(DAY)
    shown = run("readiness", CASE.name)
    assert "late" in shown and "nyc_flights has not run for it" in shown
    said = run("release", CASE.name, day, "--reason", "an air traffic strike")
    assert f"score flight_delay {day}: 1 day done ({day})" in said
    with pytest.raises(UsageError, match=r"was released by ada .*\(an air traffic strike\)"):
        run("release", CASE.name, day, "--reason", "again")


def test_a_release_wants_a_day_that_is_held_and_a_reason(held: Settings, run: Run) -> None:
    with pytest.raises(UsageError, match=f"nothing is held of 2013-04-21; held days: {DAY}"):
        run("release", CASE.name, "2013-04-21", "--reason", "why not")
    with pytest.raises(UsageError, match="is not a day"):
        run("release", CASE.name, "yesterday", "--reason", "why not")
    with pytest.raises(UsageError, match="say why"):
        run("release", CASE.name, str(DAY), "--reason", " ")


def test_the_last_seven_mornings_are_shown(settings: Settings, run: Run) -> None:
    with pytest.raises(ConfigurationError, match="nightshift init"):
        run("readiness")
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        assert run("readiness") == "nothing is in service, so no scores are due"
        crown(workspace, fitted())
    shown = run("readiness")
    newest = USE_CASE.dataset.newest_ended_day(datetime.now(UTC))
    targets = [date.fromordinal(newest.toordinal() + 1 - age) for age in range(8)]
    assert [str(it) in shown for it in targets] == [True] * 7 + [False]
    with pytest.raises(UsageError, match="there is no use case called 'nyc_flights'"):
        run("readiness", "nyc_flights")
