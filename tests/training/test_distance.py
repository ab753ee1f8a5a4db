"""Distances equal Evidently's, and those of a day do not depend on the days beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from evidently.legacy.calculations.stattests import (
    chi_stat_test,
    jensenshannon_stat_test,
    psi_stat_test,
    wasserstein_stat_test,
)
from evidently.legacy.core import ColumnType
from scipy.stats import chi2

from include.declare_model import DriftMethod
from include.training.distance import distances_of, wasserstein
from include.training.shares import of_categories
from include.training.split import as_days
from tests.model_nights import frames
from tests.real_frames import CATEGORICAL, feature_names

NUMERIC = [name for name in feature_names() if name not in CATEGORICAL]
NIGHTS = (0, 40, 80)
PEERS = {"psi": psi_stat_test, "jensenshannon": jensenshannon_stat_test}


def _nights() -> tuple[pd.DataFrame, Any, int]:
    rows = frames()
    days, blocks = np.unique(as_days(rows["data_day"]), return_inverse=True)
    return rows, blocks, len(days)


@pytest.mark.parametrize("name", NUMERIC)
def test_wasserstein_equals_evidently_on_real_columns(name: str) -> None:
    rows, blocks, count = _nights()
    expected, values = rows[name].iloc[:3000].astype(float), rows[name].astype(float)
    found = wasserstein(expected.to_numpy(), values.to_numpy(), blocks, count)

    for place in NIGHTS:
        peer, _ = wasserstein_stat_test.func(
            expected.dropna(), values[blocks == place].dropna(), ColumnType.Numerical, 0.1
        )
        assert found[place] == pytest.approx(peer, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("method", sorted(PEERS))
@pytest.mark.parametrize("name", [*NUMERIC[::4], "origin_weather__precip", "plane__seats"])
def test_binned_distances_equal_evidently_on_real_columns(name: str, method: DriftMethod) -> None:
    rows, blocks, count = _nights()
    expected, values = rows[name].iloc[:3000].astype(float), rows[name].astype(float)
    found = distances_of(expected, values, blocks, count, method, numeric=True)

    for place in NIGHTS:
        peer, _ = PEERS[method].func(
            expected.dropna(), values[blocks == place].dropna(), ColumnType.Numerical, 0.1
        )
        assert found[place] == pytest.approx(peer, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("method", sorted(PEERS))
@pytest.mark.parametrize("name", CATEGORICAL)
def test_distances_of_categories_equal_evidently_on_real_columns(
    name: str, method: DriftMethod
) -> None:
    rows, blocks, count = _nights()
    expected = rows[name].iloc[:300]
    found = distances_of(expected, rows[name], blocks, count, method)

    for place in NIGHTS:
        peer, _ = PEERS[method].func(
            expected, rows.loc[blocks == place, name], ColumnType.Categorical, 0.1
        )
        assert found[place] == pytest.approx(peer, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", CATEGORICAL)
def test_the_chance_of_the_chi_square_statistic_is_evidently_s(name: str) -> None:
    rows, blocks, count = _nights()
    found = distances_of(rows[name], rows[name], blocks, count, "chisquare")

    for place in NIGHTS:
        peer, _ = chi_stat_test.func(
            rows[name], rows.loc[blocks == place, name], ColumnType.Categorical, 0.1
        )
        freedom = rows[name].nunique() - 1
        assert chi2.sf(found[place], freedom) == pytest.approx(peer, rel=1e-6, abs=1e-12)


def test_distances_by_hand() -> None:
    reference = np.array([0.0, 2.0])  # standard deviation 1
    values, blocks = np.array([0.0, 2.0, 3.0, 3.0, 1.0]), np.array([0, 0, 1, 1, 2])
    np.testing.assert_allclose(wasserstein(reference, values, blocks, 4), [0, 2, 1, np.nan])

    before = pd.Series(["a", "a"])
    nights, blocks = pd.Series(["a", "b", None]), np.array([0, 1, 2])
    np.testing.assert_allclose(
        distances_of(before, nights, blocks, 3, "jensenshannon"), [0, np.sqrt(np.log(2)), np.nan]
    )

    before = pd.Series(["a", "b"] * 10)
    night, blocks = pd.Series([*("a" * 8), *("b" * 2)]), np.zeros(10, dtype=np.intp)
    stability = -0.3 * np.log(0.5 / 0.8) + 0.3 * np.log(0.5 / 0.2)
    np.testing.assert_allclose(distances_of(before, night, blocks, 1, "psi"), [stability])
    np.testing.assert_allclose(distances_of(before, night, blocks, 1, "chisquare"), [18 / 5])


def test_a_category_the_reference_lacks_has_a_finite_chi_square() -> None:
    before, night = pd.Series(["a"] * 100), pd.Series(["a"] * 5 + ["b"] * 5)
    found = distances_of(before, night, np.zeros(10, dtype=np.intp), 1, "chisquare")
    np.testing.assert_allclose(found, [25 / 10 + (5 - 0.05) ** 2 / 0.05])


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("carrier", "jensenshannon"),
        ("carrier", "psi"),
        ("carrier", "chisquare"),
        ("distance", "wasserstein"),
        ("distance", "psi"),
        ("distance", "jensenshannon"),
    ],
)
def test_distances_of_a_day_do_not_depend_on_the_window_by_a_bit(
    name: str, method: DriftMethod
) -> None:
    rows, blocks, count = _nights()
    rows = rows.copy()
    rows.loc[blocks > 40, "carrier"] = "0" + rows["carrier"]
    rows.loc[blocks > 40, "distance"] *= 100
    numeric = name == "distance"
    sample = rows[name].iloc[:500]
    together = distances_of(sample, rows[name], blocks, count, method, numeric=numeric)
    one = rows[blocks == 30]
    alone = distances_of(
        sample, one[name], np.zeros(len(one), dtype=np.intp), 1, method, numeric=numeric
    )
    assert together[30] == alone[0]


@pytest.mark.parametrize("method", ["wasserstein", "jensenshannon", "psi", "chisquare"])
@pytest.mark.parametrize("numeric", [True, False])
def test_columns_without_values_have_no_distance(method: DriftMethod, numeric: bool) -> None:
    blocks = np.array([0, 0])
    gone, there = pd.Series([np.nan, np.nan]), pd.Series([1.0, 2.0])
    for sample, values in ((gone, there), (there, gone)):
        found = distances_of(sample, values, blocks, 1, method, numeric=numeric)
        assert np.isnan(found).all()


def test_cells_are_those_of_a_block_and_the_reference() -> None:
    counts = of_categories(pd.Series(["a"]), pd.Series(["b", "c"]), np.array([0, 1]), 2)
    assert counts.cells.tolist() == [[True, True, False], [True, False, True]]
