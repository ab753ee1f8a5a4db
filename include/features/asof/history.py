"""One historical retrieval: entity rows in, the features each may see beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import duckdb
import pyarrow as pa
from feast.data_source import DataSource
from feast.repo_config import RepoConfig

from include.features.asof.entities import KEYS, EntityFrame
from include.features.asof.join import join
from include.features.asof.plan import ViewPlan
from include.features.asof.queries import EntityQuery, describe_query, happened
from include.features.asof.session import connect, open_data, open_plan
from include.features.asof.tables import TimeRange


@dataclass(frozen=True)
class History:
    """What a historical retrieval asks for; each call reads the sources anew.

    Attributes:
        config: of the feature store.
        entities: the rows to give features to.
        plans: the views asked for.
    """

    config: RepoConfig
    entities: EntityFrame | EntityQuery
    plans: Sequence[ViewPlan]

    def tables(self, batch_rows: int) -> Iterator[pa.Table]:
        """Give the entity rows with their features, at most `batch_rows` at a time."""
        with connect(self.config) as con:
            given = self.entities.load(con)
            start = 0
            for features in join(
                con, KEYS, self.plans, partial(open_plan, con, self.config), batch_rows
            ):
                rows = given.slice(start, start + features.num_rows)
                start += features.num_rows
                for name, column in zip(features.column_names, features.columns, strict=True):
                    rows = rows.append_column(name, column)
                yield rows

    def keys(self) -> list[str]:
        """Return the columns of the entity rows besides their time."""
        return [name for name in self.entities.columns if name != self.entities.timestamp]

    def span(self) -> tuple[datetime | None, datetime | None]:
        """Return the earliest and latest time of an entity row, None without any."""
        with connect(self.config) as con:
            self.entities.load(con)
            found = con.execute(
                "SELECT CAST(make_timestamp(min(t)) AS TIMESTAMPTZ), "
                f"CAST(make_timestamp(max(t)) AS TIMESTAMPTZ) FROM {KEYS}"
            ).fetchall()
        first, last = found[0]
        return first, last


def asked(
    config: RepoConfig, sql: str, sources: Mapping[str, DataSource], plans: Sequence[ViewPlan]
) -> EntityQuery:
    """Return the entity rows of a query, which may name the project's data sources.

    Raises `EntityFrameInvalid` for a query that cannot be used.
    """

    def relation(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        for name in con.get_table_names(sql):
            if name in sources:
                open_data(con, config, sources[name], f"data source {name!r}", name)
        return con.sql(sql)

    with connect(config) as con:
        return describe_query(con, relation, plans)


def observed(config: RepoConfig, bounds: TimeRange, plans: Sequence[ViewPlan]) -> EntityQuery:
    """Return an entity row for every key and instant with a feature row in `bounds`."""

    def relation(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        sources = [
            open_plan(con, config, plan, f"range{i}", bounds) for i, plan in enumerate(plans)
        ]
        return happened(con, plans, sources, bounds)

    with connect(config) as con:
        return describe_query(con, relation, plans)
