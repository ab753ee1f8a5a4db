"""Whether features were available: what the offline store holds against what was known.

On a few days of the training span, features and entities are computed again from lake tables
without the rows that became known after the day's cut-off. A value that changes has looked at
them. Weather of the target date is the kind of leak that only this finds: it helps a model
far too little to be conspicuous.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from include.declare import FeatureView, UseCase
from include.features import retrieval
from include.features.baseline import BASELINE, FILE, baseline_rows
from include.features.build import current_days, features_as_known
from include.features.landed import TARGET_DATE
from include.lake import names
from include.lake.known import known_by
from include.lake.schema import DATA_DAY
from include.training.frame import TrainingFrame
from include.training.recorded import LakeState
from include.window import describe_days
from include.workspace import Workspace

_log = logging.getLogger(__name__)

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Change:
    """A feature that is another when later rows are left out.

    Attributes:
        source: the feature view, `entities.sql` or `baseline.sql`.
        feature: the model's column, the column of the entity frame that leads to features, or
            `baseline`.
        day: the data day.
        key: a row of the day, by column.
        used: its value in the training data; None is missing, or no such row.
        known: its value from what was known at the cut-off.
        changed: rows of the day that change.
        rows: rows of the day.
    """

    source: str
    feature: str
    day: date
    key: Mapping[str, Any]
    used: Any
    known: Any
    changed: int
    rows: int


def find_changes(
    workspace: Workspace,
    use_case: UseCase,
    data: TrainingFrame,
    as_of: date,
    days: Sequence[date] | None = None,
) -> list[Change]:
    """Return the features of a training frame that used rows known after a cut-off.

    Every feature at most once. Looked at are the newest day of the frame, the oldest with a
    full look-back and one drawn by chance, of those whose features are of what has landed now:
    a day that landed again since is no evidence. Without the dataset's lake tables there is
    nothing to look at; both are logged. `days`: what `days_to_check` gave, if it is known.

    Raises what `features_as_known` and `entity_frame` raise.
    """
    days = days_to_check(workspace, use_case, data, as_of) if days is None else days
    views = _views_used(use_case, data)
    state = LakeState(data.lake_versions, data.landed, data.missing_days)
    pinned = replace(workspace, lake=workspace.lake.at(state.versions, state.landed_days))
    found: dict[str, Change] = {}
    for day in days:
        for change in (
            *_of_views(pinned, use_case, views, day),
            *_of_entities(pinned, use_case, views, day),
            *_of_baseline(pinned, use_case, day),
        ):
            found.setdefault(change.feature, change)
    if days and not found:
        _log.info(
            "%s: nothing changed on %s without what was known later",
            use_case.name,
            describe_days(days),
        )
    return list(found.values())


def days_to_check(
    workspace: Workspace, use_case: UseCase, data: TrainingFrame, as_of: date
) -> list[date]:
    """Return the days that `find_changes` looks at; none without the dataset's lake tables."""
    dataset = use_case.dataset
    tables = [names.landed(dataset, table) for table in dataset.tables]
    tables += [names.features(dataset, view) for view, _ in _views_used(use_case, data)]
    if absent := [name for name in tables if not workspace.lake.exists(name)]:
        _log.warning(
            "%s: availability of features was not checked, the lake has no table %s",
            use_case.name,
            ", ".join(absent),
        )
        return []
    return _days(workspace, use_case, data, as_of)


def _views_used(use_case: UseCase, data: TrainingFrame) -> list[tuple[FeatureView, list[str]]]:
    """Return the feature views the frame has features of, with those."""
    found = []
    for view in use_case.dataset.feature_views:
        prefix = f"{view.name}__"
        used = [name.removeprefix(prefix) for name in data.features if name.startswith(prefix)]
        if used:
            found.append((view, used))
    return found


def _days(workspace: Workspace, use_case: UseCase, data: TrainingFrame, as_of: date) -> list[date]:
    """Return the days to look at, newest first."""
    dataset, days = use_case.dataset, sorted(set(data.frame[DATA_DAY]))
    current = current_days(workspace, dataset, days)
    if len(current) < len(days):
        _log.warning(
            "%s: %d of %d day(s) landed again after their features were built and are not "
            "checked for availability: %s",
            use_case.name,
            len(days) - len(current),
            len(days),
            describe_days(set(days) - set(current)),
        )
    if not current:
        return []
    full = current[dataset.lookback_days - 1 if len(current) >= dataset.lookback_days else 0]
    drawn = np.random.default_rng([use_case.training.seed, as_of.toordinal()])
    by_chance = current[int(drawn.integers(len(current)))]
    return sorted({current[-1], full, by_chance}, reverse=True)


