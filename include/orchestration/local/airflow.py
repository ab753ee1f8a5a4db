"""A local Airflow: its database, its components, whether they are well."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from include.errors import NightshiftError
from include.orchestration.local.client import AirflowClient
from include.orchestration.local.processes import Running, log_file, start
from include.settings import REPOSITORY

COMPONENTS = {
    "api-server": ["api-server"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
}
"""Log servers would listen on every interface; on one machine the UI reads the files."""

START_TIMEOUT = 180.0


class DidNotStart(NightshiftError):
    """A component ended, or was not ready in time; the text names its log."""


def prepare(env: Mapping[str, str]) -> None:
    """Bring Airflow's database, and what `./nightshift init` prepares, up to date.

    Raises:
        DidNotStart: one of them failed; the text ends with its last words.
    """
    commands = {
        "./nightshift init": [sys.executable, "-m", "include", "init"],
        "airflow db migrate": _airflow("db", "migrate"),
    }
    started = {
        what: subprocess.Popen(
            command,
            env=dict(env),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for what, command in commands.items()
    }
    try:
        for what, process in started.items():
            told, _ = process.communicate()
            if process.returncode:
                lines = [line for line in told.splitlines() if line.strip()]
                raise DidNotStart(f"{what} failed: {' '.join(lines[-3:]) or 'it said nothing'}")
    finally:
        for process in started.values():
            process.kill()
            process.wait()


def start_component(name: str, env: Mapping[str, str], running: Running, home: Path) -> None:
    """Start one of `COMPONENTS`."""
    start(name, _airflow(*COMPONENTS[name]), env, running, home)


def wait_until(
    ready: Callable[[], bool], what: str, running: Running, home: Path, log: str
) -> None:
    """Wait until `ready`; raises `DidNotStart` when a component ends or time runs out."""
    deadline = time.monotonic() + START_TIMEOUT
    while not ready():
        for name in running.dead:
            raise DidNotStart(f"{name} ended while starting; {_last_line(home, name)}")
        if time.monotonic() > deadline:
            raise DidNotStart(
                f"{what} was not ready after {START_TIMEOUT:.0f} s; see {log_file(home, log)}"
            )
        time.sleep(0.2)


def wait_for_api(client: AirflowClient, running: Running, home: Path) -> None:
    """Wait until the API answers and lets the admin in."""
    wait_until(client.log_in, "Airflow's API server", running, home, "api-server")


def wait_for_dags(
    client: AirflowClient, since: float, expected: set[str], running: Running, home: Path
) -> dict[str, str]:
    """Wait until every DAG has been parsed and a scheduler is at work.

    Args:
        since: seconds since the epoch; a DAG parsed before may be of another version.

    Returns:
        DAG file → why it could not be imported; its DAGs are not waited for.
    """
    broken: dict[str, str] = {}

    def ready() -> bool:
        if not client.scheduler_is_well():
            return False
        for file, trace in client.import_errors(since).items():
            broken[file] = trace.strip().splitlines()[-1]
        return bool(broken) or expected <= client.dags_parsed_since(since)

    wait_until(ready, "the DAGs", running, home, "dag-processor")
    return broken


def answers(address: str) -> bool:
    """Whether a web server answers at an address."""
    try:
        return httpx.get(address, timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _airflow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]


def _last_line(home: Path, name: str) -> str:
    log = log_file(home, name)
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return f"its last words in {log}: {lines[-1] if lines else '(none)'}"
