"""What must hold for every DAG, whichever dataset or use case it belongs to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from include import catalog
from include.settings import REPOSITORY, TELEMETRY_OFF

DAGS = REPOSITORY / "dags"
FILES = sorted(DAGS.glob("*.py"))
HEAVY = (
    "duckdb",
    "deltalake",
    "evidently",
    "feast",
    "great_expectations",
    "mlflow",
    "numpy",
    "optuna",
    "pandas",
    "pyarrow",
    "sklearn",
    "xgboost",
)


def serialised(dag: object) -> str:
    return json.dumps(DagSerialization.to_dict(dag), sort_keys=True, default=str)


def test_every_file_gives_dags_and_no_errors(bag: DagBag) -> None:
    assert FILES, f"{DAGS} holds no DAG files"
    assert bag.import_errors == {}
    assert {Path(dag.fileloc) for dag in bag.dags.values()} == set(FILES)


def test_every_declaration_has_its_dags(bag: DagBag) -> None:
    datasets = {f"{n}_{p}" for n in catalog.dataset_names() for p in ("nightly", "backfill")}
    use_cases = {
        f"{n}_{p}"
        for n in catalog.use_case_names()
        for p in ("nightly", "train", "backfill", "rollback")
    }
    operations = {"nightshift_watch", "nightshift_housekeeping"}
    assert datasets | use_cases | operations <= set(bag.dags)


def test_files_stay_thin() -> None:
    lengths = {file.name: len(file.read_text().splitlines()) for file in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > 45} == {}


def test_every_dag_explains_itself(bag: DagBag) -> None:
    names = {*catalog.dataset_names(), *catalog.use_case_names(), "nightshift"}
    purposes = {"nightly", "train", "backfill", "rollback", "operations"}
    for dag in bag.dags.values():
        assert dag.description, dag.dag_id
        assert dag.doc_md and "POST /api/v2/dags/" in dag.doc_md, dag.dag_id
        assert dag.dag_id in dag.doc_md, f"the runbook of {dag.dag_id} does not name it"
        assert dag.tags & names and dag.tags & purposes, (dag.dag_id, dag.tags)


def test_every_dag_keeps_the_schedule_rules(bag: DagBag) -> None:
    for dag in bag.dags.values():
        assert dag.start_date is None, f"{dag.dag_id} would run the moment Airflow starts"
        assert dag.catchup is False, dag.dag_id
        assert dag.max_active_runs == 1, dag.dag_id


def test_every_task_follows_the_policy(bag: DagBag) -> None:
    for dag in bag.dags.values():
        assert dag.tasks, dag.dag_id
        for task in dag.tasks:
            where = f"{dag.dag_id}.{task.task_id}"
            assert task.owner and task.owner != "airflow", where
            assert task.retries >= 1, where
            assert task.retry_policy is not None, where
            assert timedelta(0) < task.execution_timeout <= timedelta(hours=12), where
            assert task.on_failure_callback, where
            assert task.start_date is None, where


def test_forms_are_typed_and_described(bag: DagBag) -> None:
    fields = [
        (f"{dag.dag_id}.{name}", dag.params.get_param(name))
        for dag in bag.dags.values()
        for name in dag.params
    ]
    assert fields
    for where, field in fields:
        assert field.schema.get("type"), where
        assert field.schema.get("title"), where
        assert field.description, where


def test_serialised_twice_is_the_same(bag: DagBag) -> None:
    again = DagBag(DAGS)
    for dag_id, dag in bag.dags.items():
        text = serialised(dag)
        assert text == serialised(again.dags[dag_id]), f"{dag_id} gets a version at every parse"
        back = DagSerialization.from_dict(json.loads(text))
        assert {task.task_id for task in back.tasks} == set(dag.task_ids)


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """The modules that are loaded once every DAG file has run in a process of its own."""
    program = (
        "import runpy, sys\n"
        f"for file in {[str(file) for file in FILES]!r}: runpy.run_path(file)\n"
        "print('\\n'.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **TELEMETRY_OFF, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_parsing_imports_nothing_heavy(imported: set[str]) -> None:
    assert "include.orchestration.dags" in imported
    assert imported.intersection(HEAVY) == set()


def test_parsing_imports_no_stage(imported: set[str]) -> None:
    stages = "ingestion|validation|features|training|scoring|monitoring|warehouse|lake"
    assert [name for name in imported if re.match(rf"include\.({stages})\b", name)] == []
