"""What models are trained on and score: entity frames, features through Feast, labels.

Everything is read as the workspace's lake is: at its newest, or as it was (`Lake.at`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, timedelta

import duckdb
import pandas as pd
import pyarrow as pa

from include.declare import UseCase
from include.errors import ConfigurationError, RowsLost
from include.features.build import feature_tables
from include.features.store import open_store
from include.lake import delta, names
from include.lake.schema import DATA_DAY
from include.warehouse.stages import done_days
from include.workspace import Workspace

TARGET_DATE = "target_date"
EVENT_TIMESTAMP = "event_timestamp"


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
        _lake_views(workspace, use_case, duck, days)
        relation = _run(use_case, duck, "entities.sql")
        frame = _dates(relation.to_df(), [DATA_DAY, TARGET_DATE])
    ahead = {timedelta(days=horizon) for horizon in use_case.horizons}
    found = {(t - d) for t, d in zip(frame[TARGET_DATE], frame[DATA_DAY], strict=True)}
    if not found <= ahead:
        raise ConfigurationError(
            f"{use_case.name}/entities.sql gives target dates {sorted(found - ahead)} after the "
            f"data day; declared horizons are {use_case.horizons}"
        )
    keys = [DATA_DAY, TARGET_DATE, *use_case.key_names]
    if frame.duplicated(keys).any():
        twice = frame[frame.duplicated(keys)].iloc[0][keys].to_dict()
        raise RowsLost(f"{use_case.name}/entities.sql gives an entity twice: {twice}")
    cutoffs = {day: pd.Timestamp(use_case.dataset.cutoff(day)) for day in days}
    stamps = pd.Series([cutoffs[day] for day in frame[DATA_DAY]], index=frame.index, dtype=object)
    frame[EVENT_TIMESTAMP] = pd.to_datetime(stamps, utc=True).astype("datetime64[us, UTC]")
    return frame.sort_values(keys, ignore_index=True)


def add_features(workspace: Workspace, use_case: UseCase, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the feature service's columns, `<view>__<feature>`, beside it.

    The same rows in the same order; a feature without a value is missing.

    Raises:
        RowsLost: the store did not return the rows that were asked for.
    """
    store = open_store(workspace.settings, workspace.lake.pinned)
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
        _lake_views(workspace, use_case, duck, None)
        relation = _run(use_case, duck, "labels.sql")
        duck.execute("SET VARIABLE newest = $1", [newest])
        duck.execute("SET VARIABLE cutoff = $1", [cutoff])
        mature = relation.filter(
            f"{TARGET_DATE} <= getvariable('newest') AND known_at <= getvariable('cutoff')"
        )
        frame = _dates(mature.to_df(), [TARGET_DATE])
    wanted = [TARGET_DATE, *use_case.key_names]
    return frame[[*wanted, use_case.label.column]].sort_values(wanted, ignore_index=True)


def lake_versions(workspace: Workspace, use_case: UseCase) -> dict[str, int]:
    """Return the version at which every lake table of the use case is read, by name."""
    dataset = use_case.dataset
    landed = [names.landed(dataset, table) for table in dataset.tables]
    return workspace.lake.versions([*landed, *feature_tables(dataset)])


def _lake_views(
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


def _run(
    use_case: UseCase, duck: duckdb.DuckDBPyConnection, file_name: str
) -> duckdb.DuckDBPyRelation:
    file = use_case.folder / file_name
    try:
        return duck.sql(file.read_text(encoding="utf-8"))
    except (OSError, duckdb.Error) as error:
        raise ConfigurationError(f"{file}: {error}") from error


def _dates(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    return frame.assign(**{name: pd.to_datetime(frame[name]).dt.date for name in columns})
