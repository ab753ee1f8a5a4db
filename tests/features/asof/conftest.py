"""One Feast store for each test module: applying definitions is what costs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from feast import (
    FeatureStore,
    RepoConfig,
)

from tests.features.asof.views import (
    AIRPORT,
    BOTH_ENDS,
    CARRIER,
    DAILY,
    DEST,
    GLOBAL,
    HOUR,
    MAPPED,
    MISTYPED,
    ORIGIN,
    ROUTE,
    SLOT,
    WEATHER,
    doubled,
    following,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeatureStore]:
    root = tmp_path_factory.mktemp("asof")
    config = RepoConfig(
        project="tests",
        provider="local",
        registry={
            "registry_type": "sql",
            "path": f"sqlite:///{root / 'registry.db'}",
            "cache_ttl_seconds": 3600,
        },
        online_store={"type": "sqlite", "path": str(root / "online.db")},
        offline_store={
            "type": "include.features.asof.store.AsofOfflineStore",
            "root": str(root / "lake"),
            "memory_limit": "1GB",
            "threads": 2,
        },
        entity_key_serialization_version=3,
        materialization={"pull_latest_features": True},
    )
    feast = FeatureStore(config=config)
    (root / "lake").mkdir()
    feast.apply([ORIGIN, DEST, CARRIER, AIRPORT, HOUR])
    feast.apply(
        [ROUTE, SLOT, DAILY, WEATHER, MAPPED, GLOBAL, MISTYPED, doubled, following, BOTH_ENDS]
    )
    yield feast


@pytest.fixture
def lake(store: FeatureStore) -> Iterator[Path]:
    """The folder that relative source paths are resolved against, empty at the start."""
    folder = Path(store.config.offline_store.root)
    yield folder
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
