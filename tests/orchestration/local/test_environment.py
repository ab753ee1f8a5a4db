from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from include.errors import StorageUnavailable
from include.orchestration.local.environment import (
    admin_password,
    airflow_environment,
    demo_environment,
)
from include.settings import REPOSITORY, Settings

CALLER = {
    "PATH": "/usr/bin",
    "AIRFLOW_HOME": "/elsewhere",
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW__API__HOST": "0.0.0.0",
    "HTTP_PROXY": "http://proxy:3128",
    "NO_PROXY": "intranet",
}


def test_nothing_listens_beyond_this_machine(home: Path) -> None:
    env = airflow_environment(CALLER, home, 8123, schedules=True)

    assert (env["AIRFLOW__API__HOST"], env["AIRFLOW__API__PORT"]) == ("127.0.0.1", "8123")
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8123/execution/"
    assert env["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin"
    assert "127.0.0.1" in env["NO_PROXY"].split(",") and "intranet" in env["NO_PROXY"]


def test_everything_generated_is_below_the_home(home: Path) -> None:
    env = airflow_environment(CALLER, home, 8123, schedules=True)

    folder = str(home / "airflow")
    assert env["AIRFLOW_HOME"] == folder
    assert env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{folder}/airflow.db"
    assert env["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert env["PYTHONPATH"] == str(REPOSITORY)
    assert env["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"


@pytest.mark.parametrize(("schedules", "value"), [(True, "on"), (False, "off")])
def test_schedules_are_told_to_every_process(home: Path, schedules: bool, value: str) -> None:
    env = airflow_environment({}, home, 8123, schedules=schedules)
    assert env["NIGHTSHIFT_SCHEDULES"] == value


def test_secrets_are_made_once_and_private(home: Path) -> None:
    first = airflow_environment({}, home, 8123, schedules=True)
    second = airflow_environment({}, home, 9000, schedules=False)

    secret = [name for name in first if name.endswith(("_SECRET", "_KEY"))]
    assert len(secret) == 3
    assert {name: first[name] for name in secret} == {name: second[name] for name in secret}
    for file in (home / "airflow").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    passwords = json.loads((home / "airflow" / "passwords.json").read_text())
    assert passwords == {"admin": admin_password(home)} and len(passwords["admin"]) >= 12


def test_two_homes_have_their_own_secrets(tmp_path: Path) -> None:
    homes = [tmp_path / "a", tmp_path / "b"]
    assert len({admin_password(home) for home in homes}) == 2


def test_the_demo_ignores_what_is_configured(home: Path) -> None:
    env = demo_environment(
        {
            "NIGHTSHIFT_HOME": str(home),
            "AIRFLOW_CONN_WAREHOUSE": "postgresql://production/scores",
            "NIGHTSHIFT_LAKE": "s3://production",
            "MLFLOW_TRACKING_URI": "https://mlflow.production",
            "MLFLOW_TRACKING_TOKEN": "secret",
        }
    )

    settings = Settings.from_env(env, code_revision="test")
    plain = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    assert replace(settings, connections=plain.connections) == plain
    assert set(settings.connections.texts) == {"warehouse"}
    assert "production" not in settings.connections.texts["warehouse"]
    assert not any(name.startswith("MLFLOW_") for name in env)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_that_cannot_be_written_says_so(home: Path) -> None:
    home.chmod(0o500)
    with pytest.raises(StorageUnavailable, match="set NIGHTSHIFT_HOME to a folder that can"):
        airflow_environment({}, home, 8123, schedules=True)


def test_a_home_that_is_a_file_says_so(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StorageUnavailable, match="cannot be written"):
        airflow_environment({}, file, 8123, schedules=True)
