"""A real Airflow with stages that do nothing: what the scheduler makes of the wiring.

One start (about half a minute) serves all tests here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from include.errors import UsageError
from include.orchestration.local.client import AirflowClient
from include.orchestration.local.processes import Running, members
from tests.orchestration.local.real_airflow import (
    airflow_on,
    announced,
    finished,
    last_words,
    states,
)

# The DAGs of the sample, their stages replaced by bodies that only look for their days.
STUBS = '''
"""Airflow dag file of a test."""
import os, pathlib, time
from datetime import UTC, datetime, timedelta
from airflow.sdk import get_current_context
from include.errors import SourceNotReady, SourceUnreachable
from include.orchestration import dags, model_tasks, tasks

def body(step):
    def run(name):
        context = get_current_context()
        window, _ = tasks.requested_days(DATASET, context)
        first = pathlib.Path(os.environ["AIRFLOW_HOME"], f"{name}-{step}-{window.start}")
        if step == "ingest" and not first.exists():
            first.touch()
            if window.start.isoformat() == "2013-10-02":
                with tasks.task_workspace():
                    soon = datetime.now(UTC) + timedelta(seconds=2)
                    raise SourceNotReady(window.start, soon, "not ready yet")
            if window.start.isoformat() == "2013-10-03":
                raise SourceUnreachable("nobody answers")
        if step == "ingest" and window.start.isoformat() == "2013-10-05":
            print("read", orders(window.start))
        if window.start.isoformat() == "2013-10-06":
            raise ValueError("a mistake")
        told = {"day": str(window)}
        if window.start.isoformat() == "2013-10-04" and step == "monitor":
            told["retrain"] = "every column moved"
        return told
    run.__name__ = step
    return run

for step in ("ingest", "build_features", "materialise_online", "score", "monitor"):
    setattr(tasks, step, body(step))

def orders(day):
    from include import catalog
    from include.declare_source import Database, QueryTable, Times
    from tests.ingestion.sources import shop

    table = QueryTable(table="orders", times=Times(day="placed_at"))
    with tasks.task_workspace() as workspace:
        dataset = shop.shop(Database("shop", {"orders": table}))
        source = catalog.load_source(dataset, workspace.settings.connections)
        return source.read(shop.ORDERS, [day])["number"].to_pylist()

def train(name):
    print("trained with", dict(get_current_context()["params"]))
    return {"verdict": "kept"}

model_tasks.train = train

from include.datasets.nyc_flights.declaration import DATASET
from include.orchestration import policy
from include.use_cases.flight_delay.declaration import USE_CASE

original = policy.default_args
policy.default_args = lambda owner: {**original(owner), "retry_delay": timedelta(seconds=1)}
nightly, backfill, quarantine = dags.dataset_dags(DATASET, __doc__)
scoring, training, rescoring, rollback = dags.use_case_dags(USE_CASE, __doc__)
'''

DAG_IDS = {
    "nyc_flights_nightly",
    "nyc_flights_backfill",
    "flight_delay_nightly",
    "flight_delay_train",
}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AirflowClient, Running]]:
    home = tmp_path_factory.mktemp("airflow") / "home"
    with airflow_on(home, STUBS, DAG_IDS) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(started: tuple[AirflowClient, Running]) -> AirflowClient:
    return started[0]


def test_a_keyed_run_starts_the_use_case_with_its_key_though_schedules_are_off(
    client: AirflowClient,
) -> None:
    run = finished(client, client.trigger("nyc_flights_nightly", partition_key="2013-10-01"))

    assert run.state == "success"
    night = finished(client, announced(client, "flight_delay_nightly", "2013-10-01"))
    assert night.state == "success"
    assert states(client, night) == {"score": "success", "monitor": "success", "retrain": "skipped"}
    assert client.runs("flight_delay_train") == []


def test_a_drifted_night_starts_one_training_however_often_it_is_repeated(
    client: AirflowClient,
) -> None:
    outcomes = []
    for repeated in (1, 2):
        finished(client, client.trigger("nyc_flights_nightly", partition_key="2013-10-04"))
        night = announced(client, "flight_delay_nightly", "2013-10-04", repeated)
        assert finished(client, night).state == "success"
        outcomes.append(states(client, night)["retrain"])

    assert outcomes == ["success", "skipped"]
    (asked,) = client.runs("flight_delay_train")
    assert asked.run_id == "retrain__2013-10-04"
    trained = finished(client, asked)
    assert trained.state == "success"
    (task,) = client.tasks(trained)
    lines = client.log_lines(trained, task)
    assert "trained with {'as_of': '2013-10-04', 'promote': True}" in " ".join(lines)


def test_waiting_for_the_source_and_trying_again_end_well(client: AirflowClient) -> None:
    runs = [
        client.trigger("nyc_flights_nightly", partition_key=key)
        for key in ("2013-10-02", "2013-10-03")
    ]
    waited, retried = (finished(client, run) for run in runs)

    assert (waited.state, retried.state) == ("success", "success")
    tries = {
        run.partition_key: task.try_number
        for run in (waited, retried)
        for task in client.tasks(run)
        if task.task_id == "ingest"
    }
    assert tries == {"2013-10-02": 1, "2013-10-03": 2}


def test_a_source_is_reached_through_a_connection_that_only_airflow_has(
    client: AirflowClient, tmp_path: Path
) -> None:
    file = tmp_path / "shop.db"
    with closing(sqlite3.connect(file)) as shop, shop:
        shop.execute("CREATE TABLE orders (number, price, gift, note, placed_at)")
        values = "(?, 9.5, 1, 'ring', ?)"
        shop.execute(f"INSERT INTO orders VALUES {values}", (7, "2013-10-05 12:00:00"))
        shop.execute(f"INSERT INTO orders VALUES {values}", (8, "2013-10-06 12:00:00"))
    added = {"connection_id": "shop", "conn_type": "sqlite", "host": str(file)}
    client._send("POST", "/connections", added)

    run = finished(client, client.trigger("nyc_flights_nightly", partition_key="2013-10-05"))

    assert run.state == "success"
    (ingest,) = [task for task in client.tasks(run) if task.task_id == "ingest"]
    assert "read [7]" in " ".join(client.log_lines(run, ingest))


def test_a_mistake_fails_at_once(client: AirflowClient) -> None:
    run = finished(client, client.trigger("nyc_flights_nightly", partition_key="2013-10-06"))

    assert run.state == "failed"
    (ingest,) = [task for task in client.tasks(run) if task.task_id == "ingest"]
    assert ingest.try_number == 1
    assert "2013-10-06" in last_words(client, run, "ingest")
    assert client.runs("flight_delay_nightly", "2013-10-06") == []


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (None, "Trigger → Advanced options → Partition key: YYYY-MM-DD"),
        ("2013-1-5", "is not a day; write it as YYYY-MM-DD"),
        ("2099-01-01", "lies in the future"),
    ],
)
def test_a_run_without_a_usable_key_fails_at_once_and_says_what_to_enter(
    client: AirflowClient, key: str | None, words: str
) -> None:
    run = finished(client, client.trigger("nyc_flights_nightly", partition_key=key))

    assert run.state == "failed"
    assert words in last_words(client, run, "ingest")


def test_airflow_refuses_rubbish_before_a_run_begins(client: AirflowClient) -> None:
    with pytest.raises(UsageError, match="does not match"):
        client.trigger("nyc_flights_nightly", partition_key="rubbish")
    with pytest.raises(UsageError, match="first_day"):
        client.trigger("nyc_flights_backfill", conf={"first_day": "x", "last_day": "2013-01-02"})
    with pytest.raises(UsageError, match="first_day"):
        client.trigger("nyc_flights_backfill")


def test_a_backfill_that_fails_in_part_goes_on_and_ends_failed(client: AirflowClient) -> None:
    form = {"first_day": "2013-10-03", "last_day": "2013-10-04"}
    good = finished(client, client.trigger("nyc_flights_backfill", conf=form))
    assert good.state == "success"
    assert states(client, good)["fail_incomplete"] == "skipped"

    form = {"first_day": "2013-10-06", "last_day": "2013-10-07"}
    bad = finished(client, client.trigger("nyc_flights_backfill", conf=form))
    assert bad.state == "failed"
    assert states(client, bad)["ingest"] == "failed"
    assert states(client, bad)["fail_incomplete"] == "failed"


def test_only_the_api_listens_and_on_this_machine_alone(
    started: tuple[AirflowClient, Running],
) -> None:
    _, running = started
    ours = {process.pid for process in running.processes}
    listening = {
        connection.laddr
        for pid in members(ours)
        for connection in psutil.Process(pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert len({address.port for address in listening}) == 1


def test_no_night_is_due_while_schedules_are_off(client: AirflowClient) -> None:
    assert client.next_run("nyc_flights_nightly") is None
    assert client.next_run("flight_delay_train") is None
