"""A real Airflow on DAGs that a test writes, and what a test asks it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from include.orchestration.local import airflow
from include.orchestration.local.client import AirflowClient, Run
from include.orchestration.local.environment import ADMIN, admin_password, airflow_environment
from include.orchestration.local.processes import Running, free_port, members, stop


@contextmanager
def airflow_on(
    home: Path,
    dag_file: str,
    dag_ids: set[str],
    *,
    options: Mapping[str, str] = {},
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[tuple[AirflowClient, Running]]:
    """Run Airflow on one DAG file until the end of the block; nothing may be left behind.

    Args:
        home: where it lives.
        dag_file: source of the DAG file.
        dag_ids: DAGs to wait for.
        options: environment variables beside those of a local Airflow.
        meanwhile: called once the home is prepared, while Airflow starts.
    """
    dags = home / "dags"
    dags.mkdir(parents=True)
    (dags / "stubs.py").write_text(dag_file)
    port = free_port(8380)
    env = airflow_environment(os.environ, home, port, schedules=False)
    env |= {"AIRFLOW__CORE__DAGS_FOLDER": str(dags), **options}
    running = Running("up", {}, schedules=False)
    client = AirflowClient(f"http://127.0.0.1:{port}", ADMIN, admin_password(home))
    try:
        airflow.prepare(env)
        since = time.time()
        for name in ("api-server", "dag-processor", "scheduler"):
            airflow.start_component(name, env, running, home)
        meanwhile()
        airflow.wait_for_api(client, running, home)
        broken = airflow.wait_for_dags(client, since, dag_ids, running, home)
        assert broken == {}
        yield client, running
    finally:
        sessions = [process.pid for process in running.processes]
        stop(running, home, grace=3)
        client.close()
    assert list(members(sessions)) == []


def finished(client: AirflowClient, run: Run) -> Run:
    """Wait for the end of a run."""
    deadline = time.monotonic() + 90
    while not run.finished:
        assert time.monotonic() < deadline, f"{run} hangs: {client.tasks(run)}"
        time.sleep(0.3)
        run = client.run(run.dag_id, run.run_id)
    return run


def announced(client: AirflowClient, dag_id: str, key: str, how_many: int = 1) -> Run:
    """Wait for the newest of so many runs of a partition."""
    deadline = time.monotonic() + 60
    while len(runs := client.runs(dag_id, key)) < how_many:
        assert time.monotonic() < deadline, f"nothing started {dag_id} {key}"
        time.sleep(0.3)
    return runs[0]


def states(client: AirflowClient, run: Run) -> dict[str, str]:
    """Return task → state of a run."""
    return {task.task_id: task.state for task in client.tasks(run)}


def last_words(client: AirflowClient, run: Run, task_id: str) -> str:
    """Return the line that says why a task failed."""
    (task,) = [task for task in client.tasks(run) if task.task_id == task_id]
    (line,) = [line for line in client.log_lines(run, task) if line.startswith("FAILED ")]
    return line
