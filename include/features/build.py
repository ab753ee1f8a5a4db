"""The second stage of the night: point-in-time features from SQL into offline tables.

A feature view is one SQL file that returns `data_day`, its keys and its features. It sees

- `days`: the data days to build (`data_day`),
- `cutoffs`: data day → `cutoff`, from the longest look-back to the last day built,
- the dataset's lake tables by name, holding only days that have landed,

and every row it returns is stamped with the cut-off of its day as `event_timestamp`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from include import healing
from include.declare import Dataset, FeatureView
from include.declare_personal import refuse
from include.errors import ConfigurationError, RowsLost
from include.features.sql_errors import require_columns, sql_failed
from include.lake import delta, fingerprint, names
from include.lake.delta import Lake
from include.lake.known import known_by
from include.lake.schema import DATA_DAY
from include.warehouse.stages import StageResult, day_states, done_days, stage_run
from include.whereabouts import shown
from include.window import Window
from include.workspace import Workspace

STAGE = "features"
CHUNK_DAYS = 100
"""Days built at once: bounds memory, changes no value."""

_log = logging.getLogger(__name__)


def build_features(
    workspace: Workspace, dataset: Dataset, window: Window, heal_days: int = 0
) -> StageResult:
    """Build the feature views of the days that are due.

    A day is due when it was never built, or when a landed day it looks back on, a snapshot or
    the SQL has changed.

    Raises:
        UsageError: the window reaches into the future or before the first day.
        DaysStopped: days asked for have not landed; the others are built.
        ConfigurationError: a SQL file does not run or returns a key twice.
    """
    reached = healing.reach(dataset, window, heal_days, workspace.now)
    with stage_run(workspace.warehouse, STAGE, dataset.name, window, workspace.context) as run:
        with workspace.warehouse.reading() as connection:
            landed = done_days(connection, "ingest", dataset.name)
            landing = day_states(connection, "ingest", dataset.name)
        inputs = _inputs(workspace.lake, dataset, reached, landed)
        due = run.due(inputs)
        run.begin(due)
        outputs: dict[date, dict[str, str]] = {day: {} for day in due}
        rows_in = rows_out = 0
        for start in range(0, len(due), CHUNK_DAYS):
            chunk = due[start : start + CHUNK_DAYS]
            with delta.connect() as duck:
                rows_in += prepare(duck, workspace.lake, dataset, chunk, sorted(landed))
                for view in dataset.feature_views:
                    rows = _run_view(duck, dataset, view)
                    table = names.features(dataset, view)
                    workspace.lake.require_types(table, rows.schema)
                    workspace.lake.replace_days(table, rows, chunk, widen=True)
                    rows_out += len(rows)
                    for day, content in fingerprint.of_days(rows, chunk).items():
                        outputs[day][view.name] = content
            _log.info("%s: features of %d of %d day(s)", dataset.name, start + len(chunk), len(due))
        with run.commit() as commit:
            for day in due:
                commit.done(day, inputs[day], fingerprint.of_values(outputs[day]))
            for day in window:
                if day not in landed:
                    state = landing[day].state if day in landing else "not there"
                    commit.stopped(day, None, f"the day has not landed ({state})")
            commit.count(rows_in=rows_in, rows_out=rows_out)
            commit.versions(
                inputs=workspace.lake.versions(names.landed(dataset, t) for t in dataset.tables),
                outputs=workspace.lake.versions(feature_tables(dataset)),
            )
        return run.result.or_raise()


def features_as_known(
    workspace: Workspace, dataset: Dataset, views: Sequence[FeatureView], day: date
) -> dict[str, pa.Table]:
    """Compute the features of one landed day from rows known at its cut-off; writes nothing.

    Rows with a later `known_at` are left out of every table first, and days after `day` are not
    there, as on its night. What the offline tables hold of the day must be equal to the bit:
    a value that is not has looked ahead.

    Returns:
        Feature view → its rows, as the offline table holds them.

    Raises:
        ConfigurationError: a SQL file does not run.
        RowsLost: a feature view returns a key twice.
        StorageUnavailable: a lake table cannot be read.
    """
    landed = workspace.lake.landed
    if landed is None:
        with workspace.warehouse.reading() as connection:
            landed = frozenset(done_days(connection, "ingest", dataset.name))
    known = known_by(workspace.lake, dataset.cutoff(day))
    with delta.connect() as duck:
        prepare(duck, known, dataset, [day], sorted(landed))
        return {view.name: _run_view(duck, dataset, view) for view in views}


def current_days(workspace: Workspace, dataset: Dataset, days: Iterable[date]) -> list[date]:
    """Return those of `days` whose features are of what has landed now, oldest first.

    The lake must not be pinned: it is asked for the newest snapshots.
    """
    with workspace.warehouse.reading() as connection:
        landed = done_days(connection, "ingest", dataset.name)
        built = day_states(connection, STAGE, dataset.name)
    inputs = _inputs(workspace.lake, dataset, sorted(days), landed)
    return [
        day
        for day, content in inputs.items()
        if (state := built.get(day)) and state.state == "done" and state.input_hash == content
    ]


def feature_tables(dataset: Dataset) -> list[str]:
    """Return the lake names of the dataset's offline feature tables."""
    return [names.features(dataset, view) for view in dataset.feature_views]


