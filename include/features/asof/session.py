"""A DuckDB session of the store: its limits, and sources opened in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

import duckdb
from feast.data_source import DataSource
from feast.repo_config import RepoConfig

from include.features.asof.errors import DestinationUnusable, StoreMisconfigured
from include.features.asof.plan import ViewPlan
from include.features.asof.sources import locate, open_source, place
from include.features.asof.tables import EVERYTHING, SourceTable, TimeRange, line


@contextmanager
def connect(config: RepoConfig) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB with the store's limits, that downloads nothing.

    Raises `StoreMisconfigured` for a setting that cannot be used.
    """
    settings = config.offline_store  # an AsofOfflineStoreConfig
    options: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if settings.memory_limit:
        options["memory_limit"] = settings.memory_limit
    if settings.threads:
        options["threads"] = settings.threads
    with ExitStack() as stack:
        try:
            folder = tempfile.TemporaryDirectory(prefix="asof-", dir=settings.temp_directory)
            options["temp_directory"] = stack.enter_context(folder)
            con = stack.enter_context(duckdb.connect(":memory:", config=options))
            con.execute("SET TimeZone = 'UTC'")
            con.execute("SET parquet_metadata_cache = true")  # files are opened more than once
        except (OSError, duckdb.Error) as error:
            raise StoreMisconfigured(
                f"the offline store cannot be opened ({line(error)}); correct memory_limit, "
                "threads or temp_directory of offline_store in feature_store.yaml"
            ) from error
        yield con


def location_of(config: RepoConfig, source: DataSource | None, subject: str) -> str:
    """Return the path or URL of a source, relative ones below the store's root."""
    return locate(source, config.offline_store.root, config.repo_path, subject)


def destination_of(config: RepoConfig, source: DataSource | None, subject: str) -> str:
    """Return the path or URL of a source that is to be written.

    Raises `DestinationUnusable` if the store reads it at a version.
    """
    location = location_of(config, source, subject)
    version = _version_of(config, location)
    if version is not None:
        raise DestinationUnusable(
            f"{subject}: {location} is read at version {version} (offline_store.delta_versions), "
            "so what is written there could not be seen; write with a store without that setting"
        )
    return location


def _version_of(config: RepoConfig, location: str) -> int | None:
    """Return the version the table at a path or URL is read at, None for the newest."""
    settings = config.offline_store
    pinned: dict[str, int] = {
        place(path, settings.root, config.repo_path).rstrip("/"): version
        for path, version in settings.delta_versions.items()
    }
    return pinned.get(location.rstrip("/"))


def open_data(
    con: duckdb.DuckDBPyConnection,
    config: RepoConfig,
    source: DataSource | None,
    subject: str,
    relation: str,
    columns: Iterable[str] | None = None,
    time_column: str | None = None,
    bounds: TimeRange = EVERYTHING,
) -> SourceTable:
    """Register a source under the name `relation`; raises what `open_source` raises."""
    location = location_of(config, source, subject)
    return open_source(
        con,
        source,
        subject=subject,
        relation=relation,
        location=location,
        version=_version_of(config, location),
        columns=columns,
        time_column=time_column,
        bounds=bounds,
    )


def open_plan(
    con: duckdb.DuckDBPyConnection,
    config: RepoConfig,
    plan: ViewPlan,
    relation: str,
    bounds: TimeRange,
) -> SourceTable:
    """Register what a plan reads of its source under the name `relation`."""
    columns = [*plan.columns, *plan.view_features]
    return open_data(
        con, config, plan.source, plan.subject, relation, columns, plan.timestamp, bounds
    )
