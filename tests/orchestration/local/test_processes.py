from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from include.errors import ConfigurationError, UsageError
from include.orchestration.local import processes
from include.orchestration.local.processes import Process, Running

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    # Ignores SIGTERM, and has a child in a process group of its own that does so too.
    "import os, signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = 'import time; time.sleep(600)'\n"
    "subprocess.Popen([sys.executable, '-c', child], process_group=0)\n"
    "open('ready', 'w').close()\n"
    "time.sleep(600)",
]


@pytest.fixture
def running() -> Running:
    return Running("up", {"Airflow": "http://127.0.0.1:8080"}, schedules=True)


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 20
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_was_started_is_remembered_and_stopped(home: Path, running: Running) -> None:
    process = processes.start("sleeper", SLEEP, os.environ, running, home)

    found = processes.read_running(home)
    assert found == running
    assert process.alive and found.dead == []

    processes.stop(found, home)
    assert not process.alive
    assert processes.read_running(home) is None


def test_stopping_leaves_nothing_of_the_session(home: Path, running: Running) -> None:
    process = processes.start("stubborn", STUBBORN, os.environ, running, home)
    wait_for(home / "ready")
    started = set(processes.members([process.pid]))
    assert len(started) == 2

    processes.stop(running, home, grace=0.5)

    assert list(processes.members([process.pid])) == []
    left = [psutil.Process(pid) for pid in started if psutil.pid_exists(pid)]
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in left)


def test_orphans_of_a_component_that_died_are_stopped_too(home: Path, running: Running) -> None:
    process = processes.start("stubborn", STUBBORN, os.environ, running, home)
    wait_for(home / "ready")
    psutil.Process(process.pid).kill()
    os.waitpid(process.pid, 0)
    assert running.dead == ["stubborn"]
    assert len(list(processes.members([process.pid]))) == 1

    processes.stop(running, home, grace=0.5)

    assert list(processes.members([process.pid])) == []


def test_a_process_id_used_again_is_not_taken_for_ours() -> None:
    mine = psutil.Process()
    assert Process("me", mine.pid, mine.create_time()).alive
    assert not Process("me", mine.pid, mine.create_time() - 3600).alive


def test_sessions_of_a_recycled_id_are_left_alone(home: Path, running: Running) -> None:
    other = subprocess.Popen(SLEEP, start_new_session=True)
    try:
        created = psutil.Process(other.pid).create_time()
        running.processes.append(Process("gone", other.pid, created - 3600))
        processes.stop(running, home, grace=0.2)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_two_programs_do_not_work_on_one_home(home: Path) -> None:
    with (
        processes.exclusive(home),
        pytest.raises(UsageError, match="is at work on"),
        processes.exclusive(home),
    ):
        pass
    with processes.exclusive(home):
        pass


def test_a_busy_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert processes.free_port(port) > port
        assert processes.free_port(port, taken=range(port, port + 3)) > port + 2


def test_a_port_busy_on_every_interface_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert processes.free_port(port) > port


def test_a_damaged_record_says_what_to_do(home: Path) -> None:
    (home / "airflow").mkdir()
    (home / "airflow" / "run.json").write_text("{")
    with pytest.raises(ConfigurationError, match="delete it and start again"):
        processes.read_running(home)
