"""The declarations in the guide to sources are accepted by what reads them."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from include import catalog, declare, declare_source
from include.connections import Connections
from include.declare import Table
from include.declare_source import Database, Files, FileTable
from tests.ingestion.sources.databases import ShopDatabase
from tests.ingestion.sources.guide import blocks
from tests.ingestion.sources.shop import ORDERS, STOCK, shop

NAMES = vars(declare) | vars(declare_source)


@pytest.mark.parametrize("code", blocks("sources.md", "python"))
def test_an_example_is_a_declaration_that_works(code: str, tmp_path: Path) -> None:
    made: dict[str, object] = {}
    exec(code, dict(NAMES), made)
    (found,) = made.values()
    if isinstance(found, Table):
        assert found.identity == ("customer", "updated_at")
        return
    source = Files({"orders": found}) if isinstance(found, FileTable) else found
    assert isinstance(source, Files | Database)
    (tmp_path / "shop.db").touch()
    connections = ShopDatabase("sqlite", tmp_path / "shop.db").connections
    tables = [replace(STOCK if name == "stock" else ORDERS, name=name) for name in source.tables]
    assert catalog.load_source(shop(source, *tables), connections)


def test_the_connections_are_of_a_form_that_is_read() -> None:
    (text,) = [it for it in blocks("sources.md", "") if "AIRFLOW_CONN" in it]
    env = [word.partition("=") for word in shlex.split(text)]
    assert len(env) == 3
    connections = Connections.from_env({env[0][0]: env[0][2], env[2][0]: env[2][2]})
    assert connections.get("shop").host == "db"
    connections = Connections.from_env({name: value for name, _, value in env})
    assert connections.get("store").options["region_name"] == "eu-central-1"
    assert connections.get("shop").schema == "/data/shop.db"