def sql_of(dataset: Dataset, name: str) -> str:
    """Return the text of one of the dataset's SQL files; raises `ConfigurationError`."""
    file = _sql_file(dataset, name)
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"the feature view {name!r} has no file {shown(file)}") from error


def _inputs(
    lake: Lake, dataset: Dataset, reached: Iterable[date], landed: Mapping[date, str | None]
) -> dict[date, str]:
    """Return landed day → hash of all it looks back on."""
    sql = {name: sql_of(dataset, name) for name in dataset.shared_sql}
    sql |= {view.name: sql_of(dataset, view.name) for view in dataset.feature_views}
    snapshots = {
        table.name: lake.written(names.landed(dataset, table))
        for table in dataset.tables
        if table.kind == "snapshot"
    }
    constant = fingerprint.of_values(
        sql,
        {name: it and it.fingerprint for name, it in snapshots.items()},
        str(dataset.cutoff_delay),
    )
    return {
        day: fingerprint.of_values(
            constant,
            [landed.get(day - timedelta(days=back)) for back in range(dataset.lookback_days)],
        )
        for day in reached
        if day in landed
    }


def prepare(
    duck: duckdb.DuckDBPyConnection,
    lake: Lake,
    dataset: Dataset,
    days: Sequence[date],
    landed: Sequence[date],
) -> int:
    """Create what feature SQL sees on `days`; returns the number of rows of the days themselves.

    Args:
        duck: where tables and views are created.
        lake: has the tables.
        dataset: whose feature SQL it is.
        days: data days to build.
        landed: days that may be read, of those that they look back on.

    Raises `ConfigurationError`: a shared SQL file does not run.
    """
    back = timedelta(days=dataset.lookback_days - 1)
    seen = Window(min(days) - back, max(days))
    duck.from_arrow(pa.table({DATA_DAY: pa.array(days, pa.date32())})).create("days")
    cutoffs = pa.table(
        {
            DATA_DAY: pa.array(seen.days, pa.date32()),
            "cutoff": pa.array([dataset.cutoff(day) for day in seen], pa.timestamp("us", tz="UTC")),
        }
    )
    duck.from_arrow(cutoffs).create("cutoffs")
    readable = [day for day in landed if day in seen]
    rows = 0
    for table in dataset.tables:
        chosen = None if table.kind == "snapshot" else readable
        relation = lake.relation(duck, names.landed(dataset, table), chosen)
        relation.create_view(table.name)
        if chosen is not None:
            rows += duck.table("days").join(relation, DATA_DAY).count("*").fetchall()[0][0]
    for name in dataset.shared_sql:
        _execute(duck, dataset, name)
    return rows


def _run_view(duck: duckdb.DuckDBPyConnection, dataset: Dataset, view: FeatureView) -> pa.Table:
    """Return the rows of one feature view, with cut-offs as `event_timestamp`."""
    relation, file = _execute(duck, dataset, view.name), _sql_file(dataset, view.name)
    needed = {DATA_DAY: "the day of the row", **dict.fromkeys(view.keys, "a key of the view")}
    declaration = dataset.folder / "declaration.py"
    require_columns(file, relation.columns, needed, declaration, view.name)
    refuse(shown(file), dataset.personal, {"its result": relation.columns})
    stamped = relation.set_alias("view").join(
        duck.table("cutoffs").set_alias("cutoffs"), f"view.{DATA_DAY} = cutoffs.{DATA_DAY}"
    )
    ordered = ", ".join([DATA_DAY, *view.keys])
    try:
        rows: pa.Table = (
            stamped.project("cutoffs.cutoff AS event_timestamp, view.*")
            .order(ordered)
            .to_arrow_table()
        )
    except duckdb.Error as error:
        raise sql_failed(dataset, file, error, sql_of(dataset, view.name), duck) from (
            None if dataset.personal else error
        )
    once = rows.select([DATA_DAY, *view.keys])
    if once.group_by(once.column_names).aggregate([]).num_rows != len(rows):
        raise RowsLost(
            f"{shown(file)} returns a key ({', '.join(view.keys)}) more than once per day; group "
            "by the keys"
        )
    return rows


def _execute(
    duck: duckdb.DuckDBPyConnection, dataset: Dataset, name: str
) -> duckdb.DuckDBPyRelation:
    text, file = sql_of(dataset, name), _sql_file(dataset, name)
    try:
        found = duck.sql(text)
    except duckdb.Error as error:
        raise sql_failed(dataset, file, error, text, duck) from (
            None if dataset.personal else error
        )
    if found is None:
        raise ConfigurationError(f"{shown(file)} holds no statement")
    return found


def _sql_file(dataset: Dataset, name: str) -> Path:
    return dataset.folder / "features" / f"{name}.sql"
