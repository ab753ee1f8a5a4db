"""What tests of benchmarks have in common: one server, and children that work in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench import child
from bench.scores import plan, postgres
from include.settings import WarehouseAddress
from tests.conftest import TEMPLATE, fresh_database


def base_of(history: Path, folder: Path, *models: str) -> Path:
    """Return a home as the benchmarks make one: landed nights and a champion, as these models."""
    base = folder / "base"
    base.mkdir()
    (base / "home").symlink_to(history)
    serving = {"version": "1", "trees": 9, "leaves": 99}
    text = json.dumps(dict.fromkeys(models, serving))
    (base / plan.MODELS).write_text(text, encoding="utf-8")
    return base


@pytest.fixture
def one_server(postgres_server: WarehouseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write to the Postgres that all tests share instead of starting one each time."""

    @contextmanager
    def database(_folder: Path) -> Iterator[WarehouseAddress]:
        yield from fresh_database(postgres_server, TEMPLATE)

    monkeypatch.setattr(postgres, "database", database)


@pytest.fixture
def in_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do the work of the children here; what they are given and answer travels as JSON."""

    def run(function: str, **arguments: Any) -> Any:
        return json.loads(json.dumps(child.load(function)(**json.loads(json.dumps(arguments)))))

    monkeypatch.setattr(child, "run", run)
