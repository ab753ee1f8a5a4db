"""The reference profile: what it holds, how it is read again, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.errors import ConfigurationError, DataError
from include.lake import fingerprint
from include.training.profiling import build
from include.training.reference import (
    DECISION,
    LABEL,
    PREDICTION,
    ColumnProfile,
    Reference,
    load,
)
from include.training.split import as_days
from tests.model_nights import CASE, fitted, frames, training_frame
from tests.real_frames import CATEGORICAL, feature_names


def _build(**changes: Any) -> Reference:
    rows = frames().assign(prediction=0.5)
    monitoring = replace(CASE.monitoring, **changes)
    return build(rows, as_days(rows["data_day"]), feature_names(), CATEGORICAL, monitoring, seed=1)


def _of(profile: Reference, kind: str) -> dict[str, ColumnProfile]:
    return {it.name: it for it in profile.profiles if it.kind == kind}


def test_the_profile_leaves_out_what_is_declared_and_what_was_learnt_by_heart() -> None:
    profile = fitted().reference
    names = [column.name for column in profile.columns]

    assert "day_of_week" not in names
    assert names[-1] == PREDICTION
    assert profile.columns[-1].kind == "prediction"
    assert len(profile.sample) == CASE.monitoring.reference_rows
    for said in (PREDICTION, DECISION):
        unseen = profile.sample[said].notna().mean()
        assert 0.3 < unseen < 0.5, "28 of 76 days, less the gaps, were not fitted on"
    assert profile.sample[LABEL].notna().all()


def test_every_feature_has_its_measures_and_each_threshold_says_what_it_rests_on() -> None:
    profile = fitted().reference
    features = set(feature_names()) - {"day_of_week"}

    assert set(_of(profile, "feature")) == set(_of(profile, "missing")) == features
    assert set(_of(profile, "categories")) == set(CATEGORICAL)
    assert [len(_of(profile, kind)) for kind in ("decision", "label", "volume")] == [1, 1, 1]
    nights = training_frame().frame["data_day"].nunique()
    assert {it.nights for it in _of(profile, "feature").values()} == {nights}
    assert len({it.threshold for it in _of(profile, "feature").values()}) > 30


def test_histograms_count_every_labelled_row() -> None:
    profile, rows = fitted().reference, training_frame().frame
    for name, column in _of(profile, "feature").items():
        assert column.histogram is not None
        assert sum(column.histogram.counts) == rows[name].notna().sum(), name
        assert column.numeric == (name not in CATEGORICAL)
    carriers = _of(profile, "categories")["carrier"].histogram
    assert carriers is not None
    assert dict(zip(carriers.names or (), carriers.counts, strict=True)) == dict(
        rows["carrier"].value_counts()
    )


def test_the_volume_of_a_weekday_is_that_of_what_was_due() -> None:
    (volume,) = fitted().reference.of_kind("volume")
    due = pd.Series(training_frame().due)
    saturdays = due[[day.weekday() == 5 for day in due.index]]
    assert volume.histogram is not None
    assert volume.histogram.counts[5] == int(saturdays.median())
    assert volume.histogram.names is not None and volume.histogram.names[5] == "Saturday"


def test_methods_are_declared_per_column() -> None:
    declared = {"carrier": "chisquare", "distance": "psi"}
    found = _of(_build(methods=declared, reference_rows=500), "feature")
    assert {name: found[name].method for name in declared} == declared
    assert (found["origin"].method, found["plane__seats"].method) == (
        "jensenshannon",
        "wasserstein",
    )


@pytest.mark.parametrize(
    ("name", "method"), [("carrier", "wasserstein"), ("distance", "chisquare"), ("dest", "ks")]
)
def test_a_method_that_is_not_one_for_its_column_is_refused(name: str, method: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"measures {name} by '{method}'.*choose"):
        _build(methods={name: method})


def test_the_same_rows_and_seed_give_the_same_profile() -> None:
    assert _build(reference_rows=500).id == _build(reference_rows=500).id
    assert _build(reference_rows=501).id != _build(reference_rows=500).id


def test_the_identifier_tells_samples_and_thresholds_apart() -> None:
    profile = fitted().reference
    first, *others = profile.profiles
    moved = replace(first, threshold=first.threshold + 1e-9)
    assert replace(profile, profiles=(moved, *others)).id != profile.id
    assert replace(profile, sample=profile.sample.iloc[:-1]).id != profile.id
    assert replace(profile, sample=profile.sample.copy()).id == profile.id


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    profile, file = fitted().reference, tmp_path / "reference.parquet"
    file.write_bytes(profile.to_parquet())
    found = load(file, profile.id)
    assert found.profiles == profile.profiles
    pd.testing.assert_frame_equal(found.sample, profile.sample)


def _written_before(file: Path, **more: Any) -> str:
    """Write a profile as releases before histograms did; returns its identifier."""
    rows = pa.table({"distance": [1.0, 2.0], PREDICTION: [0.1, None]})
    profiles = [
        {"name": "distance", "kind": "feature", "method": "wasserstein", "threshold": 0.2, **more},
        {"name": PREDICTION, "kind": "prediction", "method": "wasserstein", "threshold": 0.1},
    ]
    metadata = {b"nightshift_columns": json.dumps(profiles).encode()}
    pq.write_table(rows.replace_schema_metadata(metadata), file)
    return fingerprint.of_values(fingerprint.of_table(rows), profiles)


def test_a_profile_from_before_is_read_with_what_it_has(tmp_path: Path) -> None:
    file = tmp_path / "reference.parquet"
    found = load(file, _written_before(file))
    assert [it.name for it in found.profiles] == [it.name for it in found.columns]
    assert found.columns[0] == ColumnProfile("distance", "feature", "wasserstein", 0.2)


def test_a_profile_of_another_version_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "reference.parquet"
    identifier = _written_before(file, rotation=3)
    with pytest.raises(DataError, match=r"another version of Nightshift.*rotation.*train again"):
        load(file, identifier)


def test_a_tampered_profile_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "reference.parquet"
    identifier = _written_before(file)
    _written_before(file, nights=12)
    with pytest.raises(DataError, match="not the one its model was saved with"):
        load(file, identifier)


def test_a_column_without_values_is_watched_for_what_it_lacks() -> None:
    rows = frames().assign(prediction=0.5, plane__seats=np.nan)
    profile = build(
        rows, as_days(rows["data_day"]), feature_names(), CATEGORICAL, CASE.monitoring, seed=1
    )
    seats = _of(profile, "feature")["plane__seats"]
    assert (seats.histogram, seats.nights) == (None, 0)
    assert _of(profile, "missing")["plane__seats"].threshold == 1.0
