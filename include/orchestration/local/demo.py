"""`make demo`: the main job on sample data, through the real scheduler, and what came of it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape

from include import catalog
from include.declare import Dataset
from include.errors import NightshiftError, UsageError
from include.orchestration.local import airflow
from include.orchestration.local.client import AirflowClient
from include.orchestration.local.environment import (
    ADMIN,
    admin_password,
    airflow_environment,
    demo_environment,
)
from include.orchestration.local.processes import (
    Running,
    exclusive,
    free_port,
    read_running,
    stop,
    this_process,
)
from include.orchestration.local.progress import Progress, RunFailed, follow, follow_nights
from include.settings import Settings
from include.window import Window, parse_day

DATASET = "nyc_flights"
HISTORY_DAYS = 39 * 7
NIGHTS = 7


@dataclass(frozen=True)
class Plan:
    """The days of a demo.

    Attributes:
        history: backfilled, and trained on.
        nights: run one by one, oldest first.
    """

    history: Window
    nights: tuple[date, ...]


def plan(dataset: Dataset, today: str | None, now: datetime) -> Plan:
    """Return the days of a demo on `today`, or on the newest day whose eve is ready.

    Raises:
        UsageError: `today` is no day, lies in the future, or leaves too little history.
    """
    newest = dataset.newest_ended_day(now)
    if now < dataset.expected_at(newest):
        newest -= timedelta(days=1)
    last = parse_day(today) - timedelta(days=1) if today else newest
    if last > newest:
        raise UsageError(
            f"TODAY={today} lies in the future: the newest day that {dataset.name} has is "
            f"{newest}; give TODAY={newest + timedelta(days=1)} or earlier"
        )
    nights = Window(last - timedelta(days=NIGHTS - 1), last)
    before = nights.start - timedelta(days=1)
    history = Window(before - timedelta(days=HISTORY_DAYS - 1), before)
    if history.start < dataset.first_day:
        earliest = dataset.first_day + timedelta(days=HISTORY_DAYS + NIGHTS)
        raise UsageError(
            f"TODAY={today} leaves too little history: {dataset.name} begins on "
            f"{dataset.first_day}, so give TODAY={earliest} or later"
        )
    return Plan(history, nights.days)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--today", metavar="YYYY-MM-DD", help="pretend that this is today")
    today = parser.parse_args(arguments).today or None
    console = Console(highlight=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        env = demo_environment(os.environ)
        home = Settings.from_env(env, code_revision="not read").home
        days = plan(catalog.dataset(DATASET), today, datetime.now(UTC))
        names = [use_case.name for use_case in catalog.use_cases_of(DATASET)]
        with exclusive(home):
            run_demo(env, home, days, names, Progress(console))
    except KeyboardInterrupt:
        console.print("\nstopped; nothing is left running, and make demo goes on from here")
        return 130
    except NightshiftError as error:
        console.print(f"[red]make demo failed:[/] {escape(str(error))}", soft_wrap=True)
        return 1
    return 0


def run_demo(
    env: Mapping[str, str], home: Path, days: Plan, use_cases: Sequence[str], progress: Progress
) -> None:
    """Run the demo's days for use cases of the dataset and print what came of them.

    Raises:
        NightshiftError: a run failed, or a table stayed empty.
    """
    _make_way(home, progress)
    port = free_port(8080)
    here = f"http://127.0.0.1:{port}"
    running = Running("demo", {"Airflow": here}, schedules=False, owner=this_process())
    local = airflow_environment(env, home, port, schedules=False)
    client = AirflowClient(here, ADMIN, admin_password(home))
    try:
        _start(local, home, use_cases, running, client, progress)
        progress.say(f"Airflow UI: {here}  login {ADMIN} / {admin_password(home)}")
        _run_days(client, days, use_cases, progress)
    except RunFailed as failure:
        raise RunFailed(f"{failure} (all logs: {home / 'airflow' / 'logs'})") from None
    finally:
        _stop_undisturbed(running, home, progress)
        client.close()

    from include.orchestration.local import summary

    summary.show(
        Settings.from_env(env),
        catalog.dataset(DATASET),
        [catalog.use_case(name) for name in use_cases],
        days.history,
        days.nights,
        progress.console,
    )
    progress.say("[green]done[/]: every run succeeded and every table has rows")


def _make_way(home: Path, progress: Progress) -> None:
    """Stop what a demo that was killed left running; leave a `make up` alone."""
    found = read_running(home)
    if found is None:
        return
    if found.purpose == "up" and len(found.dead) < len(found.processes):
        raise UsageError(
            f"Airflow is running on {home} by make up; run make down first, or set "
            "NIGHTSHIFT_HOME to another folder"
        )
    progress.say("stopping what an earlier run left behind")
    stop(found, home)


def _start(
    env: Mapping[str, str],
    home: Path,
    use_cases: Sequence[str],
    running: Running,
    client: AirflowClient,
    progress: Progress,
) -> None:
    with progress.doing("preparing warehouse, feature store, model registry and Airflow"):
        airflow.prepare(env)
    with progress.doing("starting Airflow"):
        since = time.time()
        airflow.start_component("api-server", env, running, home)
        airflow.start_component("dag-processor", env, running, home)
        airflow.wait_for_api(client, running, home)
        # An interrupted demo leaves runs behind, which a scheduler would take up first.
        for run in client.unfinished_runs():
            client.give_up(run)
        airflow.start_component("scheduler", env, running, home)
        expected = {f"{DATASET}_nightly", f"{DATASET}_backfill"}
        expected |= {f"{name}_{kind}" for name in use_cases for kind in ("nightly", "train")}
        for file, why in airflow.wait_for_dags(client, since, expected, running, home).items():
            raise airflow.DidNotStart(f"{file} cannot be imported: {why}")


def _run_days(
    client: AirflowClient, days: Plan, use_cases: Sequence[str], progress: Progress
) -> None:
    first, last = days.history.start.isoformat(), days.history.end.isoformat()
    with progress.doing(f"{DATASET}_backfill: {len(days.history)} days of history"):
        conf: dict[str, object] = {"first_day": first, "last_day": last}
        run = client.trigger(f"{DATASET}_backfill", conf=conf)
        follow(client, progress, run, f"{DATASET}_backfill {first} … {last}")
    for name in use_cases:
        with progress.doing(f"{name}_train: as of {last}"):
            run = client.trigger(f"{name}_train", conf={"as_of": last, "promote": True})
            follow(client, progress, run, f"{name}_train as of {last}")
    with progress.doing(f"{NIGHTS} nights, {days.nights[0]} … {days.nights[-1]}"):
        scoring = [f"{name}_nightly" for name in use_cases]
        follow_nights(client, progress, f"{DATASET}_nightly", days.nights, scoring)


def _stop_undisturbed(running: Running, home: Path, progress: Progress) -> None:
    """Stop Airflow to the end, also when Ctrl-C is pressed again."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with progress.doing("stopping Airflow"):
            stop(running, home)
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