def _of_views(
    pinned: Workspace, use_case: UseCase, views: Sequence[tuple[FeatureView, list[str]]], day: date
) -> Iterator[Change]:
    dataset = use_case.dataset
    known = features_as_known(pinned, dataset, [view for view, _ in views], day)
    for view, features in views:
        stored = pinned.lake.read(names.features(dataset, view), [day])
        for change in _changes(stored, known[view.name], view.keys, features, view.name, day):
            yield replace(change, feature=f"{view.name}__{change.feature}")


def _of_entities(
    pinned: Workspace, use_case: UseCase, views: Sequence[tuple[FeatureView, list[str]]], day: date
) -> Iterator[Change]:
    """Give columns of the entity frame that change: features, and keys that lead to them.

    The frame that is doubted sees all that lands until the day's labels are mature.
    """
    used = retrieval.entity_frame(pinned, use_case, _until_mature(use_case, day))
    known = retrieval.entity_frame(_as_known(pinned, use_case, day), use_case, [day])
    columns = [
        *use_case.training.schedule_features,
        *(key for view, _ in views for key in view.keys),
    ]
    yield from _changes(
        pa.Table.from_pandas(used[used[DATA_DAY] == day], preserve_index=False),
        pa.Table.from_pandas(known, preserve_index=False),
        (TARGET_DATE, *use_case.key_names),
        [name for name in columns if name in used.columns],
        "entities.sql",
        day,
    )


def _of_baseline(pinned: Workspace, use_case: UseCase, day: date) -> Iterator[Change]:
    """Give the change of what the declared baseline says: one that looks ahead is no fair bar.

    What is doubted sees all that lands until the day's labels are mature.
    """
    if use_case.baseline is None:
        return
    landed = pinned.lake.landed or frozenset()
    days = [it for it in _until_mature(use_case, day) if it in landed]
    used = baseline_rows(pinned, use_case, days)
    known = baseline_rows(_as_known(pinned, use_case, day), use_case, [day])
    yield from _changes(
        pa.Table.from_pandas(used[used[DATA_DAY] == day], preserve_index=False),
        pa.Table.from_pandas(known, preserve_index=False),
        (TARGET_DATE, *use_case.key_names),
        [BASELINE],
        FILE,
        day,
    )


def _until_mature(use_case: UseCase, day: date) -> list[date]:
    """Return a day and those after it, until the labels of its target dates are mature."""
    ahead = max(use_case.horizons) + use_case.label.mature_after
    return [day + timedelta(days=n) for n in range(ahead + 1)]


def _as_known(pinned: Workspace, use_case: UseCase, day: date) -> Workspace:
    """Return a workspace whose lake has what was known at the cut-off of a day."""
    return replace(pinned, lake=known_by(pinned.lake, use_case.dataset.cutoff(day)))


def _changes(
    used: pa.Table,
    known: pa.Table,
    keys: Sequence[str],
    columns: Sequence[str],
    source: str,
    day: date,
) -> Iterator[Change]:
    """Give the columns in which two tables differ; a row that is not there has no values."""
    wanted = list(dict.fromkeys([*keys, *columns]))
    order = [(name, "ascending") for name in keys]
    if used.select(wanted).sort_by(order).equals(known.select(wanted).sort_by(order)):
        return
    before, after = (_by_key(table, keys, columns) for table in (used, known))
    nothing = (None,) * len(columns)
    every = sorted(before.keys() | after.keys(), key=repr)
    for place, column in enumerate(columns):
        pairs = [(before.get(it, nothing)[place], after.get(it, nothing)[place]) for it in every]
        changed = [n for n, (one, other) in enumerate(pairs) if not _same(one, other)]
        if changed:
            row = changed[0]
            key = dict(zip(keys, every[row], strict=True))
            yield Change(source, column, day, key, *pairs[row], len(changed), len(every))


def _by_key(table: pa.Table, keys: Sequence[str], columns: Sequence[str]) -> dict[Key, Key]:
    def rows(wanted: Sequence[str]) -> Iterator[Key]:
        return zip(*(table.column(name).to_pylist() for name in wanted), strict=True)

    return dict(zip(rows(keys), rows(columns), strict=True))


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) or (_missing(one) and _missing(other))


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
