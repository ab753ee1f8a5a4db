"""The command as a person meets it: what it prints and how it ends."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from include.settings import REPOSITORY


def nightshift(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the shell command on a home of its own."""
    return subprocess.run(
        [str(REPOSITORY / "nightshift"), *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NIGHTSHIFT_HOME": str(home),
            "COLUMNS": "200",
            **env,
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def last_line(process: subprocess.CompletedProcess[str]) -> str:
    return process.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ingest", "nyc_fligths", "--from", "2013-01-01", "--to", "2013-01-02"], "nyc_flights"),
        (["score", "nothing", "--from", "2013-01-01", "--to", "2013-01-02"], "flight_delay"),
        (["backfill", "nothing", "--from", "2013-01-01", "--to", "2013-01-02"], "flight_delay"),
        (
            ["ingest", "nyc_flights", "--from", "2013-01-09", "--to", "2013-01-02"],
            "first day 2013-01-09 is after last day 2013-01-02",
        ),
        (["features", "nyc_flights", "--from", "soon", "--to", "2013-01-02"], "YYYY-MM-DD"),
        (["models", "nyc_flights"], "there is no use case called 'nyc_flights'"),
    ],
)
def test_a_wrong_request_is_one_clear_line(home: Path, arguments: list[str], words: str) -> None:
    process = nightshift(home, *arguments)
    assert process.returncode == 2
    assert last_line(process).startswith("error: ")
    assert words in last_line(process)
    assert "Traceback" not in process.stderr


def test_before_init_every_stage_names_init(home: Path) -> None:
    process = nightshift(
        home, "ingest", "nyc_flights", "--from", "2013-01-01", "--to", "2013-01-01"
    )
    assert process.returncode == 1
    assert "./nightshift init" in last_line(process)


def test_a_walk_from_init_to_status(home: Path) -> None:
    for _ in range(2):
        init = nightshift(home, "init")
        assert init.returncode == 0, init.stderr
    window = ["--from", "2013-02-12", "--to", "2013-02-12"]
    landed = nightshift(home, "ingest", "nyc_flights", *window)
    assert landed.returncode == 0, landed.stderr
    assert "1 day done (2013-02-12)" in landed.stdout and "1 held" in landed.stdout
    held = nightshift(home, "quarantine", "list", "nyc_flights")
    assert "wind_speed_plausible" in held.stdout
    future = nightshift(home, "ingest", "nyc_flights", "--from", "2099-01-01", "--to", "2099-01-01")
    assert future.returncode == 2 and "has not ended" in last_line(future)
    built = nightshift(
        home, "features", "nyc_flights", "--from", "2013-02-12", "--to", "2013-02-13"
    )
    assert built.returncode == 1
    assert "2013-02-13: the day has not landed" in last_line(built)
    scored = nightshift(home, "score", "flight_delay", *window)
    assert scored.returncode == 1
    assert "./nightshift train flight_delay" in last_line(scored)
    status = nightshift(home, "status")
    assert "ingest" in status.stdout and "no champion" in status.stdout


def test_a_warehouse_out_of_reach_is_named_without_its_password(home: Path) -> None:
    process = nightshift(
        home, "status", AIRFLOW_CONN_WAREHOUSE="postgres://ada:secret@127.0.0.1:1/night"
    )
    assert process.returncode == 1
    assert "127.0.0.1:1/night" in last_line(process)
    assert "secret" not in process.stderr
