"""A Feast offline store on DuckDB ASOF joins, for Parquet and Delta file sources.

Name it in `feature_store.yaml` by its dotted path:

    offline_store:
      type: include.features.asof_store.AsofOfflineStore
      root: /data/lake

A feature value belongs to an entity row if its event timestamp is the newest at or before the
entity row's and no older than the view's TTL, both ends included, to the microsecond. Every
entity row comes back once and in its place.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
from feast.data_source import DataSource
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL, FeatureView
from feast.infra.offline_stores.offline_store import (
    OfflineStore,
    RetrievalJob,
    RetrievalMetadata,
)
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.utils import (
    _get_requested_feature_views_to_features_dict,
    _get_requested_on_demand_feature_views,
)
from pydantic import StrictInt, StrictStr

from include.features import asof_join
from include.features.asof_entities import EntityFrame, attach, prepare
from include.features.asof_errors import RetrievalUnsupported, SourceMissing
from include.features.asof_job import AsofRetrievalJob
from include.features.asof_plan import MICROSECOND, ViewPlan, plan_view
from include.features.asof_pull import Pull
from include.features.asof_sources import open_source
from include.features.asof_tables import EVERYTHING, SourceTable, TimeRange

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AsofOfflineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast is untyped
    """Settings of the store in `feature_store.yaml`.

    Attributes:
        type: the dotted path of the store.
        root: path or URL that relative source paths lie in; a relative root lies in the
            feature repository.
        memory_limit: what DuckDB may use before it spills, such as `1GB`; None: its default.
        threads: how many threads DuckDB uses; None: all.
        temp_directory: where it spills; None: the system's folder for temporary files.
    """

    type: StrictStr = "include.features.asof_store.AsofOfflineStore"
    root: StrictStr = "."
    memory_limit: StrictStr | None = None
    threads: StrictInt | None = None
    temp_directory: StrictStr | None = None


class AsofOfflineStore(OfflineStore):  # type: ignore[misc]  # Feast is untyped
    """Feast's offline store interface over `asof_join` and `asof_pull`."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **kwargs: Any,
    ) -> RetrievalJob:
        """Return a job giving the entity frame's rows, each with the features it may see.

        Columns: the entity frame's, its timestamp in UTC, then the features view by view in the
        order they are asked for. Raises `EntityFrameInvalid` at once for a frame that cannot
        be used; the job raises what reading the sources raises (`asof_errors`).
        """
        if not isinstance(entity_df, pd.DataFrame):
            given = "a date range" if entity_df is None else f"a {type(entity_df).__name__}"
            raise RetrievalUnsupported(
                f"AsofOfflineStore was given {given} in place of an entity frame; "
                "pass a pandas DataFrame with the join keys and event_timestamp"
            )
        on_demand = _get_requested_on_demand_feature_views(feature_refs, project, registry)
        requested, _ = _get_requested_feature_views_to_features_dict(
            feature_refs, feature_views, on_demand
        )
        plans = [
            plan_view(view, features, full_feature_names) for view, features in requested.items()
        ]
        frame = prepare(entity_df, plans)

        return AsofRetrievalJob(
            lambda: _retrieve(config, frame, plans),
            full_feature_names,
            on_demand,
            RetrievalMetadata(
                features=feature_refs,
                keys=[str(name) for name in entity_df.columns if name != frame.timestamp],
                min_event_timestamp=frame.first,
                max_event_timestamp=frame.last,
            ),
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime | None,
        end_date: datetime | None,
    ) -> RetrievalJob:
        """Return a job giving, per key, the newest row of the source in the range.

        Both ends of the range are included. Columns keep their source names: keys, features,
        timestamps (UTC, microseconds). No feature names means all columns of the source; no keys
        means the newest row of all, with Feast's dummy entity beside it.
        """
        return _pull_job(
            config,
            data_source,
            Pull(
                tuple(join_key_columns),
                tuple(feature_name_columns),
                timestamp_field,
                created_timestamp_column or None,
                _range(start_date, end_date),
                latest=True,
            ),
        )

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Return a job giving every row of the source in the range, columns as in a latest pull."""
        return _pull_job(
            config,
            data_source,
            Pull(
                tuple(join_key_columns),
                tuple(feature_name_columns),
                timestamp_field,
                created_timestamp_column or None,
                _range(start_date, end_date),
                latest=False,
            ),
        )

    def validate_data_source(self, config: RepoConfig, data_source: DataSource) -> None:
        """Check the declared timestamp columns of a source that has a table already.

        A source without a table passes: views are applied before their first features exist.
        """
        with connect(config) as con:
            try:
                source = _open(con, config, data_source, f"data source {data_source.name!r}", "s")
            except SourceMissing:
                return
            mapped = {new: old for old, new in data_source.field_mapping.items()}
            if data_source.timestamp_field:
                column = data_source.timestamp_field
                source.instant(mapped.get(column, column), "event timestamp")
            if data_source.created_timestamp_column:
                column = data_source.created_timestamp_column
                source.type_of(mapped.get(column, column), "created timestamp")

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: DataSource
    ) -> Iterable[tuple[str, str]]:
        """Return the source's columns with their arrow types, as Feast's inference wants them."""
        with connect(config) as con:
            subject = f"data source {data_source.name!r}"
            source = _open(con, config, data_source, subject, "source")
            schema = con.sql(f"SELECT * FROM {source.relation} LIMIT 0").to_arrow_table().schema
            return [(field.name, str(field.type)) for field in schema]


@contextmanager
def connect(config: RepoConfig) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB with the store's limits, that downloads nothing."""
    settings: AsofOfflineStoreConfig = config.offline_store
    with tempfile.TemporaryDirectory(prefix="asof-", dir=settings.temp_directory) as spill:
        options: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "temp_directory": spill,
        }
        if settings.memory_limit:
            options["memory_limit"] = settings.memory_limit
        if settings.threads:
            options["threads"] = settings.threads
        with duckdb.connect(":memory:", config=options) as con:
            con.execute("SET TimeZone = 'UTC'")
            yield con


