"""The reference profile of a model: what its columns look like, and how much days differ.

Saved with every model version: a seeded sample of the labelled rows and, per column, the
distance beyond which a day counts as moved. That threshold comes from the reference itself:
each of its days is measured against the sample, and the declared share of them may lie above.
What days do to one another anyway is therefore not drift.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from include.declare_model import Monitoring
from include.errors import DataError, StorageUnavailable
from include.lake import fingerprint
from include.training.distance import Blocks, Floats, jensen_shannon, wasserstein
from include.training.encoding import numbers

PREDICTION = "prediction"
FLOOR = 0.1
"""No threshold is lower: Evidently's default, below which a distance has no consequence."""

_METADATA = b"nightshift_columns"


@dataclass(frozen=True)
class ColumnProfile:
    """How one column is measured: `method` is `wasserstein` or `jensenshannon`."""

    name: str
    kind: str
    method: str
    threshold: float


@dataclass(frozen=True)
class Reference:
    """A sample of reference rows and the profile of each column that is watched."""

    sample: pd.DataFrame
    columns: tuple[ColumnProfile, ...]

    @cached_property
    def id(self) -> str:
        """SHA-256 of the sample and the thresholds."""
        rows = pa.Table.from_pandas(self.sample, preserve_index=False)
        profiles = [dataclasses.asdict(column) for column in self.columns]
        return fingerprint.of_values(fingerprint.of_table(rows), profiles)

    def to_parquet(self) -> bytes:
        """Return sample and profiles as one Parquet file."""
        rows = pa.Table.from_pandas(self.sample, preserve_index=False)
        profiles = json.dumps([dataclasses.asdict(column) for column in self.columns]).encode()
        sink = pa.BufferOutputStream()
        pq.write_table(rows.replace_schema_metadata({_METADATA: profiles}), sink)
        return bytes(sink.getvalue())


def build(
    frame: pd.DataFrame,
    blocks: Blocks,
    features: Sequence[str],
    categorical: Sequence[str],
    monitoring: Monitoring,
    seed: int,
) -> Reference:
    """Build the profile of a model from the rows it was made with.

    Args:
        frame: features and `prediction`; NaN as the prediction of rows the model was fitted
            on, whose predictions are better than any it will make.
        blocks: which day each row belongs to, from 0.
        features: columns watched, beside the prediction.
        categorical: those that are categories.
        monitoring: size of the sample, false-alarm rate, columns to leave out.
        seed: of the sample.
    """
    watched = [name for name in (*features, PREDICTION) if name not in monitoring.ignore]
    size = min(monitoring.reference_rows, len(frame))
    chosen = np.sort(np.random.default_rng(seed).choice(len(frame), size, replace=False))
    sample = frame.iloc[chosen][watched].reset_index(drop=True)
    count = int(blocks.max()) + 1
    columns = []
    for name in watched:
        method = "jensenshannon" if name in categorical else "wasserstein"
        distances = distances_of(sample[name], frame[name], blocks, count, method)
        kind = "prediction" if name == PREDICTION else "feature"
        threshold = _threshold(distances, monitoring.false_alarm_rate)
        columns.append(ColumnProfile(name, kind, method, threshold))
    return Reference(sample, tuple(columns))


def load(path: Path, expected_id: str) -> Reference:
    """Read what `to_parquet` wrote.

    Raises:
        DataError: the file is not the one the model names.
        StorageUnavailable: it cannot be read.
    """
    try:
        rows = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise StorageUnavailable(
            f"the reference profile {path} cannot be read: {error}; restore it, or train again"
        ) from error
    profiles = json.loads((rows.schema.metadata or {}).get(_METADATA, b"[]"))
    reference = Reference(
        rows.replace_schema_metadata(None).to_pandas(),
        tuple(ColumnProfile(**profile) for profile in profiles),
    )
    if reference.id != expected_id:
        raise DataError(
            f"the reference profile {path} is not the one its model was saved with "
            f"({reference.id[:12]}… instead of {expected_id[:12]}…); restore it, or train again"
        )
    return reference


def distances_of(
    sample: pd.Series[float], values: pd.Series[float], blocks: Blocks, count: int, method: str
) -> Floats:
    """Return the distance of each block's values to the sample; NaN for empty blocks."""
    if method == "jensenshannon":
        return jensen_shannon(sample, values, blocks, count)
    return wasserstein(numbers(sample), numbers(values), blocks, count)


def _threshold(distances: Floats, false_alarm_rate: float) -> float:
    known = distances[np.isfinite(distances)]
    if not len(known):
        return FLOOR
    return max(FLOOR, float(np.quantile(known, 1 - false_alarm_rate, method="higher")))
