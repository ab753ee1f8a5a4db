"""A person's answer about a model, through a real Airflow into the ledger.

Only the training is a stub, which proposes a registered model; waiting, answering and promoting
are real. One start (about half a minute) serves all tests here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from include.errors import UsageError
from include.orchestration.local.client import AirflowClient, Run
from include.settings import Settings
from include.training import ledger, release, succession
from include.training.ledger import Entry
from include.training.registry import open_registry
from include.workspace import open_workspace
from tests.model_nights import AS_OF, CASE, fitted
from tests.orchestration.local.real_airflow import airflow_on, finished, last_words, states

STUBS = '''
"""Airflow dag file of a test."""
from dataclasses import replace
from airflow.sdk import get_current_context
from include import catalog
from include.orchestration import dags, model_tasks, policy, tasks
from include.use_cases.flight_delay.declaration import USE_CASE

ASKING = replace(
    USE_CASE,
    gate=replace(USE_CASE.gate, approval="required", approval_hours=25 / 3600),
    training=replace(USE_CASE.training, refit=False),
)
catalog.use_case = lambda name: ASKING

def train(name):
    told = {"version": "1", "as_of": "2013-04-20", "brief": "| auc | 0.6543 |"}
    if not get_current_context()["params"]["promote"]:
        return {**told, "verdict": "kept"}
    from include.training import ledger
    with tasks.task_workspace() as workspace, workspace.warehouse.transaction() as connection:
        ledger.decide(
            connection, ledger.registration(connection, name, "1"), "proposed",
            actor="test", reason="better", evidence={"champion": None}, at=workspace.now,
        )
    return {**told, "verdict": "proposed"}

model_tasks.train = train
training = dags.training_dag(ASKING, __doc__)
'''

DAG = "flight_delay_train"
PLAIN = replace(CASE, training=replace(CASE.training, refit=False))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("approval") / "home"


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[AirflowClient]:
    often = {"AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1"}
    with airflow_on(
        home, STUBS, {DAG}, options=often, meanwhile=lambda: register_a_model(home)
    ) as (opened, _):
        yield opened


def settings_of(home: Path) -> Settings:
    return Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")


def register_a_model(home: Path) -> None:
    """Put a real model into registry and ledger; nobody has decided about it."""
    candidate = fitted()
    version = release.register(open_registry(settings_of(home), CASE.name), CASE, candidate)
    assert version.version == "1"
    with (
        open_workspace(settings_of(home)) as workspace,
        workspace.warehouse.transaction() as connection,
    ):
        ledger.append(
            connection,
            use_case=CASE.name,
            model_version="1",
            sha256=candidate.model.sha256,
            event="registered",
            actor="test",
            reason="trained",
            evidence=candidate.evidence,
            artifact_uri=version.artifact_uri,
            as_of=AS_OF,
            at=workspace.now,
        )


def question(client: AirflowClient, run: Run, pause: float) -> dict[str, Any]:
    """Wait for the open question of a run."""
    path = f"/dags/{DAG}/dagRuns/{run.run_id}/taskInstances/approve/-1/hitlDetails"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            asked = client._get(path)
        except UsageError:  # 404: not asked yet
            time.sleep(pause)
            continue
        return {**asked, "path": path}
    raise AssertionError(f"{run} asks nothing: {client.tasks(run)}")


def answer(
    client: AirflowClient, asked: dict[str, Any], option: str, reason: str | None = None
) -> None:
    form = {} if reason is None else {"reason": reason}
    client._send("PATCH", asked["path"], {"chosen_options": [option], "params_input": form})


def parked(client: AirflowClient, run: Run) -> None:
    """Wait until the process that asks has ended."""
    deadline = time.monotonic() + 30
    while states(client, run)["approve"] != "awaiting_input":
        assert time.monotonic() < deadline, client.tasks(run)
        time.sleep(0.1)


def newest(home: Path) -> Entry:
    with (
        open_workspace(settings_of(home)) as workspace,
        workspace.warehouse.reading() as connection,
    ):
        return ledger.history(connection, CASE.name)[-1]


def champion(home: Path) -> str | None:
    return open_registry(settings_of(home), CASE.name).champion()


def test_nobody_is_asked_about_a_model_the_gate_keeps_out(client: AirflowClient) -> None:
    run = finished(client, client.trigger(DAG, conf={"promote": False}))

    assert run.state == "success"
    assert states(client, run) == {"train": "success", "approve": "skipped", "promote": "skipped"}


def test_a_rejection_reaches_the_ledger_with_its_author_and_reason(
    client: AirflowClient, home: Path
) -> None:
    run = client.trigger(DAG)
    asked = question(client, run, pause=0.2)
    parked(client, run)
    answer(client, asked, "Reject", "too few flights")

    assert finished(client, run).state == "success"
    assert asked["subject"] == "flight_delay: may version 1, trained as of 2013-04-20, serve?"
    assert asked["body"] == "| auc | 0.6543 |"
    entry = newest(home)
    assert (entry.event, entry.actor) == ("kept", "airflow:admin")
    assert "too few flights" in entry.reason
    assert champion(home) is None


def test_without_an_answer_the_champion_stays_and_the_ledger_says_so(
    client: AirflowClient, home: Path
) -> None:
    run = finished(client, client.trigger(DAG))

    assert run.state == "success"
    assert set(states(client, run).values()) == {"success"}
    entry = newest(home)
    assert (entry.event, entry.actor) == ("kept", f"airflow:{run.run_id}")
    assert "nobody answered" in entry.reason
    assert champion(home) is None


def test_an_approval_in_the_moment_of_asking_puts_the_model_into_service(
    client: AirflowClient, home: Path
) -> None:
    run = client.trigger(DAG)
    answer(client, question(client, run, pause=0.02), "Approve", "looks right")
    while not run.finished:
        # Airflow may take so quick an answer for a failure of the process that asks, and ask
        # again; a person would answer again, and by then not so quickly.
        asked = question(client, run, pause=0.2)
        if not asked["response_received"] and states(client, run)["approve"] == "awaiting_input":
            answer(client, asked, "Approve", "looks right")
        time.sleep(0.2)
        run = client.run(DAG, run.run_id)

    if run.state != "success":
        assert "Airflow lost the answer; give it again" in last_words(client, run, "promote")
        with open_workspace(settings_of(home)) as workspace:
            said = {"approved": True, "actor": "airflow:admin", "reason": "looks right"}
            succession.conclude(workspace, PLAIN, "1", **said)
    assert states(client, run)["approve"] == "success"
    entry = newest(home)
    assert (entry.event, entry.actor, entry.model_version) == ("promoted", "airflow:admin", "1")
    assert "looks right" in entry.reason and "better" in entry.reason
    assert champion(home) == "1"