def _open(
    con: duckdb.DuckDBPyConnection,
    config: RepoConfig,
    source: DataSource | None,
    subject: str,
    relation: str,
    columns: Iterable[str] = (),
    time_column: str | None = None,
    bounds: TimeRange = EVERYTHING,
) -> SourceTable:
    return open_source(
        con,
        source,
        subject=subject,
        relation=relation,
        root=config.offline_store.root,
        repository=config.repo_path,
        columns=columns,
        time_column=time_column,
        bounds=bounds,
    )


def _retrieve(config: RepoConfig, frame: EntityFrame, plans: list[ViewPlan]) -> pa.Table:
    with connect(config) as con:

        def opener(plan: ViewPlan, relation: str, bounds: TimeRange) -> SourceTable:
            return _open(
                con,
                config,
                plan.source,
                plan.subject,
                relation,
                plan.columns,
                plan.timestamp,
                bounds,
            )

        features = asof_join.join(con, frame.keys, plans, opener)
    return attach(frame, features)


def _pull_job(config: RepoConfig, data_source: DataSource, pull: Pull) -> AsofRetrievalJob:
    def evaluate() -> pa.Table:
        subject = f"data source {data_source.name!r}"
        columns = [*pull.keys, *pull.features]
        with connect(config) as con:
            source = _open(
                con, config, data_source, subject, "source", columns, pull.timestamp, pull.bounds
            )
            rows = pull.run(con, source)
        if pull.latest and not pull.keys:
            dummy = pa.array([DUMMY_ENTITY_VAL] * rows.num_rows, pa.string())
            rows = rows.append_column(DUMMY_ENTITY_ID, dummy)
        return rows

    return AsofRetrievalJob(evaluate)


def _range(first: datetime | None, last: datetime | None) -> TimeRange:
    """Return a range of instants in microseconds; naive ones are UTC."""

    def microseconds(instant: datetime | None) -> int | None:
        if instant is None:
            return None
        aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
        return (aware - EPOCH) // MICROSECOND

    return TimeRange(microseconds(first), microseconds(last))
