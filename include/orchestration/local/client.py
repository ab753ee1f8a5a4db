"""A small client of Airflow's REST API on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from include.errors import SourceUnreachable, UsageError

FINISHED = ("success", "failed")


@dataclass(frozen=True)
class Run:
    """A DAG run as the API tells it."""

    dag_id: str
    run_id: str
    state: str
    partition_key: str | None

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen in it."""
        return self.state in FINISHED


@dataclass(frozen=True)
class TaskTry:
    """A task of a run: how it stands and how long it has taken, in seconds."""

    task_id: str
    state: str
    try_number: int
    seconds: float


class AirflowClient:
    """Talks to the API as `admin`; logs in again when the token has expired."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self.address = address
        self._login = {"username": user, "password": password}
        # The machine's proxies have no business between two programs on it.
        self._http = httpx.Client(base_url=address, timeout=30, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def log_in(self) -> bool:
        """Fetch a token; False when the API does not answer yet."""
        try:
            answer = self._http.post("/auth/token", json=self._login)
        except httpx.TransportError:
            return False
        if answer.is_server_error or answer.status_code == 404:
            return False
        self._checked(answer, "logging in")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return True

    def scheduler_is_well(self) -> bool:
        """Whether a scheduler has reported lately."""
        return bool(self._get("/monitor/health")["scheduler"]["status"] == "healthy")

    def dags_parsed_since(self, since: float) -> set[str]:
        """Return the ids of the DAGs that were parsed after `since`, seconds since the epoch."""
        dags = self._get("/dags", limit=500)["dags"]
        return {
            dag["dag_id"]
            for dag in dags
            if dag["last_parsed_time"] and _seconds(dag["last_parsed_time"]) >= since
        }

    def import_errors(self, since: float) -> dict[str, str]:
        """Return DAG file → trace for the files that could not be imported after `since`."""
        errors = self._get("/importErrors", limit=100)["import_errors"]
        return {
            error["filename"]: error["stack_trace"]
            for error in errors
            if _seconds(error["timestamp"]) >= since
        }

    def next_run(self, dag_id: str) -> datetime | None:
        """Return when cron will start the DAG's next run, UTC; None if it will not."""
        due = self._get(f"/dags/{dag_id}/details")["next_dagrun_run_after"]
        return datetime.fromisoformat(due) if due else None

    def trigger(
        self, dag_id: str, *, partition_key: str | None = None, conf: Mapping[str, Any] = {}
    ) -> Run:
        """Start a run, of a partition or with a form's values."""
        body = {"logical_date": None, "conf": dict(conf), "partition_key": partition_key}
        return _run(self._send("POST", f"/dags/{dag_id}/dagRuns", body))

    def run(self, dag_id: str, run_id: str) -> Run:
        """Return how a run stands."""
        return _run(self._get(f"/dags/{dag_id}/dagRuns/{run_id}"))

    def runs(self, dag_id: str, partition_key: str | None = None) -> list[Run]:
        """Return the runs of a DAG, newest first; of one partition if asked."""
        found = self._get(f"/dags/{dag_id}/dagRuns", limit=100, order_by="-run_after")
        runs = [_run(run) for run in found["dag_runs"]]
        return [run for run in runs if partition_key in (None, run.partition_key)]

    def unfinished_runs(self) -> list[Run]:
        """Return the runs of all DAGs that are queued or running."""
        found = self._get("/dags/~/dagRuns", limit=500, state=["queued", "running"])
        return [_run(run) for run in found["dag_runs"]]

    def give_up(self, run: Run) -> None:
        """Mark a run failed, so that the scheduler leaves it alone."""
        self._send("PATCH", f"/dags/{run.dag_id}/dagRuns/{run.run_id}", {"state": "failed"})

    def tasks(self, run: Run) -> list[TaskTry]:
        """Return the tasks of a run in the order in which they started."""
        path = f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances"
        found = self._get(path, limit=100)["task_instances"]
        found.sort(key=lambda task: (task["start_date"] or "9999", task["task_id"]))
        return [
            TaskTry(
                task_id=task["task_id"],
                state=task["state"] or "waiting",
                try_number=task["try_number"],
                seconds=task["duration"] or 0.0,
            )
            for task in found
        ]

    def log_lines(self, run: Run, task: TaskTry) -> list[str]:
        """Return the texts of a task's log."""
        path = (
            f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances/{task.task_id}"
            f"/logs/{task.try_number}"
        )
        content = self._get(path, full_content=True)["content"]
        return [str(line["event"]) if isinstance(line, dict) else str(line) for line in content]

    def _get(self, path: str, **query: Any) -> Any:
        return self._request("GET", path, params=query)

    def _send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        return self._request(method, path, json=body)

    def _request(self, method: str, path: str, **arguments: Any) -> Any:
        what = f"{method} {path}"
        headers = {"Accept": "application/json"}
        try:
            answer = self._http.request(method, f"/api/v2{path}", headers=headers, **arguments)
            if answer.status_code == 401 and self.log_in():
                answer = self._http.request(method, f"/api/v2{path}", headers=headers, **arguments)
        except httpx.TransportError as error:
            raise SourceUnreachable(
                f"Airflow at {self.address} does not answer ({error}); is it still running?"
            ) from None
        self._checked(answer, what)
        return answer.json() if answer.content else None

    def _checked(self, answer: httpx.Response, what: str) -> None:
        if answer.is_error:
            try:
                detail = answer.json()["detail"]
            except (ValueError, KeyError):
                detail = answer.text
            raise UsageError(f"Airflow refused {what} ({answer.status_code}): {detail}")


def _run(fields: Mapping[str, Any]) -> Run:
    return Run(
        dag_id=fields["dag_id"],
        run_id=fields["dag_run_id"],
        state=fields["state"],
        partition_key=fields.get("partition_key"),
    )


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
