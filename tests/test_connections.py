"""Connections are read as Airflow writes them, and keep their secrets."""

from __future__ import annotations

import json

import pytest

from include.connections import Connection, Connections
from include.errors import ConfigurationError

FIELDS = {
    "conn_type": "aws",
    "login": "key",
    "password": "SECRET",
    "extra": json.dumps({"region_name": "eu-central-1", "endpoint_url": "http://s3:8333"}),
}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(FIELDS),
        json.dumps(FIELDS | {"extra": json.loads(FIELDS["extra"])}),
        "aws://key:SECRET@/?region_name=eu-central-1&endpoint_url=http%3A%2F%2Fs3%3A8333",
        "aws://key:SECRET@/?__extra__=%7B%22region_name%22%3A+%22eu-central-1%22%2C+"
        "%22endpoint_url%22%3A+%22http%3A%2F%2Fs3%3A8333%22%7D",
    ],
)
def test_a_connection_is_the_same_in_any_form(text: str) -> None:
    found = Connections.from_env({"AIRFLOW_CONN_STORE": text}).get("store")
    assert (found.kind, found.user, found.password) == ("aws", "key", "SECRET")
    assert found.options == {"region_name": "eu-central-1", "endpoint_url": "http://s3:8333"}
    assert "SECRET" not in repr(found)


def test_the_environment_comes_before_the_others() -> None:
    asked: list[str] = []
    connections = Connections({"shop": "sqlite:////data/shop.db"}, others=asked.append)
    assert connections.get("Shop").schema == "/data/shop.db"
    assert asked == []
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_STOCK, or add it in Airflow"):
        connections.get("stock")
    assert asked == ["stock"]


@pytest.mark.parametrize(
    "text",
    [
        "postgres://ann:SECRET@db:port/shop",
        '{"extra": "SECRET"}',
        '{"extra": "[1]", "password": "SECRET"}',
        '{"extra": "null", "password": "SECRET"}',
        '{"port": [5432], "password": "SECRET"}',
        "{",
    ],
)
def test_what_cannot_be_read_names_the_variable_alone(text: str) -> None:
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_SHOP") as refused:
        Connection.parse("shop", text)
    assert "SECRET" not in str(refused.value)
