"""The labelled frame: what was known at each cut-off beside what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from include.declare import UseCase
from include.errors import DataError
from include.features import retrieval
from include.lake import fingerprint
from include.training.split import within
from include.warehouse.stages import done_days
from include.window import Window, describe_days
from include.workspace import Workspace


@dataclass(frozen=True)
class TrainingFrame:
    """Labelled rows, ordered by target date, data day and key.

    Attributes:
        frame: `data_day`, `target_date`, entity keys, features and label.
        features: the model's columns in order: of the entity frame, then of the service.
        categorical: those of them that are categories.
        words: feature → what it is.
        span: target dates asked for.
        lake_versions: lake table → version read.
        rows_due: rows of the entity frames, with and without a label.
        missing_days: data days of the span without features.
    """

    frame: pd.DataFrame
    features: tuple[str, ...]
    categorical: tuple[str, ...]
    label: str
    words: Mapping[str, str]
    span: Window
    lake_versions: Mapping[str, int]
    rows_due: int
    missing_days: tuple[date, ...]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of keys, features and labels; the same rows give the same hash."""
        return fingerprint.of_table(pa.Table.from_pandas(self.frame, preserve_index=False))


def labelled_frame(workspace: Workspace, use_case: UseCase, as_of: date) -> TrainingFrame:
    """Return the labelled history of a use case as it was known at the end of `as_of`.

    One line for a notebook: with an open workspace,
    `labelled_frame(workspace, catalog.use_case("flight_delay"), date(2013, 9, 30)).frame`.

    The newest target date is the last whose label is mature on `as_of`; the oldest lies
    `history_days` before. Rows without a label are left out and counted.

    Raises:
        DataError: there are fewer labelled rows than the use case declares to be enough, or
            the labels are not unique per target date and key.
    """
    last = as_of - timedelta(days=use_case.label.mature_after)
    span = Window(last - timedelta(days=use_case.training.history_days - 1), last)
    days, missing = _data_days(workspace, use_case, span)
    due = retrieval.entity_frame(workspace, use_case, days)
    due = due[within(due["target_date"], span)]
    labels = retrieval.labels(workspace, use_case, as_of)
    known = _with_labels(use_case, due, labels)
    _require_rows(use_case, span, len(known), len(due), missing)
    full, served = _with_features(workspace, use_case, known)
    features = (*use_case.training.schedule_features, *served)
    columns = ["data_day", "target_date", *use_case.key_names, *features, _label(use_case)]
    described = retrieval.feature_descriptions(workspace, use_case)
    return TrainingFrame(
        frame=_ordered(full[list(dict.fromkeys(columns))], use_case),
        features=features,
        categorical=tuple(n for n in use_case.training.categorical if n in features),
        label=_label(use_case),
        words={name: describe(use_case, described, name) for name in features},
        span=span,
        lake_versions=retrieval.lake_versions(workspace, use_case),
        rows_due=len(due),
        missing_days=tuple(missing),
    )


def describe(use_case: UseCase, described: Mapping[str, str], feature: str) -> str:
    """Return what a feature is: from Feast, else from the plan table, else its name."""
    plan = use_case.dataset.table(use_case.plan_table)
    known = {column.name: column.description for column in plan.columns} | dict(described)
    words = known.get(feature, feature.replace("__", " ").replace("_", " ")).strip().rstrip(".")
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def _data_days(
    workspace: Workspace, use_case: UseCase, span: Window
) -> tuple[list[date], list[date]]:
    """Return the data days whose scores were about the span: those with features, and not."""
    first_day = use_case.dataset.first_day
    wanted = sorted(
        {
            day
            for target in span
            for horizon in use_case.horizons
            if (day := target - timedelta(days=horizon)) >= first_day
        }
    )
    with workspace.warehouse.reading() as connection:
        done = done_days(connection, "features", use_case.dataset.name, wanted)
    return [day for day in wanted if day in done], [day for day in wanted if day not in done]


def _with_labels(use_case: UseCase, due: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Return the due rows that have a label, in their order, with the label."""
    keys = ["target_date", *use_case.key_names]
    ours, theirs = (_join_keys(frame, keys) for frame in (due, labels))
    if theirs.duplicated().any():
        raise DataError(
            f"{use_case.name}: labels.sql gives {int(theirs.duplicated().sum())} row(s) whose "
            f"{', '.join(keys)} occurred before; make it give one row per target date and key"
        )
    label = _label(use_case)
    joined = ours.merge(theirs.assign(**{label: labels[label].to_numpy()}), how="left", on=keys)
    values = joined[label].to_numpy(dtype=np.float64, na_value=np.nan)
    kept = np.isfinite(values)
    found: pd.DataFrame = due[kept].assign(**{label: values[kept]}).reset_index(drop=True)
    return found


def _with_features(
    workspace: Workspace, use_case: UseCase, known: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """Return the labelled rows with the feature service's columns, and their names."""
    label = _label(use_case)
    full = retrieval.add_features(workspace, use_case, known.drop(columns=[label]))
    if len(full) != len(known):
        raise DataError(
            f"{use_case.name}: {len(known)} labelled rows went into feature retrieval and "
            f"{len(full)} came back; report this, no training frame is built from it"
        )
    served = [name for name in full.columns if name not in known.columns]
    return full.assign(**{label: known[label].to_numpy()}), served


def _join_keys(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the key columns with one type per meaning, so that they compare."""
    columns = {}
    for name in keys:
        values = frame[name].reset_index(drop=True)
        if name == "target_date":
            values = pd.to_datetime(values).astype("datetime64[s]")
        elif isinstance(values.dtype, pd.DatetimeTZDtype):
            values = values.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
        columns[name] = values
    return pd.DataFrame(columns)


def _ordered(frame: pd.DataFrame, use_case: UseCase) -> pd.DataFrame:
    order = ["target_date", "data_day", *use_case.key_names]
    return frame.sort_values(order, kind="stable").reset_index(drop=True)


def _require_rows(
    use_case: UseCase, span: Window, labelled: int, due: int, missing: list[date]
) -> None:
    if labelled >= use_case.training.min_rows:
        return
    gaps = f"; {len(missing)} day(s) have no features: {describe_days(missing)}" if missing else ""
    raise DataError(
        f"{use_case.name}: {labelled} labelled rows for target dates {span} ({due} due) are fewer "
        f"than the {use_case.training.min_rows} declared to be enough{gaps}. Run "
        f"{use_case.dataset.name}_backfill over those days, then train again"
    )


def _label(use_case: UseCase) -> str:
    return use_case.label.column
