"""The labelled frame: what was known at each cut-off beside what came of it.

It is read at lake versions taken first, so that the versions it names are what was read, and
the same frame can be made again from them however the lake has moved on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa

from include.declare import UseCase
from include.errors import ConfigurationError, DataError, StorageUnavailable
from include.features import retrieval
from include.features.baseline import BASELINE, add_baseline
from include.lake import fingerprint
from include.training.recorded import LakeState, Ranges, Recorded, ranges_of
from include.training.split import as_days, within
from include.warehouse.stages import done_days
from include.window import Window, describe_days
from include.workspace import Workspace

ATTEMPTS = 3
"""How often a state of the lake is asked for while stages write it."""


@dataclass(frozen=True)
class TrainingFrame:
    """Labelled rows, ordered by target date, data day and key.

    Attributes:
        frame: `data_day`, `target_date`, entity keys, features, columns of slices, what the
            declared baseline says (`baseline`), and label.
        features: the model's columns in order: of the entity frame, then of the service.
        categorical: those of them that are categories.
        words: feature → what it is.
        span: target dates asked for.
        lake_versions: lake table → version read.
        landed: data days that had landed, which labels and entities were read from.
        rows_due: rows of the entity frames, with and without a label.
        missing_days: data days of the span without features.
        due: data day → rows of its entity frame, of days whose every target date is in the span.
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
    landed: Ranges = ()
    due: Mapping[date, int] = field(default_factory=dict)

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
    span = _span(use_case, as_of)
    return _frame_at(workspace, use_case, as_of, _state_now(workspace, use_case, span))


def rebuild_frame(workspace: Workspace, use_case: UseCase, recorded: Recorded) -> TrainingFrame:
    """Return the frame a registered version was trained from, whatever the lake holds now.

    `rebuild_frame(workspace, use_case, recorded_of(entry))`, with the ledger's entry that
    registered the version.

    Raises:
        DataError: what is read at the recorded versions is not what was read then; names the
            version and both hashes.
        StorageUnavailable: a recorded lake version is gone; names table and version.
    """
    data = _frame_at(workspace, use_case, recorded.as_of, recorded.state)
    if data.sha256 != recorded.frame_sha256:
        raise DataError(
            f"{use_case.name}: the training set of version {recorded.model_version} comes out "
            f"with SHA-256 {data.sha256} from the recorded lake versions, but was "
            f"{recorded.frame_sha256}. The lake tables are as they were, so declaration, SQL, "
            "Feast definitions or packages have changed since: use the code revision of its "
            "training run (stage_runs), apply the definitions there (./nightshift init) and "
            "rebuild"
        )
    return data


def _frame_at(
    workspace: Workspace, use_case: UseCase, as_of: date, state: LakeState
) -> TrainingFrame:
    """Return the labelled frame from the lake as it was in a state."""
    lake = workspace.lake.at(state.versions, state.landed_days)
    pinned, span = replace(workspace, lake=lake), _span(use_case, as_of)
    days = [day for day in _data_days(use_case, span) if day not in state.missing]
    due = retrieval.entity_frame(pinned, use_case, days)
    due = due[within(due["target_date"], span)]
    labels = retrieval.labels(pinned, use_case, as_of)
    known = _with_labels(use_case, due, labels)
    _require_rows(use_case, span, len(known), len(due), state.missing)
    full, served = _with_features(pinned, use_case, known)
    full = add_baseline(pinned, use_case, full)
    features = (*use_case.training.schedule_features, *served)
    slices = (it.column for it in use_case.gate.slices)
    columns = ["data_day", "target_date", *use_case.key_names, *features, *slices]
    lacking = [name for name in columns if name not in full]
    if lacking:
        raise ConfigurationError(
            f"{use_case.name}: {', '.join(lacking)} is declared as a feature or slice, and neither "
            "entities.sql nor the feature service has it; correct the declaration"
        )
    columns += [_label(use_case), *([BASELINE] if use_case.baseline else [])]
    described = retrieval.feature_descriptions(pinned, use_case)
    return TrainingFrame(
        frame=_ordered(full[list(dict.fromkeys(columns))], use_case),
        features=features,
        categorical=tuple(n for n in use_case.training.categorical if n in features),
        label=_label(use_case),
        words={name: describe(use_case, described, name) for name in features},
        span=span,
        lake_versions=state.versions,
        rows_due=len(due),
        missing_days=state.missing,
        landed=state.landed,
        due=_count_due(use_case, due, span),
    )


def describe(use_case: UseCase, described: Mapping[str, str], feature: str) -> str:
    """Return what a feature is: from Feast, the plan table or the score columns, else its name."""
    plan = use_case.dataset.table(use_case.plan_table)
    columns = (*use_case.score_columns, *plan.columns)
    known = {column.name: column.description for column in columns} | dict(described)
    words = known.get(feature, feature.replace("__", " ").replace("_", " ")).strip().rstrip(".")
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def _span(use_case: UseCase, as_of: date) -> Window:
    """Return the target dates of a frame, the newest being the last that is mature."""
    last = as_of - timedelta(days=use_case.label.mature_after)
    return Window(last - timedelta(days=use_case.training.history_days - 1), last)


def _data_days(use_case: UseCase, span: Window) -> list[date]:
    """Return the data days whose scores were about the span."""
    days = {target - timedelta(days=horizon) for target in span for horizon in use_case.horizons}
    return sorted(day for day in days if day >= use_case.dataset.first_day)


def _state_now(workspace: Workspace, use_case: UseCase, span: Window) -> LakeState:
    """Return the state of the lake between two writes.

    The days that are done are asked for before and after the versions: while they stay the
    same, no stage has written what the versions hold of them.
    """
    wanted = _data_days(use_case, span)
    for _ in range(ATTEMPTS):
        before = _days_now(workspace, use_case, wanted)
        versions = retrieval.lake_versions(workspace, use_case)
        if _days_now(workspace, use_case, wanted) == before:
            landed, built = before
            missing = tuple(day for day in wanted if day not in built)
            return LakeState(versions, ranges_of(landed), missing)
    raise StorageUnavailable(
        f"{use_case.dataset.name} was being written each of the {ATTEMPTS} times its lake "
        "versions were read; run again when ingest and features have ended"
    )


def _days_now(
    workspace: Workspace, use_case: UseCase, wanted: list[date]
) -> tuple[dict[date, str], dict[date, str]]:
    """Return landed days, and wanted days that have features, each with its content's hash."""
    name = use_case.dataset.name
    with workspace.warehouse.reading() as connection:
        landed = done_days(connection, "ingest", name)
        return landed, done_days(connection, "features", name, wanted)


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


def _count_due(use_case: UseCase, due: pd.DataFrame, span: Window) -> dict[date, int]:
    """Return the rows due on each data day that lies in the span with all its target dates."""
    counted = Counter(day.item() for day in as_days(due["data_day"]))
    whole = (
        day
        for day in sorted(counted)
        if all(day + timedelta(days=horizon) in span for horizon in use_case.horizons)
    )
    return {day: counted[day] for day in whole}


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
    use_case: UseCase, span: Window, labelled: int, due: int, missing: tuple[date, ...]
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
