"""Online equals offline: a sample of what the online store serves, value by value.

Values are compared exactly, save for what Feast does not keep online: NaN comes back as null,
and a timestamp as whole seconds.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from include.declare import Dataset, FeatureView
from include.features.quick_feast import FeatureStore
from include.lake import fingerprint
from include.lake.schema import DATA_DAY

SAMPLE_ROWS = 100
"""Entities compared per feature view."""

SHOWN_CHARACTERS = 60
"""Longest value in a message."""


@dataclass(frozen=True)
class Difference:
    """A value that the two stores do not agree on."""

    view: str
    feature: str
    key: Mapping[str, Any]
    online: Any
    offline: Any

    def __str__(self) -> str:
        key = ", ".join(f"{name} {_shown(value)}" for name, value in self.key.items())
        return (
            f"{self.feature} of {self.view} for {key} is {_shown(self.online)} online and "
            f"{_shown(self.offline)} offline"
        )


@dataclass(frozen=True)
class Parity:
    """What a comparison found.

    Attributes:
        compared: feature view → number of values compared.
        differences: those that differ, in the order of the views.
    """

    compared: Mapping[str, int]
    differences: tuple[Difference, ...]

    def __str__(self) -> str:
        total = sum(self.compared.values())
        if not self.differences:
            return f"{total:,} online values compared with the offline ones, all equal"
        differ = Counter(difference.view for difference in self.differences)
        views = ", ".join(f"{view} {n:,} of {self.compared[view]:,}" for view, n in differ.items())
        return (
            f"{len(self.differences):,} of {total:,} online values differ from the offline ones "
            f"({views}), the first: {self.differences[0]}"
        )


@dataclass(frozen=True)
class Sample:
    """The entities of one feature view to compare, and its features.

    Attributes:
        keys: one row per entity, no nulls.
    """

    view: FeatureView
    features: Sequence[str]
    keys: pa.Table


def compare(
    store: FeatureStore, dataset: Dataset, day: date, rows: Mapping[str, pa.Table]
) -> Parity:
    """Compare the online values of up to `SAMPLE_ROWS` entities per view with the offline ones.

    Both are asked for through Feast, offline as of the cut-off of `day`. Feast 0.67 serves
    online values whatever their age, so that days long past can be compared too.

    Args:
        rows: feature view → the offline rows of `day`, whose entities are compared.
    """
    samples = []
    for view in dataset.feature_views:
        features = [field.name for field in store.get_feature_view(view.name).features]
        samples.append(Sample(view, features, choose(rows[view.name], view.keys)))
    asked = [it for it in samples if len(it.keys)]
    differences = [
        difference
        for sample, offline in zip(asked, _offline(store, asked, dataset.cutoff(day)), strict=True)
        for difference in _differences(sample, _online(store, sample), offline)
    ]
    compared = {it.view.name: len(it.keys) * len(it.features) for it in samples}
    return Parity(compared, tuple(differences))


def choose(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return the keys of up to `SAMPLE_ROWS` of a day's rows, by the hash of day and key.

    The same ones whenever the day is asked for, others on the next day. Rows that lack a key
    are left out: neither store serves them.
    """
    usable = rows.select([DATA_DAY, *keys]).drop_null()
    hashes = [fingerprint.of_values(row) for row in usable.to_pylist()]
    chosen = heapq.nsmallest(SAMPLE_ROWS, range(len(hashes)), key=hashes.__getitem__)
    return usable.select(list(keys)).take(pa.array(chosen, pa.int64()))


def _online(store: FeatureStore, sample: Sample) -> dict[str, list[Any]]:
    """Return feature → what the online store serves for each key."""
    wanted = [f"{sample.view.name}:{feature}" for feature in sample.features]
    served: dict[str, list[Any]] = store.get_online_features(
        wanted, sample.keys.to_pydict()
    ).to_dict()
    return served


def _offline(
    store: FeatureStore, samples: Sequence[Sample], at: datetime
) -> Iterator[dict[str, list[Any]]]:
    """Yield for each sample feature → the point-in-time value of each key, from one retrieval."""
    if not samples:
        return
    # The rows of one sample lack the keys of the others; integers stay exact beside the gaps.
    keys = pa.concat_tables([it.keys for it in samples], promote_options="permissive")
    frame = keys.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get)
    wanted = [f"{it.view.name}:{feature}" for it in samples for feature in it.features]
    found = store.get_historical_features(
        frame.assign(event_timestamp=at), wanted, full_feature_names=True
    ).to_arrow()
    start = 0
    for it in samples:
        mine = found.slice(start, len(it.keys))
        yield {name: mine[f"{it.view.name}__{name}"].to_pylist() for name in it.features}
        start += len(it.keys)


def _differences(
    sample: Sample, online: Mapping[str, list[Any]], offline: Mapping[str, list[Any]]
) -> Iterator[Difference]:
    keys = sample.keys.to_pylist()
    for name in sample.features:
        for key, served, true in zip(keys, online[name], offline[name], strict=True):
            if _kept(served) != _kept(true):
                yield Difference(sample.view.name, name, key, served, true)


def _kept(value: Any) -> Any:
    """Return what Feast keeps of a value online."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, datetime):
        return value.replace(microsecond=0)
    if isinstance(value, list):
        return [_kept(item) for item in value]
    return value


def _shown(value: Any) -> str:
    """Return a value as a person reads it in one line."""
    if value is None:
        return "null"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
