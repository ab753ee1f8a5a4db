"""`make up` and `make down`: Airflow and MLflow in the background, on the same state."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console

from include import catalog
from include.declare import Dataset
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
from include.settings import TELEMETRY_OFF, Settings


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
        console.print(f"[red]make {wanted[0]} failed:[/] {error}")
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
        stop(found, home)
    progress = Progress(console)
    with progress.doing("preparing warehouse, feature store and model registry"):
        airflow.run_quietly(
            [sys.executable, "-m", "include", "init"], {**env, **TELEMETRY_OFF}, "./nightshift init"
        )
    stale = stale_datasets(settings, datetime.now(UTC)) if settings.schedules else {}
    port = free_port(8080)
    running = Running(
        "up",
        {"Airflow": f"http://127.0.0.1:{port}"},
        schedules=settings.schedules and not stale,
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
    for dataset, newest in stale.items():
        console.print(
            f"[yellow]Schedules are off:[/] the newest day of {dataset.name} is {newest}, further "
            f"back than the {dataset.heal_days} days a night heals. To go live, run "
            f"{dataset.name}_backfill from the day after it to yesterday, then make down, make up."
        )


def down(home: Path, console: Console) -> None:
    """Stop what `make up`, or a demo that was killed, left running on a home."""
    found = read_running(home)
    if found is None:
        console.print(f"nothing is running on {home}")
        return
    stop(found, home)
    console.print(f"stopped {', '.join(process.name for process in found.processes)}")


def stale_datasets(settings: Settings, now: datetime) -> dict[Dataset, date]:
    """Return dataset → its newest landed day, where nights no longer reach back to it."""
    from include.warehouse.stages import done_days
    from include.workspace import open_workspace

    stale = {}
    with open_workspace(settings) as workspace, workspace.warehouse.reading() as connection:
        for name in catalog.dataset_names():
            dataset = catalog.dataset(name)
            days = done_days(connection, "ingest", name)
            if days and (dataset.newest_ended_day(now) - max(days)).days > dataset.heal_days:
                stale[dataset] = max(days)
    return stale


def _start(
    settings: Settings, env: Mapping[str, str], port: int, running: Running, progress: Progress
) -> None:
    home = settings.home
    local = airflow_environment(env, home, port, schedules=running.schedules)
    client = AirflowClient(running.addresses["Airflow"], ADMIN, admin_password(home))
    with progress.doing("starting Airflow"):
        airflow.migrate(local)
        since = time.time()
        for name in airflow.COMPONENTS:
            airflow.start_component(name, local, running, home)
        airflow.wait_for_api(client, running, home)
        airflow.wait_for_dags(client, since, _dag_ids(), running, home)
    with progress.doing("starting MLflow"):
        _start_mlflow(settings, local, port, running)
    client.close()


def _start_mlflow(settings: Settings, env: Mapping[str, str], taken: int, running: Running) -> None:
    """Start MLflow's UI on the tracking database; a server elsewhere has its own."""
    store = settings.mlflow_tracking_uri
    if store.startswith(("http://", "https://")):
        running.addresses["MLflow"] = store
        return
    port = free_port(5000, taken=(taken,))
    command = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", store),
        *("--artifacts-destination", (settings.home / "mlflow" / "artifacts").as_uri()),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
    ]
    server = {
        # Prompt optimisation and the like would start three more processes.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    start("mlflow", command, {**env, **server}, running, settings.home)
    running.addresses["MLflow"] = f"http://127.0.0.1:{port}"
    airflow.wait_until(
        lambda: airflow.answers(running.addresses["MLflow"]),
        "MLflow",
        running,
        settings.home,
        "mlflow",
    )


def _dag_ids() -> set[str]:
    """Return the ids of the DAGs that the declarations stand for."""
    datasets = {f"{name}_{kind}" for name in catalog.dataset_names() for kind in DATASET_DAGS}
    use_cases = {f"{name}_{kind}" for name in catalog.use_case_names() for kind in USE_CASE_DAGS}
    return datasets | use_cases


DATASET_DAGS = ("nightly", "backfill")
USE_CASE_DAGS = ("nightly", "train", "backfill")


def _show(running: Running, home: Path, console: Console) -> None:
    login = f"  login {ADMIN} / {admin_password(home)}"
    for name, address in running.addresses.items():
        console.print(f"{name:8} {address}{login if name == 'Airflow' else ''}")
    console.print(
        f"schedules {'are live' if running.schedules else 'are off'}; logs in "
        f"{log_file(home, 'scheduler').parent}; stop with make down"
    )


if __name__ == "__main__":
    sys.exit(main())
