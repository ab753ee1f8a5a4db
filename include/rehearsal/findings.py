"""What a rehearsal found, as small tables of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from include.declare import Dataset, FeatureView, Table, UseCase
from include.features.baseline import BASELINE
from include.lake import names
from include.lake.schema import DATA_DAY
from include.warehouse.monitoring_tables import drift_metrics, drift_verdicts
from include.warehouse.tables import quarantine, validation_results
from include.warehouse.use_cases import quantile_columns, use_case_tables
from include.workspace import Workspace

MOST_DRIFTS = 10


@dataclass(frozen=True)
class Findings:
    """A table of text with a title.

    Attributes:
        title: what it is and how many rows there are of it.
        columns: the most important first.
        rows: the first rows.
        note: a sentence below it.
    """

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    note: str | None = None


def of_frame(title: str, frame: pd.DataFrame, rows: int, leave_out: Iterable[str] = ()) -> Findings:
    """Return the first rows of a frame; `leave_out` names columns that are not shown."""
    hidden = set(leave_out)
    columns = [name for name in frame.columns if name not in hidden]
    first = frame[columns].head(rows).itertuples(index=False, name=None)
    return Findings(
        title, tuple(columns), tuple(tuple(_text(value) for value in row) for row in first)
    )


def landed(workspace: Workspace, dataset: Dataset, day: date) -> Findings:
    """Return rows landed and held, and the rules that failed, of every table on a day."""
    rows = tuple(_landed(workspace, dataset, table, day) for table in dataset.tables)
    columns = ("table", "kind", "landed", "held", "rules that failed")
    return Findings(f"{dataset.name} {day}: what landed", columns, rows)


def _landed(workspace: Workspace, dataset: Dataset, table: Table, day: date) -> tuple[str, ...]:
    snapshot, name = table.kind == "snapshot", names.landed(dataset, table)
    rows = 0
    if workspace.lake.exists(name):
        rows = len(workspace.lake.read(name, None if snapshot else [day]))
    held, ruled = quarantine.c, validation_results.c
    mine = (held.dataset == dataset.name, held.table_name == table.name, held.decision.is_(None))
    judged = (ruled.dataset == dataset.name, ruled.table_name == table.name)
    with workspace.warehouse.reading() as connection:
        newest = sa.select(sa.func.max(ruled.data_day)).where(*judged, ruled.data_day <= day)
        when = connection.scalar(newest) if snapshot else day
        failed = connection.execute(
            sa.select(ruled.rule, ruled.unexpected, ruled.evaluated, ruled.on_failure)
            .where(*judged, ruled.data_day == when, ruled.success.is_(False))
            .order_by(ruled.rule)
        ).all()
        distinct = sa.func.count(sa.distinct(held.row_hash))
        count = connection.scalar(sa.select(distinct).where(*mine, held.data_day == when))
    told = [f"{it.rule}: {it.unexpected:,} of {it.evaluated:,} ({it.on_failure})" for it in failed]
    return (table.name, table.kind, f"{rows:,}", f"{count:,}", "; ".join(told) or "none")


def features(
    workspace: Workspace, dataset: Dataset, view: FeatureView, day: date, rows: int
) -> Findings:
    """Return the first rows of a feature view on a day, its keys first."""
    frame = workspace.lake.read(names.features(dataset, view), [day]).to_pandas()
    columns = [*view.keys, *(it for it in frame.columns if it not in view.keys)]
    title = f"{view.name}: {len(frame):,} rows, keys {', '.join(view.keys)}"
    return of_frame(title, frame[columns], rows, (DATA_DAY, "event_timestamp"))


def scores(workspace: Workspace, use_case: UseCase, day: date, rows: int) -> Findings:
    """Return the highest scores of a day with their first reason."""
    table = use_case_tables(use_case).scores
    said = ["prediction", *quantile_columns(use_case).values()]
    said += ["decision"] if use_case.task == "binary" else []
    columns = ["target_date", *use_case.key_names, *said, "reason_1"]
    query = (
        sa.select(*(table.c[name] for name in columns))
        .where(table.c.data_day == day)
        .order_by(table.c.prediction.desc(), *(table.c[name] for name in use_case.key_names))
    )
    with workspace.warehouse.reading() as connection:
        found = connection.execute(query).all()
    frame = pd.DataFrame(found, columns=columns)
    mean = f", mean prediction {frame['prediction'].mean():.4g}" if len(frame) else ""
    return of_frame(f"{use_case.name}: {len(frame):,} scores{mean}, highest first", frame, rows)


def drift(workspace: Workspace, use_case: UseCase, day: date) -> Findings:
    """Return the verdict on a day, and what moved."""
    metrics, verdicts = drift_metrics.c, drift_verdicts.c
    with workspace.warehouse.reading() as connection:
        words = connection.scalar(
            sa.select(verdicts.words).where(
                verdicts.use_case == use_case.name, verdicts.data_day == day
            )
        )
        moved = connection.execute(
            sa.select(metrics.column_name, metrics.kind, metrics.value, metrics.threshold)
            .add_columns(metrics.words)
            .where(metrics.use_case == use_case.name, metrics.data_day == day, metrics.drifted)
            .order_by(metrics.importance.desc(), metrics.column_name, metrics.kind)
        ).all()
    frame = pd.DataFrame(moved, columns=["column", "kind", "distance", "threshold", "words"])
    found = of_frame(f"{use_case.name}: what moved on {day}", frame, MOST_DRIFTS)
    more = len(moved) - MOST_DRIFTS
    note = f"and {more} more in drift_metrics; " if more > 0 else ""
    return replace(found, note=note + (words or "there was nothing to judge"))


def entities(use_case: UseCase, frame: pd.DataFrame, rows: int) -> Findings:
    """Return the first entities that are due; columns that tell of people are left out."""
    title = f"{use_case.name}: {len(frame):,} entities due"
    return of_frame(title, frame, rows, (DATA_DAY, "event_timestamp", *use_case.dataset.personal))


def joined(use_case: UseCase, frame: pd.DataFrame, before: Iterable[str]) -> Findings:
    """Return how many entities found features in each view.

    Args:
        use_case: whose entities they are.
        frame: entities with features, `<view>__<feature>`.
        before: the columns that are not features.
    """
    of_view: dict[str, list[str]] = {}
    known = set(before)
    for name in frame.columns:
        if name not in known:
            of_view.setdefault(name.partition("__")[0], []).append(name)
    counts = {view: int(frame[names].notna().any(axis=1).sum()) for view, names in of_view.items()}
    rows = tuple(
        (view, str(len(of_view[view])), f"{count:,} of {len(frame):,}")
        for view, count in counts.items()
    )
    columns = ("view", "features", "entities that have a value")
    return Findings(f"{use_case.feature_service}: features joined to the entities", columns, rows)


def baseline(use_case: UseCase, frame: pd.DataFrame, rows: int) -> Findings:
    """Return what the declared baseline says of the first entities, `baseline` beside the keys."""
    told = int(frame[BASELINE].notna().sum())
    title = f"{use_case.name}: the baseline speaks of {told:,} of {len(frame):,} entities"
    return of_frame(title, frame[["target_date", *use_case.key_names, BASELINE]], rows)


def labels(use_case: UseCase, frame: pd.DataFrame, as_of: date, rows: int) -> Findings:
    """Return the newest labels that are mature."""
    name = use_case.label.column
    title = f"{use_case.name}: no label is mature as of {as_of}"
    if len(frame):
        first, last = frame["target_date"].min(), frame["target_date"].max()
        values = pd.to_numeric(frame[name], errors="coerce")
        title = (
            f"{use_case.name}: {len(frame):,} labels mature as of {as_of}, about {first} … {last}, "
            f"mean {values.mean():.4g}"
        )
    newest: Sequence[str] = ["target_date", *use_case.key_names]
    ordered = frame.sort_values(list(newest), ascending=[False, *[True] * (len(newest) - 1)])
    return of_frame(title, ordered[[*newest, name]], rows, use_case.dataset.personal)


def _text(value: Any) -> str:
    if value is None or value is pd.NaT or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    return str(value)
