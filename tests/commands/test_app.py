"""The command as a person meets it: what it prints and how it ends."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from include.settings import REPOSITORY
from tests.commanded import Ended, commanded


def environment(home: Path) -> dict[str, str]:
    """Return the little that a command needs."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "NIGHTSHIFT_HOME": str(home),
        "COLUMNS": "200",
    }


def nightshift(home: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the shell command on a home of its own."""
    return subprocess.run(
        [str(REPOSITORY / "nightshift"), *arguments],
        env={**environment(home), **env},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def last_line(process: subprocess.CompletedProcess[str]) -> str:
    return process.stderr.strip().splitlines()[-1]


WRONG = [
    (["ingest", "nyc_fligths", "--from", "2013-01-01", "--to", "2013-01-02"], "nyc_flights"),
    (["score", "nothing", "--from", "2013-01-01", "--to", "2013-01-02"], "flight_delay"),
    (["backfill", "nothing", "--from", "2013-01-01", "--to", "2013-01-02"], "flight_delay"),
    (
        ["ingest", "nyc_flights", "--from", "2013-01-09", "--to", "2013-01-02"],
        "first day 2013-01-09 is after last day 2013-01-02",
    ),
    (["features", "nyc_flights", "--from", "soon", "--to", "2013-01-02"], "YYYY-MM-DD"),
    (["models", "nyc_flights"], "there is no use case called 'nyc_flights'"),
]
BEFORE_INIT = ["ingest", "nyc_flights", "--from", "2013-01-01", "--to", "2013-01-01"]


def test_the_shell_gets_the_line_and_the_exit_code(home: Path) -> None:
    arguments, words = WRONG[0]
    process = nightshift(home, *arguments)
    assert process.returncode == 2
    assert last_line(process).startswith("error: ")
    assert words in last_line(process)
    assert "Traceback" not in process.stderr


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> list[Ended]:
    """How wrong requests end, and one before `init`, in their order."""
    home = tmp_path_factory.mktemp("home")
    commands = [*(arguments for arguments, _ in WRONG), BEFORE_INIT]
    return commanded(REPOSITORY, commands, environment(home))


@pytest.mark.parametrize("place", range(len(WRONG)), ids=[" ".join(it) for it, _ in WRONG])
def test_a_wrong_request_is_one_clear_line(refused: list[Ended], place: int) -> None:
    process = refused[place]
    assert process.code == 2
    assert process.last_line.startswith("error: ")
    assert WRONG[place][1] in process.last_line
    assert "Traceback" not in process.err


def test_before_init_every_stage_names_init(refused: list[Ended]) -> None:
    process = refused[-1]
    assert process.code == 1
    assert "./nightshift init" in process.last_line


def test_a_walk_from_init_to_status(home: Path) -> None:
    window = ["--from", "2013-02-12", "--to", "2013-02-12"]
    commands = [
        ["init"],
        ["init"],
        ["ingest", "nyc_flights", *window],
        ["quarantine", "list", "nyc_flights"],
        ["ingest", "nyc_flights", "--from", "2099-01-01", "--to", "2099-01-01"],
        ["features", "nyc_flights", "--from", "2013-02-12", "--to", "2013-02-13"],
        ["score", "flight_delay", *window],
        ["status"],
    ]
    done = commanded(REPOSITORY, commands, environment(home))
    *inits, landed, held, future, built, scored, status = done
    assert [it.code for it in inits] == [0, 0], inits
    assert landed.code == 0, landed.err
    assert "1 day done (2013-02-12)" in landed.out and "1 held" in landed.out
    assert held.code == 0 and "wind_speed_plausible" in held.out
    assert future.code == 2 and "has not ended" in future.last_line
    assert built.code == 1
    assert "2013-02-13: the day has not landed" in built.last_line
    assert scored.code == 1
    assert "./nightshift train flight_delay" in scored.last_line
    assert status.code == 0 and "ingest" in status.out and "no champion" in status.out


def test_a_warehouse_out_of_reach_is_named_without_its_password(home: Path) -> None:
    process = nightshift(
        home, "status", AIRFLOW_CONN_WAREHOUSE="postgres://ada:secret@127.0.0.1:1/night"
    )
    assert process.returncode == 1
    assert "127.0.0.1:1/night" in last_line(process)
    assert "secret" not in process.stderr
