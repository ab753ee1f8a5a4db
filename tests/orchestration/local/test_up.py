from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from rich.console import Console

from include.datasets.nyc_flights.declaration import DATASET
from include.orchestration.local import up
from include.orchestration.local.processes import Process, Running, this_process
from include.settings import Settings
from include.warehouse.migrate import upgrade
from include.warehouse.stages import stage_run
from include.window import Window
from include.workspace import open_workspace

DAY = date(2013, 10, 7)


def now(days_later: int) -> datetime:
    """Noon of the day after `DAY`, and so many days later."""
    return DATASET.cutoff(DAY) + timedelta(days=days_later, hours=12)


@pytest.mark.parametrize(
    ("days_later", "stale"), [(0, False), (DATASET.heal_days, False), (DATASET.heal_days + 1, True)]
)
def test_a_state_no_night_reaches_back_to_is_stale(
    settings: Settings, days_later: int, stale: bool
) -> None:
    with open_workspace(settings, now=now(0)) as workspace:
        upgrade(workspace.warehouse)
        night = Window.night(DAY)
        with stage_run(
            workspace.warehouse, "ingest", DATASET.name, night, workspace.context
        ) as run:
            run.begin(night)
            with run.commit() as commit:
                commit.done(DAY, "in", "out")

    newest = up.newest_days(settings)

    assert newest == {"nyc_flights": DAY}
    assert up.stale(newest, now(days_later)) == (["nyc_flights"] if stale else [])


def test_a_fresh_state_is_not_stale(settings: Settings) -> None:
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
    newest = up.newest_days(settings)
    assert newest == {"nyc_flights": None}
    assert up.stale(newest, now(0)) == []


def test_a_second_up_says_what_is_running(settings: Settings) -> None:
    home = settings.home
    (home / "airflow").mkdir()
    me = this_process()
    Running(
        "up",
        {"Airflow": "http://127.0.0.1:8081"},
        schedules=False,
        processes=[Process("scheduler", me.pid, me.started)],
    ).save(home)
    console = Console(record=True, width=200)

    up.up(settings, {}, console)

    text = console.export_text()
    assert "already running" in text and "http://127.0.0.1:8081  login admin / " in text


def test_down_without_up_says_so(settings: Settings) -> None:
    console = Console(record=True, width=200)
    up.down(settings.home, console)
    assert "nothing is running" in console.export_text()
