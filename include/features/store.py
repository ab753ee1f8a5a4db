"""Opens the Feast repository with this installation's paths."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from string import Template

import yaml

from include.errors import ConfigurationError
from include.features.quick_feast import FeatureStore, RepoConfig, parse_repo
from include.settings import REPOSITORY, Settings
from include.whereabouts import raised_in

FEATURE_REPO = REPOSITORY / "feature_repo"

logging.getLogger("feast").setLevel(logging.ERROR)


def open_store(settings: Settings, versions: Mapping[str, int] | None = None) -> FeatureStore:
    """Return the feature store of this installation.

    Args:
        settings: where registry and lake are.
        versions: lake table → version that offline features are read at; others, and all by
            default, are read at their newest.

    Raises:
        ConfigurationError: the definitions were never applied.
    """
    registry = settings.home / "feast" / "registry.db"
    if not registry.exists():
        raise ConfigurationError(f"there is no Feast registry at {registry}; run ./nightshift init")
    return _store(settings, versions or {})


def apply_definitions(settings: Settings) -> list[str]:
    """Apply the definitions in `feature_repo/`; returns the names of the feature views.

    Run on deployment, never in a nightly run. Applying unchanged definitions changes nothing.

    Raises `ConfigurationError` with file and line of a definition that does not run.
    """
    (settings.home / "feast").mkdir(parents=True, exist_ok=True)
    with _inside(FEATURE_REPO):
        try:
            found = parse_repo(FEATURE_REPO)
        except Exception as error:
            place = raised_in(error, FEATURE_REPO)
            if place is None:
                raise
            raise ConfigurationError(f"{place}: {type(error).__name__}: {error}") from error
    store = _store(settings, {})
    store.apply(
        [
            *found.projects,
            *found.entities,
            *found.data_sources,
            *found.feature_views,
            *found.on_demand_feature_views,
            *found.feature_services,
        ],
        skip_feature_view_validation=True,
    )
    return sorted(view.name for view in found.feature_views)


def _store(settings: Settings, versions: Mapping[str, int]) -> FeatureStore:
    text = (FEATURE_REPO / "feature_store.yaml").read_text(encoding="utf-8")
    filled = Template(text).substitute(
        NIGHTSHIFT_HOME=str(settings.home), NIGHTSHIFT_LAKE=settings.lake
    )
    declared = yaml.safe_load(filled)
    if versions:
        declared["offline_store"]["delta_versions"] = dict(versions)
    config = RepoConfig(**declared)
    config.repo_path = FEATURE_REPO
    return FeatureStore(config=config)


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Stand in a Feast repository while its modules are read, as Feast's own command does."""
    before = Path.cwd()
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        os.chdir(before)
