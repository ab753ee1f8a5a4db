"""`make up` and `make down`: Airflow and MLflow in the background, on the same state."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from include import catalog
from include.errors import NightshiftError
from include.orchestration.local import airflow
from include.orchestration.local.client import AirflowClient
from include.orchestration.local.environment import ADMIN, admin_password, airflow_environment
from include.orchestration.local.processes import (
    Running,
    exclusive,
    free_port,
    log_file,
    read_running,
    start,
    stop,
    this_process,
)
from include.orchestration.local.progress import Progress
from include.settings import Settings

MLFLOW = "mlflow"
DATASET_DAGS = ("nightly", "backfill")
USE_CASE_DAGS = ("nightly", "train", "backfill", "rollback")
OPERATIONS_DAGS = ("nightshift_watch", "nightshift_acknowledge", "nightshift_housekeeping")


def main(arguments: list[str] | None = None) -> int:
    """Carry out `up` or `down`; returns the exit code."""
    wanted = (sys.argv[1:] if arguments is None else arguments) or ["up"]
    console = Console(highlight=False)
    try:
        settings = Settings.from_env(os.environ)
        with exclusive(settings.home):
            if wanted == ["down"]:
                down(settings.home, console)
            else:
                up(settings, os.environ, console)
    except KeyboardInterrupt:
        console.print("\nstopped; nothing is left running")
        return 130
    except NightshiftError as error:
        console.print(f"[red]make {wanted[0]} failed:[/] {escape(str(error))}", soft_wrap=True)
        return 1
    return 0


def up(settings: Settings, env: Mapping[str, str], console: Console) -> None:
    """Start Airflow and MLflow in the background and print where they are.

    Raises:
        NightshiftError: something did not start; nothing is left running then.
    """
    home = settings.home
    found = read_running(home)
    if found is not None and found.purpose == "up" and not found.dead:
        console.print("already running:")
        _show(found, home, console)
        return
    if found is not None:
        console.print(f"ended by itself: {', '.join(found.dead) or 'nothing'}; starting again")
        stop(found, home)
    progress = Progress(console)
    port = free_port(8080)
    with progress.doing("preparing warehouse, feature store, model registry and Airflow"):
        airflow.prepare(airflow_environment(env, home, port, schedules=False))
    newest = newest_days(settings)
    old = stale(newest, datetime.now(UTC)) if settings.schedules else []
    running = Running(
        "up",
        {"Airflow": f"http://127.0.0.1:{port}"},
        schedules=settings.schedules and not old,
        owner=this_process(),
    )
    try:
        _start(settings, env, port, running, progress)
    except BaseException:
        stop(running, home)
        raise
    running.owner = None
    running.save(home)
    _show(running, home, console)
    _advise(newest, old, console)


def down(home: Path, console: Console) -> None:
    """Stop what `make up`, or a demo that was killed, left running on a home."""
    found = read_running(home)
    if found is None:
        console.print(f"nothing is running on {home}")
        return
    stop(found, home)
    console.print(f"stopped {', '.join(process.name for process in found.processes)}")


def newest_days(settings: Settings) -> dict[str, date | None]:
    """Return dataset → its newest landed day, None where nothing has landed."""
    from include.warehouse.stages import done_days
    from include.workspace import open_workspace

    with open_workspace(settings) as workspace, workspace.warehouse.reading() as connection:
        return {
            name: max(done_days(connection, "ingest", name), default=None)
            for name in catalog.dataset_names()
        }


def stale(newest: Mapping[str, date | None], now: datetime) -> list[str]:
    """Return the datasets whose newest day is further back than a night heals."""
    return [
        name
        for name, day in newest.items()
        if day is not None
        and (catalog.dataset(name).newest_ended_day(now) - day).days
        > catalog.dataset(name).heal_days
    ]


def _start(
    settings: Settings, env: Mapping[str, str], port: int, running: Running, progress: Progress
) -> None:
    home = settings.home
    local = airflow_environment(env, home, port, schedules=running.schedules)
    client = AirflowClient(running.addresses["Airflow"], ADMIN, admin_password(home))
    with contextlib.closing(client), progress.doing("starting Airflow and MLflow"):
        since = time.time()
        for name in airflow.COMPONENTS:
            airflow.start_component(name, local, running, home)
        _start_mlflow(settings, local, port, running)
        airflow.wait_for_api(client, running, home)
        broken = airflow.wait_for_dags(client, since, _dag_ids(), running, home)
        _wait_for_mlflow(running, home)
        for file, why in broken.items():
            progress.say(f"[yellow]{file} cannot be imported:[/] {escape(why)}")
        if running.schedules:
            for name in catalog.dataset_names():
                if at := client.next_run(f"{name}_nightly"):
                    zone = catalog.dataset(name).zone
                    running.nights[name] = f"{at.astimezone(zone):%Y-%m-%d %H:%M} {zone}"


def _start_mlflow(settings: Settings, env: Mapping[str, str], taken: int, running: Running) -> None:
    """Start MLflow's UI on the tracking database; a server elsewhere has its own."""
    store = settings.mlflow_tracking_uri
    if store.startswith(("http://", "https://")):
        running.addresses["MLflow"] = store
        return
    port = free_port(5000, taken=(taken,))
    running.addresses["MLflow"] = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--artifacts-destination", (settings.home / "mlflow" / "artifacts").as_uri()),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
    ]
    server = {
        # Not in the command, which everybody on the machine may read.
        "MLFLOW_BACKEND_STORE_URI": store,
        # Prompt optimisation and the like would start three more processes.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    start(MLFLOW, command, {**env, **server}, running, settings.home)


def _wait_for_mlflow(running: Running, home: Path) -> None:
    if any(process.name == MLFLOW for process in running.processes):
        address = running.addresses["MLflow"]
        airflow.wait_until(lambda: airflow.answers(address), "MLflow", running, home, MLFLOW)


def _dag_ids() -> set[str]:
    """Return the ids of the DAGs that the declarations stand for."""
    datasets = {f"{name}_{kind}" for name in catalog.dataset_names() for kind in DATASET_DAGS}
    use_cases = {f"{name}_{kind}" for name in catalog.use_case_names() for kind in USE_CASE_DAGS}
    return datasets | use_cases | set(OPERATIONS_DAGS)


def _advise(newest: Mapping[str, date | None], old: Sequence[str], console: Console) -> None:
    """Say what keeps the nights from being of use, and what to do about it."""
    for name in old:
        console.print(
            f"[yellow]Schedules are off:[/] the newest day of {name} is {newest[name]}, further "
            f"back than the {catalog.dataset(name).heal_days} days a night heals. To go live, run "
            f"{name}_backfill over the days you need up to yesterday, then make down and make up; "
            "on sample data, make demo without TODAY does the same."
        )
    for name in (name for name, day in newest.items() if day is None):
        console.print(
            f"nothing of {name} has landed yet: run {name}_backfill for its history, then train "
            "its use cases; on sample data, make demo does both"
        )


def _show(running: Running, home: Path, console: Console) -> None:
    login = f"  login {ADMIN} / {admin_password(home)}"
    for name, address in running.addresses.items():
        console.print(f"{name:8} {address}{login if name == 'Airflow' else ''}")
    console.print(f"logs in {log_file(home, 'scheduler').parent}; stop with make down")
    if not running.schedules:
        console.print("no night starts by itself; runs may be triggered by hand")
    for dataset, at in running.nights.items():
        console.print(f"next night of {dataset}: {at}")


if __name__ == "__main__":
    sys.exit(main())
