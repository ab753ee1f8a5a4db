from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import fresh_database
from tests.ingestion.sources.databases import ShopDatabase


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ShopDatabase]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        file = tmp_path / "shop.db"
        file.touch()
        yield ShopDatabase("sqlite", file)
        return
    for address in fresh_database(request.getfixturevalue("postgres_server"), "template1"):
        yield ShopDatabase("postgres", address)
