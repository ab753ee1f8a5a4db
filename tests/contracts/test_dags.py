"""What must hold for every DAG file, whichever dataset or use case it belongs to."""

from __future__ import annotations

import tests.airflow_home  # noqa: F401 - before airflow

# isort: split
import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

from include import catalog
from include.settings import REPOSITORY, TELEMETRY_OFF

DAGS = REPOSITORY / "dags"
FILES = sorted(DAGS.glob("*.py"))
LONGEST = 45
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
STAGES = "ingestion|validation|features|training|scoring|monitoring|warehouse|lake"
PURPOSES = {"nightly", "train", "backfill", "rollback", "quarantine", "operations"}

REPORT = """
import json, runpy, sys
loaded = {}
for file in sys.argv[1:]:
    before = set(sys.modules)
    runpy.run_path(file)
    loaded[file] = sorted(set(sys.modules) - before)
print(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def bag() -> DagBag:
    return DagBag(DAGS)


@pytest.fixture(params=FILES, ids=[file.stem for file in FILES])
def file(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture
def dags(bag: DagBag, file: Path) -> list[Any]:
    """The DAGs of one file."""
    assert str(file) not in bag.import_errors, bag.import_errors[str(file)]
    found = [dag for dag in bag.dags.values() if Path(dag.fileloc) == file]
    assert found, (
        f"dags/{file.name} gives no DAG: assign what dataset_dags or use_case_dags returns"
    )
    return found


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str]]:
    """File → the modules it loads that no file before it did, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *map(str, FILES)],
        env={**os.environ, **TELEMETRY_OFF, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", catalog.dataset_names())
def test_every_dataset_has_its_dags(bag: DagBag, name: str) -> None:
    _require(bag, name, "dataset_dags(DATASET, __doc__)", "nightly", "backfill", "quarantine")


@pytest.mark.parametrize("name", catalog.use_case_names())
def test_every_use_case_has_its_dags(bag: DagBag, name: str) -> None:
    steps = ("nightly", "train", "backfill", "rollback")
    _require(bag, name, "use_case_dags(USE_CASE, __doc__)", *steps)


def _require(bag: DagBag, name: str, call: str, *purposes: str) -> None:
    missing = {f"{name}_{purpose}" for purpose in purposes} - set(bag.dags)
    assert not missing, f"{', '.join(missing)} is missing: write dags/{name}.py, which calls {call}"
    elsewhere = {Path(bag.dags[f"{name}_{it}"].fileloc).name for it in purposes} - {f"{name}.py"}
    assert not elsewhere, f"the DAGs of {name} belong into dags/{name}.py, not into {elsewhere}"


def test_operations_have_their_dags(bag: DagBag) -> None:
    assert FILES, f"{DAGS} holds no DAG files"
    operations = {"nightshift_watch", "nightshift_acknowledge", "nightshift_housekeeping"}
    assert operations <= set(bag.dags)


def test_files_stay_thin(file: Path) -> None:
    lines = len(file.read_text().splitlines())
    assert lines <= LONGEST, (
        f"dags/{file.name} has {lines} lines, {LONGEST} are allowed: a DAG file is a docstring and "
        "wiring; move code into include/"
    )


def test_every_dag_explains_itself(dags: list[Any], file: Path) -> None:
    names = {*catalog.dataset_names(), *catalog.use_case_names(), "nightshift"}
    for dag in dags:
        assert dag.description, f"{dag.dag_id} has no description"
        assert dag.doc_md and "POST /api/v2/dags/" in dag.doc_md, (
            f"the docstring of dags/{file.name} shows no request that triggers a run: it is the "
            "runbook people read in Airflow; see dags/nyc_flights.py"
        )
        assert dag.dag_id in dag.doc_md, f"the docstring of dags/{file.name} lacks {dag.dag_id}"
        assert dag.tags & names, f"{dag.dag_id} is not tagged with its dataset or use case"
        assert dag.tags & PURPOSES, f"{dag.dag_id} is tagged with none of {sorted(PURPOSES)}"


def test_every_dag_keeps_the_schedule_rules(dags: list[Any]) -> None:
    for dag in dags:
        assert dag.start_date is None, f"{dag.dag_id} would run the moment Airflow starts"
        assert dag.catchup is False, f"{dag.dag_id} would run its past: set catchup=False"
        assert dag.max_active_runs == 1, f"{dag.dag_id} needs max_active_runs=1"


def test_every_task_follows_the_policy(dags: list[Any]) -> None:
    for dag in dags:
        assert dag.tasks, f"{dag.dag_id} has no tasks"
        for task in dag.tasks:
            where = f"{dag.dag_id}.{task.task_id} does not follow include/orchestration/policy.py: "
            assert task.owner and task.owner != "airflow", where + "no owner"
            assert task.retries >= 1, where + "no retries"
            assert task.retry_policy is not None, where + "no retry policy"
            limit = task.execution_timeout
            assert timedelta(0) < limit <= timedelta(hours=12), where + f"time-out {limit}"
            assert task.on_failure_callback, where + "nobody is told of a failure"
            assert task.start_date is None, where + "a start date"


def test_forms_are_typed_and_described(dags: list[Any]) -> None:
    for dag in dags:
        for name in dag.params:
            field = dag.params.get_param(name)
            told = (field.schema.get("type"), field.schema.get("title"), field.description)
            assert all(told), f"{dag.dag_id}: the field {name} lacks a type, title or description"


def test_serialised_twice_is_the_same(dags: list[Any], file: Path) -> None:
    again = DagBag(file).dags
    for dag in dags:
        text = _serialised(dag)
        assert text == _serialised(again[dag.dag_id]), (
            f"{dag.dag_id} gets a version at every parse: something in dags/{file.name} or its "
            "declaration is another each time; look for now(), sets, random"
        )
        back = DagSerialization.from_dict(json.loads(text))
        assert {task.task_id for task in back.tasks} == set(dag.task_ids)


def _serialised(dag: object) -> str:
    return json.dumps(DagSerialization.to_dict(dag), sort_keys=True, default=str)


def test_parsing_imports_nothing_heavy(imported: dict[str, list[str]], file: Path) -> None:
    """Every parse of every file and every task that starts would pay for it."""
    heavy = sorted(set(imported[str(file)]).intersection(HEAVY))
    stages = [it for it in imported[str(file)] if re.match(rf"include\.({STAGES})\b", it)]
    assert not [*heavy, *stages], (
        f"dags/{file.name} or the declaration it imports loads {', '.join([*heavy, *stages])}; "
        "import it inside the function that needs it"
    )


def test_the_modules_of_dags_are_looked_at(imported: dict[str, list[str]]) -> None:
    assert "include.orchestration.dags" in {name for found in imported.values() for name in found}
