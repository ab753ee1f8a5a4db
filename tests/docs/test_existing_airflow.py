"""What `docs/existing-airflow.md` tells people to set and write works as it says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from include import catalog
from include.settings import REPOSITORY, TELEMETRY_OFF, Settings
from tests.docs.pages import blocks, read

PAGE = read("existing-airflow.md")
FOLDER = "/opt/nightshift"
VARIABLES = dict(
    line.split("=", 1) for block in blocks(PAGE, "env") for line in block.splitlines() if line
)
CODE = "".join(
    file.read_text(encoding="utf-8")
    for file in [*(REPOSITORY / "include").rglob("*.py"), REPOSITORY / "nightshift"]
)

LOOK = """
import json
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag

def ids(folder):
    bag = DagBag(folder)
    assert not bag.import_errors, bag.import_errors
    return sorted(bag.dags)

bundles = {it.name: ids(it.path) for it in DagBundlesManager().get_all_dag_bundles()}
print(json.dumps(bundles))
"""


def within(folder: Path, *command: str) -> str:
    """Run a command in an Airflow that has nothing but the variables of the page."""
    variables = {name: text.replace(FOLDER, str(REPOSITORY)) for name, text in VARIABLES.items()}
    own = {name: text for name, text in variables.items() if "example.org" not in text}
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            **own,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "NIGHTSHIFT_HOME": str(folder / "home"),
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Bundle → the DAGs an existing Airflow finds in it, with the page's file in its own folder."""
    folder = tmp_path_factory.mktemp("existing")
    (folder / "dags").mkdir()
    (file,) = blocks(PAGE, "python")
    (folder / "dags" / "company_flights.py").write_text(file, encoding="utf-8")
    shown: dict[str, list[str]] = json.loads(within(folder, "python", "-c", LOOK).splitlines()[-1])
    return shown


def test_a_file_in_their_folder_gives_the_dags(found: dict[str, list[str]]) -> None:
    assert found["dags-folder"] == sorted(
        ["nyc_flights_nightly", "nyc_flights_backfill", "nyc_flights_quarantine"]
        + [f"flight_delay_{it}" for it in ("nightly", "train", "backfill", "rollback")]
        + ["nightshift_watch"]
    )


def test_the_bundle_has_all_of_ours(found: dict[str, list[str]]) -> None:
    assert set(found) == {"dags-folder", "nightshift"}
    for name in (*catalog.dataset_names(), *catalog.use_case_names(), "nightshift"):
        assert any(it.startswith(f"{name}_") for it in found["nightshift"])
    assert set(found["dags-folder"]) < set(found["nightshift"])


def test_the_command_tells_whose_package_is_found(tmp_path: Path) -> None:
    (command,) = blocks(PAGE, "sh")
    assert within(tmp_path, *shlex.split(command)) == str(REPOSITORY)
    assert f"prints `{FOLDER}`" in PAGE


def test_every_variable_shown_is_one_there_is() -> None:
    assert len(VARIABLES) > 12
    for name in VARIABLES:
        if name.startswith("AIRFLOW_CONN_"):
            connection = name.removeprefix("AIRFLOW_CONN_").lower()
            assert f'"{connection}"' in CODE and f"| `{connection}` |" in PAGE, name
        elif name != "PYTHONPATH" and not name.startswith("AIRFLOW__DAG_PROCESSOR__"):
            assert f'"{name}"' in CODE, name


def test_every_variable_there_is_is_shown() -> None:
    read_by_settings = set(re.findall(r'"(NIGHTSHIFT_[A-Z_]+)"', CODE))
    assert len(read_by_settings) > 5
    assert read_by_settings | set(TELEMETRY_OFF) <= set(VARIABLES)


def test_the_settings_shown_are_read() -> None:
    connection = VARIABLES["AIRFLOW_CONN_WAREHOUSE"]
    settings = Settings.from_env(VARIABLES)
    assert str(settings.home) == VARIABLES["NIGHTSHIFT_HOME"]
    assert settings.lake == VARIABLES["NIGHTSHIFT_LAKE"]
    assert settings.mlflow_tracking_uri == VARIABLES["MLFLOW_TRACKING_URI"]
    assert settings.warehouse.host in connection and settings.warehouse.database == "analytics"
    assert settings.alert_emails == ("ada@example.org",)
    assert settings.schedules and settings.code_revision == VARIABLES["NIGHTSHIFT_CODE_REVISION"]


def test_the_versions_named_are_those_of_the_requirements() -> None:
    needed = (REPOSITORY / "requirements.in").read_text(encoding="utf-8")
    (airflow,) = re.findall(r"^apache-airflow==(\S+)", needed, re.MULTILINE)
    (mlflow,) = re.findall(r"^mlflow>=([\d.]+)", needed, re.MULTILINE)
    assert f"| Airflow | {airflow} |" in PAGE and f"{mlflow} or newer" in PAGE
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert 'requires-python = ">=3.11,<3.14"' in project and "3.11, 3.12 or 3.13" in PAGE
