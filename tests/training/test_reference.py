"""Distances equal Evidently's, and thresholds come from the reference's own days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from evidently.legacy.calculations.stattests import jensenshannon_stat_test, wasserstein_stat_test
from evidently.legacy.core import ColumnType

from include.training.distance import jensen_shannon, wasserstein
from include.training.reference import FLOOR, PREDICTION, build, distances_of
from include.training.split import as_days
from tests.model_nights import CASE, fitted, frames
from tests.real_frames import CATEGORICAL, feature_names

NUMERIC = [name for name in feature_names() if name not in CATEGORICAL]


@pytest.mark.parametrize("name", NUMERIC)
def test_wasserstein_equals_evidently_on_real_columns(name: str) -> None:
    rows = frames()
    days, blocks = np.unique(as_days(rows["data_day"]), return_inverse=True)
    expected, values = rows[name].iloc[:3000].astype(float), rows[name].astype(float)
    found = wasserstein(expected.to_numpy(), values.to_numpy(), blocks, len(days))

    for place in (0, 40, 80):
        peer, _ = wasserstein_stat_test.func(
            expected.dropna(), values[blocks == place].dropna(), ColumnType.Numerical, 0.1
        )
        assert found[place] == pytest.approx(peer, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", CATEGORICAL)
def test_jensen_shannon_equals_evidently_on_real_columns(name: str) -> None:
    rows = frames()
    days, blocks = np.unique(as_days(rows["data_day"]), return_inverse=True)
    expected = rows[name].iloc[:3000]
    found = jensen_shannon(expected, rows[name], blocks, len(days))

    for place in (0, 40, 80):
        peer, _ = jensenshannon_stat_test.func(
            expected, rows.loc[blocks == place, name], ColumnType.Categorical, 0.1
        )
        assert found[place] == pytest.approx(peer, abs=1e-12)


def test_distances_by_hand() -> None:
    reference = np.array([0.0, 2.0])  # standard deviation 1
    values, blocks = np.array([0.0, 2.0, 3.0, 3.0, 1.0]), np.array([0, 0, 1, 1, 2])
    np.testing.assert_allclose(wasserstein(reference, values, blocks, 4), [0, 2, 1, np.nan])

    shares = jensen_shannon(
        pd.Series(["a", "a"]), pd.Series(["a", "b", None]), np.array([0, 1, 2]), 3
    )
    np.testing.assert_allclose(shares, [0, np.sqrt(np.log(2)), np.nan])


def test_distances_of_a_day_do_not_depend_on_the_window_by_a_bit() -> None:
    rows = frames().copy()
    days, blocks = np.unique(as_days(rows["data_day"]), return_inverse=True)
    rows.loc[blocks > 40, "carrier"] = "0" + rows["carrier"]
    for name, method in (("carrier", "jensenshannon"), ("distance", "wasserstein")):
        together = distances_of(rows[name].iloc[:500], rows[name], blocks, len(days), method)
        one = rows[blocks == 30]
        alone = distances_of(
            rows[name].iloc[:500], one[name], np.zeros(len(one), dtype=np.intp), 1, method
        )
        assert together[30] == alone[0]


def test_columns_without_values_have_no_distance() -> None:
    blocks = np.array([0, 0])
    gone = pd.Series([np.nan, np.nan])
    for method in ("wasserstein", "jensenshannon"):
        assert np.isnan(distances_of(gone, pd.Series([1.0, 2.0]), blocks, 1, method)).all()
        assert np.isnan(distances_of(pd.Series([1.0, 2.0]), gone, blocks, 1, method)).all()


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
def test_no_more_reference_days_than_declared_lie_above_the_threshold(rate: float) -> None:
    rows = frames().assign(prediction=0.5)
    _, blocks = np.unique(as_days(rows["data_day"]), return_inverse=True)
    monitoring = replace(CASE.monitoring, false_alarm_rate=rate)
    profile = build(rows, blocks, feature_names(), CATEGORICAL, monitoring, seed=1)
    count = int(blocks.max()) + 1

    tight = 0
    for column in profile.columns:
        found = distances_of(
            profile.sample[column.name], rows[column.name], blocks, count, column.method
        )
        above = np.nanmean(found > column.threshold)
        assert above <= rate
        assert column.threshold >= FLOOR
        tight += above > rate / 2
    assert tight > 10, "thresholds that nothing ever exceeds are no thresholds"


def test_the_profile_leaves_out_what_is_declared_and_what_was_learnt_by_heart() -> None:
    profile = fitted().reference
    names = [column.name for column in profile.columns]

    assert "day_of_week" not in names
    assert names[-1] == PREDICTION
    assert profile.columns[-1].kind == "prediction"
    assert len(profile.sample) == CASE.monitoring.reference_rows
    unseen = profile.sample[PREDICTION].notna().mean()
    assert 0.3 < unseen < 0.5, "28 of 76 days, less the gaps, were not fitted on"


def test_the_identifier_tells_samples_and_thresholds_apart() -> None:
    profile = fitted().reference
    moved = replace(profile.columns[0], threshold=profile.columns[0].threshold + 1e-9)
    assert replace(profile, columns=(moved, *profile.columns[1:])).id != profile.id
    assert replace(profile, sample=profile.sample.iloc[:-1]).id != profile.id
    assert replace(profile, sample=profile.sample.copy()).id == profile.id
