"""What models are trained on and score: entity frames, features through Feast, labels.

Everything is read as the workspace's lake is: at its newest, or as it was (`Lake.at`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta

import duckdb
import pandas as pd
import pyarrow as pa

from include.declare import UseCase
from include.errors import ConfigurationError, RowsLost, SchemaBreak
from include.features.build import feature_tables
from include.features.landed import ENTITIES, LABELS, TARGET_DATE, lake_views, reading, run_sql
from include.features.quick_feast import (
    EntityFrameInvalid,
    FeatureServiceNotFoundException,
    SourceColumnInvalid,
)
from include.features.store import FEATURE_REPO, open_store
from include.lake import delta, names
from include.lake.schema import DATA_DAY
from include.whereabouts import shown, stands_in
from include.workspace import Workspace

EVENT_TIMESTAMP = "event_timestamp"

BATCH_ROWS = 100_000
"""Entities held at a time when they are read in batches."""

SORT_MEMORY = "500MB"
"""Of DuckDB while it sorts a day that is larger than a batch; beyond it, it spills to disk."""


def entity_frame(workspace: Workspace, use_case: UseCase, days: Sequence[date]) -> pd.DataFrame:
    """Return everything that is to be scored on `days`, one row per entity and target date.

    Args:
        days: data days that have landed; others give no rows.

    Returns:
        `data_day`, `target_date` (dates), the entity keys, the join keys and plan columns that
        `entities.sql` selects, and `event_timestamp`, the cut-off (UTC). Ordered by data day,
        target date and keys.

    Raises:
        RowsLost: an entity appears twice for one target date.
        ConfigurationError: `entities.sql` does not run or gives an undeclared horizon.
    """
    with delta.connect() as duck:
        lake_views(workspace, use_case, duck, days)
        found = run_sql(use_case, duck, ENTITIES)
        with reading(use_case, duck, ENTITIES):
            frame = _entities(use_case, found)
    _require_once(use_case, frame)
    return frame.sort_values(_key(use_case), ignore_index=True)


def entity_batches(
    workspace: Workspace, use_case: UseCase, days: Sequence[date], rows: int = BATCH_ROWS
) -> Iterator[pd.DataFrame]:
    """Yield what `entity_frame` returns, in its order, at most `rows` rows at a time.

    Days come whole, several together where they are small. A day larger than a batch is split
    from its start, so that its batches do not depend on the days beside it.

    Raises what `entity_frame` raises, and `RowsLost` if other rows were read than counted.
    """
    with delta.connect() as duck:
        lake_views(workspace, use_case, duck, days)
        counted = run_sql(use_case, duck, ENTITIES).aggregate(f"{DATA_DAY}, count(*)")
        with reading(use_case, duck, ENTITIES):
            counts: dict[date, int] = dict(counted.order(DATA_DAY).fetchall())
    for group in _groups(counts, rows):
        due = sum(counts[day] for day in group)
        if due <= rows:
            frames = iter([entity_frame(workspace, use_case, group)])
        else:
            frames = _sorted_batches(workspace, use_case, group, rows)
        read = 0
        for frame in frames:
            read += len(frame)
            yield frame
        if read != due:
            raise RowsLost(f"{use_case.name}: {due} entities are due on {group}, {read} were read")


def _groups(counts: dict[date, int], rows: int) -> Iterator[list[date]]:
    """Yield days together that fit into `rows`; a day that does not fit comes alone."""
    group: list[date] = []
    held = 0
    for day, count in counts.items():
        if group and held + count > rows:
            yield group
            group, held = [], 0
        group.append(day)
        held += count
    if group:
        yield group


def _sorted_batches(
    workspace: Workspace, use_case: UseCase, days: Sequence[date], rows: int
) -> Iterator[pd.DataFrame]:
    """Yield the entities of `days` in batches of exactly `rows`, the last one smaller."""
    with tempfile.TemporaryDirectory(prefix="entities-") as folder, delta.connect() as duck:
        duck.execute("SET memory_limit = $1", [SORT_MEMORY])
        duck.execute("SET temp_directory = $1", [folder])
        lake_views(workspace, use_case, duck, days)
        relation = run_sql(use_case, duck, ENTITIES).order(
            ", ".join(f'"{name}"' for name in _key(use_case))
        )
        last = None
        with delta.connect() as other, reading(use_case, duck, ENTITIES):
            for batch in _exactly(relation.to_arrow_reader(rows), rows):
                frame = _entities(use_case, other.from_arrow(batch))
                _require_once(use_case, frame if last is None else pd.concat([last, frame]))
                last = frame.tail(1)
                yield frame


def _exactly(reader: pa.RecordBatchReader, rows: int) -> Iterator[pa.Table]:
    """Yield a reader's rows as tables of exactly `rows`, the last one smaller."""
    waiting = reader.schema.empty_table()
    for batch in reader:
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch])])
        while len(waiting) >= rows:
            yield waiting.slice(0, rows)
            waiting = waiting.slice(rows)
    if len(waiting):
        yield waiting


def _key(use_case: UseCase) -> list[str]:
    return [DATA_DAY, TARGET_DATE, *use_case.key_names]


