"""What a use case's SQL files see: the dataset's tables, only days that have landed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import duckdb
import pyarrow as pa

from include.declare import UseCase
from include.features.build import sql_failed
from include.lake import names
from include.lake.schema import DATA_DAY
from include.warehouse.stages import done_days
from include.workspace import Workspace


def lake_views(
    workspace: Workspace,
    use_case: UseCase,
    duck: duckdb.DuckDBPyConnection,
    days: Collection[date] | None,
) -> None:
    """Create the dataset's tables by name, days that have landed only, and `cutoffs`."""
    dataset = use_case.dataset
    landed = workspace.lake.landed
    if landed is None:
        with workspace.warehouse.reading() as connection:
            landed = frozenset(done_days(connection, "ingest", dataset.name))
    chosen = sorted(landed if days is None else landed & set(days))
    cutoffs = {
        DATA_DAY: pa.array(chosen, pa.date32()),
        "cutoff": pa.array([dataset.cutoff(day) for day in chosen], pa.timestamp("us", tz="UTC")),
    }
    duck.from_arrow(pa.table(cutoffs)).create("cutoffs")
    for table in dataset.tables:
        readable = None if table.kind == "snapshot" else chosen
        relation = workspace.lake.relation(duck, names.landed(dataset, table), readable)
        relation.create_view(table.name)


def run_sql(
    use_case: UseCase, duck: duckdb.DuckDBPyConnection, file_name: str
) -> duckdb.DuckDBPyRelation:
    """Return what a SQL file of the use case gives; raises `ConfigurationError`."""
    file = use_case.folder / file_name
    try:
        return duck.sql(file.read_text(encoding="utf-8"))
    except (OSError, duckdb.Error) as error:
        raise sql_failed(use_case.dataset, file, error) from (
            None if use_case.dataset.personal else error
        )
