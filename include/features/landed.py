"""What a use case's SQL files see: the dataset's tables, only days that have landed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from include.declare import UseCase
from include.errors import ConfigurationError
from include.features.sql_errors import require_columns, sql_failed
from include.lake import names
from include.lake.schema import DATA_DAY
from include.warehouse.stages import done_days
from include.whereabouts import shown
from include.workspace import Workspace

TARGET_DATE = "target_date"
KNOWN_AT = "known_at"
ENTITIES, LABELS = "entities.sql", "labels.sql"


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
    """Return what a SQL file of the use case gives; read it inside `reading`.

    Raises `ConfigurationError`: it does not run, or lacks a column that its file must have.
    """
    file = use_case.folder / file_name
    with reading(use_case, duck, file_name):
        found = duck.sql(_text(file))
    if found is None:
        raise ConfigurationError(f"{shown(file)} holds no statement")
    if needed := _needed(use_case, file_name):
        declaration, of = use_case.folder / "declaration.py", list(needed)[-1]
        require_columns(file, found.columns, needed, declaration, of)
    return found


def _needed(use_case: UseCase, file_name: str) -> dict[str, str]:
    """Return the columns a SQL file must return and what they are, a declared one last."""
    keys = dict.fromkeys(use_case.key_names, "an entity key")
    needed = {TARGET_DATE: "the day that is predicted"}
    if file_name == ENTITIES:
        return {DATA_DAY: "the data day", **needed, **keys}
    if file_name == LABELS:
        known = {KNOWN_AT: "when the label became known"}
        return {**needed, **known, **keys, use_case.label.column: "the label"}
    return {}


@contextmanager
def reading(use_case: UseCase, duck: duckdb.DuckDBPyConnection, file_name: str) -> Iterator[None]:
    """Say which file is wrong, and where, when DuckDB fails on what `run_sql` returned."""
    dataset, file = use_case.dataset, use_case.folder / file_name
    try:
        yield
    except duckdb.Error as error:
        raise sql_failed(dataset, file, error, _text(file), duck) from (
            None if dataset.personal else error
        )


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"there is no file {shown(file)}") from error