def _entities(use_case: UseCase, relation: duckdb.DuckDBPyRelation) -> pd.DataFrame:
    """Return entities with their cut-offs; raises `ConfigurationError` for another horizon."""
    frame = _dates(relation.to_df(), [DATA_DAY, TARGET_DATE])
    pairs = frame[[DATA_DAY, TARGET_DATE]].drop_duplicates()
    ahead = {timedelta(days=horizon) for horizon in use_case.horizons}
    found = {(t - d) for t, d in zip(pairs[TARGET_DATE], pairs[DATA_DAY], strict=True)}
    if not found <= ahead:
        raise ConfigurationError(
            f"{shown(use_case.folder / ENTITIES)} gives target dates {sorted(found - ahead)} after "
            f"the data day; declared horizons are {use_case.horizons}"
        )
    cutoffs = {day: pd.Timestamp(use_case.dataset.cutoff(day)) for day in set(frame[DATA_DAY])}
    stamps = frame[DATA_DAY].map(cutoffs)
    frame[EVENT_TIMESTAMP] = pd.to_datetime(stamps, utc=True).astype("datetime64[us, UTC]")
    return frame


def _require_once(use_case: UseCase, frame: pd.DataFrame) -> None:
    """Raise `RowsLost` if an entity is there twice."""
    keys = _key(use_case)
    twice = frame.duplicated(keys)
    if twice.any():
        found = frame[twice].iloc[0][keys].to_dict()
        raise RowsLost(f"{shown(use_case.folder / ENTITIES)} gives an entity twice: {found}")


def add_features(workspace: Workspace, use_case: UseCase, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the feature service's columns, `<view>__<feature>`, beside it.

    The same rows in the same order; a feature without a value is missing.

    Raises:
        RowsLost: the store did not return the rows that were asked for.
        SchemaBreak: a field of a view is no column of its table; names both files.
        ConfigurationError: the service is not there, or `entities.sql` lacks a join key.
    """
    store = open_store(workspace.settings, workspace.lake.pinned)
    with _naming_files(use_case):
        service = store.get_feature_service(use_case.feature_service)
        job = store.get_historical_features(frame, service, full_feature_names=True)
        featured = job.to_df()
    if len(featured) != len(frame):
        raise RowsLost(
            f"{use_case.name}: {len(frame)} entities asked for features, {len(featured)} returned"
        )
    new = [column for column in featured.columns if column not in frame.columns]
    beside = featured[new].reset_index(drop=True)
    joined: pd.DataFrame = pd.concat([frame.reset_index(drop=True), beside], axis=1)
    return joined


@contextmanager
def _naming_files(use_case: UseCase) -> Iterator[None]:
    """Say in which files people put right what Feast and its store find wrong."""
    dataset = use_case.dataset
    feast = shown(FEATURE_REPO / f"{dataset.name}.py")
    try:
        yield
    except FeatureServiceNotFoundException:
        raise ConfigurationError(
            f"there is no feature service {use_case.feature_service!r}, which "
            f"{stands_in(use_case.folder / 'declaration.py', use_case.feature_service)} names; "
            f"define it in {shown(FEATURE_REPO)}/, then run ./nightshift init"
        ) from None
    except SourceColumnInvalid as error:
        view = next((it for it in dataset.feature_views if f"view {it.name!r}" in str(error)), None)
        sql = shown(dataset.folder / "features" / f"{view.name}.sql" if view else dataset.folder)
        raise SchemaBreak(f"{error}. Declared in {feast}, computed by {sql}") from error
    except EntityFrameInvalid as error:
        entities = shown(use_case.folder / ENTITIES)
        raise ConfigurationError(f"{entities}: {error}. Declared in {feast}") from error


def served_views(workspace: Workspace, use_case: UseCase) -> list[str]:
    """Return the names of the feature views of the use case's service."""
    store = open_store(workspace.settings)
    with _naming_files(use_case):
        service = store.get_feature_service(use_case.feature_service)
    return [view.name for view in service.feature_view_projections]


def feature_descriptions(workspace: Workspace, use_case: UseCase) -> dict[str, str]:
    """Return feature column → its Feast description."""
    store = open_store(workspace.settings)
    service = store.get_feature_service(use_case.feature_service)
    return {
        f"{view.name}__{field.name}": field.description or field.name.replace("_", " ")
        for view in service.feature_view_projections
        for field in view.features
    }


def labels(workspace: Workspace, use_case: UseCase, as_of: date) -> pd.DataFrame:
    """Return the labels that are known and mature on `as_of`.

    Returns:
        `target_date`, the entity keys and the label column, ordered by them; only target
        dates up to `mature_after` days before `as_of` whose facts were known at its cut-off.
    """
    newest = as_of - timedelta(days=use_case.label.mature_after)
    cutoff = use_case.dataset.cutoff(as_of)
    with delta.connect() as duck:
        lake_views(workspace, use_case, duck, None)
        relation = run_sql(use_case, duck, LABELS)
        duck.execute("SET VARIABLE newest = $1", [newest])
        duck.execute("SET VARIABLE cutoff = $1", [cutoff])
        mature = relation.filter(
            f"{TARGET_DATE} <= getvariable('newest') AND known_at <= getvariable('cutoff')"
        )
        with reading(use_case, duck, LABELS):
            frame = _dates(mature.to_df(), [TARGET_DATE])
    wanted = [TARGET_DATE, *use_case.key_names]
    return frame[[*wanted, use_case.label.column]].sort_values(wanted, ignore_index=True)


def lake_versions(workspace: Workspace, use_case: UseCase) -> dict[str, int]:
    """Return the version at which every lake table of the use case is read, by name."""
    dataset = use_case.dataset
    landed = [names.landed(dataset, table) for table in dataset.tables]
    return workspace.lake.versions([*landed, *feature_tables(dataset)])


def _dates(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    return frame.assign(**{name: pd.to_datetime(frame[name]).dt.date for name in columns})
