"""Every declared dataset and use case, by name: `pytest tests/contracts -k NAME` checks one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from include import catalog
from include.declare import Dataset, UseCase
from include.settings import Settings

if TYPE_CHECKING:
    from feast import FeatureStore


@pytest.fixture(scope="module", params=catalog.dataset_names())
def dataset(request: pytest.FixtureRequest) -> Dataset:
    return catalog.dataset(request.param)


@pytest.fixture(scope="module", params=catalog.use_case_names())
def use_case(request: pytest.FixtureRequest) -> UseCase:
    return catalog.use_case(request.param)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    """The Feast definitions of the repository, applied; nothing is in them."""
    from include.features.store import apply_definitions, open_store

    home = tmp_path_factory.mktemp("definitions")
    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    apply_definitions(settings)
    return open_store(settings)
