"""The reference profile of a model: what its columns look like, and how much nights differ.

Saved with every model version: a seeded sample of the labelled rows and, for every measure of
drift, its threshold and a histogram. The thresholds come from the reference itself, see
`thresholds`: what nights do to one another anyway is not drift.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from include.declare_model import DriftMethod
from include.errors import DataError, StorageUnavailable
from include.lake import fingerprint
from include.training.distance import Floats

PREDICTION, DECISION, LABEL, VOLUME = "prediction", "decision", "label", "rows"

Kind = Literal["feature", "prediction", "decision", "label", "missing", "categories", "volume"]
Method = DriftMethod | Literal["share", "log_ratio"]

_METADATA = b"nightshift_columns"


@dataclass(frozen=True)
class Histogram:
    """How often values occurred in all labelled rows the reference was made from.

    Attributes:
        counts: rows of each bin or name; of `rows`, the usual rows of each weekday.
        edges: of a number: bins of about as many rows each, one edge more than counts.
        names: of a category: its values as text.
    """

    counts: tuple[int, ...]
    edges: tuple[float, ...] | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ColumnProfile:
    """How one column is measured.

    Attributes:
        kind: feature, prediction, decision and label are distances from the sample; missing
            and categories are shares of a feature's rows, volume is the number of all rows.
        method: how; a night has drifted in it when its value exceeds `threshold`.
        nights: of the reference, each measured without its week, that the threshold is from.
        expected: of a share: the reference's.
        histogram: None where the column has no value, and in files from before there were any.
    """

    name: str
    kind: Kind
    method: Method
    threshold: float
    nights: int | None = None
    expected: float | None = None
    histogram: Histogram | None = None

    @property
    def numeric(self) -> bool:
        """Whether it is a number, as far as is known."""
        return self.histogram is not None and self.histogram.edges is not None

    def plain(self) -> dict[str, Any]:
        """Return it as plain values; what is None is left out, as in files from before."""
        values = dataclasses.asdict(self)
        if values["histogram"] is not None:
            values["histogram"] = _known(values["histogram"])
        return _known(values)

    @classmethod
    def of_plain(cls, values: dict[str, Any]) -> ColumnProfile:
        """Read what `plain` returned."""
        found = dict(values)
        if histogram := found.pop("histogram", None):
            found["histogram"] = Histogram(**{n: tuple(it) for n, it in histogram.items()})
        return cls(**found)


@dataclass(frozen=True)
class Reference:
    """A sample of reference rows and the profile of each measure.

    Attributes:
        sample: features, prediction, and decision and label where there are.
    """

    sample: pd.DataFrame
    profiles: tuple[ColumnProfile, ...]

    @property
    def columns(self) -> tuple[ColumnProfile, ...]:
        """The distances of features and prediction: what a page shows."""
        return tuple(it for it in self.profiles if it.kind in ("feature", "prediction"))

    def of_kind(self, *kinds: Kind) -> tuple[ColumnProfile, ...]:
        """Return the profiles of some kinds."""
        return tuple(it for it in self.profiles if it.kind in kinds)

    @cached_property
    def id(self) -> str:
        """SHA-256 of the sample and the profiles."""
        rows = pa.Table.from_pandas(self.sample, preserve_index=False)
        return fingerprint.of_values(fingerprint.of_table(rows), self._plain())

    def to_parquet(self) -> bytes:
        """Return sample and profiles as one Parquet file."""
        rows = pa.Table.from_pandas(self.sample, preserve_index=False)
        profiles = json.dumps(self._plain()).encode()
        sink = pa.BufferOutputStream()
        pq.write_table(rows.replace_schema_metadata({_METADATA: profiles}), sink)
        return bytes(sink.getvalue())

    def _plain(self) -> list[dict[str, Any]]:
        return [profile.plain() for profile in self.profiles]


def load(path: Path, expected_id: str) -> Reference:
    """Read what `to_parquet` wrote, also before there were more measures than distances.

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
    try:
        known = tuple(ColumnProfile.of_plain(profile) for profile in profiles)
    except TypeError as error:
        raise DataError(
            f"the reference profile {path} was written by another version of Nightshift "
            f"({error}); run that version, or train again"
        ) from error
    reference = Reference(rows.replace_schema_metadata(None).to_pandas(), known)
    if reference.id != expected_id:
        raise DataError(
            f"the reference profile {path} is not the one its model was saved with "
            f"({reference.id[:12]}… instead of {expected_id[:12]}…); restore it, or train again"
        )
    return reference


def decided(predictions: Floats, threshold: float) -> Floats:
    """Return 1 for predictions that reach the threshold, 0 for others, NaN for missing ones."""
    return np.where(np.isnan(predictions), np.nan, (predictions >= threshold).astype(np.float64))


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
