"""Configuration is read once, and what cannot be used is refused with its name."""

from __future__ import annotations

import json

import pytest

from include.errors import ConfigurationError
from include.settings import Settings, WarehouseAddress


def test_without_variables_everything_is_embedded_below_home(tmp_path) -> None:
    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(tmp_path)}, code_revision="x")
    assert settings.warehouse == WarehouseAddress("sqlite", str(tmp_path / "warehouse.db"))
    assert settings.lake == str(tmp_path / "lake")
    assert settings.mlflow_tracking_uri.startswith("sqlite:///")
    assert settings.schedules


@pytest.mark.parametrize(
    "connection",
    [
        "postgres://ada:p%40ss@db:5433/night?sslmode=require",
        "postgresql://ada:p%40ss@db:5433/night?sslmode=require",
        json.dumps(
            {
                "conn_type": "postgres",
                "host": "db",
                "port": 5433,
                "login": "ada",
                "password": "p@ss",
                "schema": "night",
                "extra": {"sslmode": "require"},
            }
        ),
    ],
)
def test_an_airflow_connection_in_any_form_names_the_same_database(connection: str) -> None:
    address = WarehouseAddress.parse(connection)
    assert address == WarehouseAddress(
        "postgresql", "night", "db", 5433, "ada", "p@ss", (("sslmode", "require"),)
    )
    assert "p@ss" not in repr(address)


def test_sqlite_paths_are_taken_whole() -> None:
    assert WarehouseAddress.parse("sqlite:////data/w.db").database == "/data/w.db"
    as_json = json.dumps({"conn_type": "sqlite", "host": "/data/w.db"})
    assert WarehouseAddress.parse(as_json).database == "/data/w.db"


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ("mysql://u@h/db", "SQLite or Postgres and no other"),
        ("postgres://u@h", "names no database"),
        ("sqlite://", "without a file"),
        ("{not json", "not valid JSON"),
    ],
)
def test_a_connection_that_cannot_be_used_says_why(connection: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        WarehouseAddress.parse(connection)


def test_schedules_are_on_or_off() -> None:
    assert not Settings.from_env({"NIGHTSHIFT_SCHEDULES": "off"}, code_revision="x").schedules
    with pytest.raises(ConfigurationError, match="on or off"):
        Settings.from_env({"NIGHTSHIFT_SCHEDULES": "maybe"}, code_revision="x")


def test_recipients_of_alerts_are_separated_by_commas() -> None:
    def recipients(**env: str) -> tuple[str, ...]:
        return Settings.from_env(env, code_revision="x").alert_emails

    assert recipients() == recipients(NIGHTSHIFT_ALERT_EMAILS="") == ()
    given = "ada@example.org, bob@example.org,"
    assert recipients(NIGHTSHIFT_ALERT_EMAILS=given) == ("ada@example.org", "bob@example.org")
