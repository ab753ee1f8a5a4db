"""A Feast offline store on DuckDB ASOF joins, for Parquet and Delta file sources.

Name it in `feature_store.yaml` by its dotted path:

    offline_store:
      type: include.features.asof.store.AsofOfflineStore
      root: /data/lake

A feature value belongs to an entity row if its event timestamp is the newest at or before the
entity row's and no older than the view's TTL, both ends included, to the microsecond. Every
entity row comes back once and in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
from feast.data_source import DataSource
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL, FeatureView
from feast.infra.offline_stores.offline_store import OfflineStore
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from feast.saved_dataset import SavedDatasetStorage
from feast.utils import (
    _get_requested_feature_views_to_features_dict,
    _get_requested_on_demand_feature_views,
    compute_non_entity_date_range,
)
from pydantic import Field, StrictInt, StrictStr

from include.features.asof.destinations import append, log, save
from include.features.asof.entities import EntityFrame, prepare
from include.features.asof.errors import RetrievalUnsupported, SourceMissing
from include.features.asof.history import History, asked, observed
from include.features.asof.job import AsofMetadata, AsofRetrievalJob
from include.features.asof.plan import plan_view
from include.features.asof.pull import Pull
from include.features.asof.queries import EntityQuery
from include.features.asof.session import connect, destination_of, open_data
from include.features.asof.tables import TimeRange

Version = Annotated[StrictInt, Field(ge=0)]


class AsofOfflineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast is untyped
    """Settings of the store in `feature_store.yaml`.

    Attributes:
        type: the dotted path of the store.
        root: path or URL that relative source paths lie in; a relative root lies in the
            feature repository.
        memory_limit: what DuckDB may use before it spills, such as `1GB`; None: its default.
        threads: how many threads DuckDB uses; None: all.
        temp_directory: where it spills; None: the system's folder for temporary files.
        delta_versions: path or URL of a Delta table, written like a source's → the version it
            is read at, and not written; any other table is read at its newest.
    """

    type: StrictStr = "include.features.asof.store.AsofOfflineStore"
    root: StrictStr = "."
    memory_limit: StrictStr | None = None
    threads: StrictInt | None = None
    temp_directory: StrictStr | None = None
    delta_versions: dict[StrictStr, Version] = Field(default_factory=dict)


class AsofOfflineStore(OfflineStore):  # type: ignore[misc]  # Feast is untyped
    """Feast's offline store interface over `join` and `pull`."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        filter_by_created_timestamp: bool = False,
    ) -> AsofRetrievalJob:
        """Return a job giving the entity frame's rows, each with the features it may see.

        Columns: the entity frame's, its timestamp in UTC, then the features view by view in the
        order they are asked for.

        Args:
            entity_df: a data frame; or a DuckDB query, in which the project's data sources are
                tables by their names; or None for every key and event timestamp of the views
                between `start_date` and `end_date`, both included, ordered by time and keys.
            start_date: without an entity frame; by default the longest TTL (or 30 days) earlier.
            end_date: without an entity frame; by default now.
            filter_by_created_timestamp: rows created after the entity's time are not seen.

        Raises:
            EntityFrameInvalid: at once, for an entity frame that cannot be used. What reading
                the sources raises (`errors`), the job raises.
        """
        on_demand = _get_requested_on_demand_feature_views(feature_refs, project, registry)
        requested, _ = _get_requested_feature_views_to_features_dict(
            feature_refs, feature_views, on_demand
        )
        plans = [
            plan_view(
                view,
                features,
                full_feature_names=full_feature_names,
                as_known=filter_by_created_timestamp,
            )
            for view, features in requested.items()
        ]
        entities: EntityFrame | EntityQuery
        if isinstance(entity_df, pd.DataFrame):
            entities = prepare(entity_df, plans)
        elif isinstance(entity_df, str):
            sources = {source.name: source for source in registry.list_data_sources(project)}
            entities = asked(config, entity_df, sources, plans)
        elif entity_df is None:
            dates = compute_non_entity_date_range(feature_views, start_date, end_date)
            entities = observed(config, TimeRange.between(*dates), plans)
        else:
            raise RetrievalUnsupported(
                f"the entity frame is a {type(entity_df).__name__}; it must be a pandas "
                "DataFrame, a SQL query or None (with start_date and end_date)"
            )
        history = History(config, entities, plans)
        return AsofRetrievalJob(
            history.tables,
            partial(_save, config),
            full_feature_names,
            on_demand,
            AsofMetadata(feature_refs, history.keys(), history.span),
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
    ) -> AsofRetrievalJob:
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
                TimeRange.between(start_date, end_date),
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
    ) -> AsofRetrievalJob:
        """Return a job giving every row of the source in the range, columns as in a latest pull."""
        return _pull_job(
            config,
            data_source,
            Pull(
                tuple(join_key_columns),
                tuple(feature_name_columns),
                timestamp_field,
                created_timestamp_column or None,
                TimeRange.between(start_date, end_date),
                latest=False,
            ),
        )

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Add rows to the view's batch source, in names of the view or of its source.

        Raises `DestinationUnusable` if the rows do not fit the source.
        """
        source = feature_view.batch_source
        subject = f"feature view {feature_view.name!r}"
        location = destination_of(config, source, subject)
        if source.field_mapping:
            mapped = {new: old for old, new in source.field_mapping.items()}
            table = table.rename_columns([mapped.get(name, name) for name in table.column_names])
        append(table, source, location, subject)
        if progress:
            progress(table.num_rows)

    @staticmethod
    def write_logged_features(
        config: RepoConfig,
        data: pa.Table | Path,
        source: LoggingSource,
        logging_config: LoggingConfig,
        registry: BaseRegistry,
    ) -> None:
        """Add logged features, a table or a folder of Parquet files, to the log's folder."""
        destination = logging_config.destination
        to = destination.to_data_source()
        rows = data if isinstance(data, pa.Table) else ds.dataset(data, format="parquet")
        log(rows, to, destination_of(config, to, "the feature log"), destination.partition_by or [])

    def validate_data_source(self, config: RepoConfig, data_source: DataSource) -> None:
        """Check the declared timestamp columns of a source that has a table already.

        A source without a table passes: views are applied before their first features exist.
        """
        with connect(config) as con:
            try:
                source = open_data(
                    con, config, data_source, f"data source {data_source.name!r}", "s"
                )
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
            source = open_data(con, config, data_source, subject, "source")
            schema = con.sql(f"SELECT * FROM {source.relation} LIMIT 0").to_arrow_table().schema
            return [(field.name, str(field.type)) for field in schema]


def _pull_job(config: RepoConfig, data_source: DataSource, pull: Pull) -> AsofRetrievalJob:
    def evaluate(batch_rows: int) -> Iterator[pa.Table]:
        subject = f"data source {data_source.name!r}"
        columns = [*pull.keys, *pull.features] if pull.features else None
        with connect(config) as con:
            source = open_data(
                con, config, data_source, subject, "source", columns, pull.timestamp, pull.bounds
            )
            for rows in pull.run(con, source, batch_rows):
                if pull.latest and not pull.keys:
                    dummy = pa.array([DUMMY_ENTITY_VAL] * rows.num_rows, pa.string())
                    rows = rows.append_column(DUMMY_ENTITY_ID, dummy)
                yield rows

    return AsofRetrievalJob(evaluate, partial(_save, config))


def _save(
    config: RepoConfig, job: AsofRetrievalJob, storage: SavedDatasetStorage, overwrite: bool
) -> None:
    source = storage.to_data_source()
    location = destination_of(config, source, "the saved dataset")
    save(job.to_batches(), source, location, overwrite)
