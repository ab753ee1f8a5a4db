"""Matrices: unseen categories are missing, text and infinities are refused."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from include.errors import DataError, SchemaBreak
from include.training.encoding import encode, list_categories


def test_categories_are_sorted_and_leave_missing_out() -> None:
    frame = pd.DataFrame({"carrier": ["UA", None, "AA", "UA", float("nan")]})
    assert list_categories(frame, ["carrier"]) == {"carrier": ("AA", "UA")}


def test_unseen_and_missing_categories_are_missing() -> None:
    frame = pd.DataFrame({"carrier": ["UA", "ZZ", None, "AA"]})
    found = encode(frame, ["carrier"], {"carrier": ("AA", "UA")})
    np.testing.assert_array_equal(found[:, 0], np.float32([1, np.nan, np.nan, 0]))


def test_categories_of_any_dtype_get_the_same_codes() -> None:
    plain = pd.Series(["UA", None, "AA"], dtype=object)
    for values in (plain, plain.astype("string"), plain.astype("category")):
        found = encode(values.to_frame("carrier"), ["carrier"], {"carrier": ("AA", "UA")})
        np.testing.assert_array_equal(found[:, 0], np.float32([1, np.nan, 0]))


def test_numbers_of_any_dtype_become_single_precision() -> None:
    frame = pd.DataFrame(
        {
            "float": [1.5, np.nan],
            "nullable": pd.array([3, None], dtype="Int64"),
            "truth": [True, False],
            "decimal": [Decimal("0.25"), None],
            "empty": [None, None],
        }
    )
    found = encode(frame, list(frame.columns), {})
    expected = np.float32([[1.5, 3, 1, 0.25, np.nan], [np.nan, np.nan, 0, np.nan, np.nan]])
    np.testing.assert_array_equal(found, expected)


def test_text_that_is_not_declared_categorical_is_refused_by_name() -> None:
    with pytest.raises(SchemaBreak, match="origin is text"):
        encode(pd.DataFrame({"origin": ["JFK", "12"]}), ["origin"], {})


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
def test_infinite_values_are_refused_with_the_row(value: float) -> None:
    with pytest.raises(DataError, match=r"rate is infinite .* 1 row\(s\), first in row 2"):
        encode(pd.DataFrame({"rate": [0.0, np.nan, value]}), ["rate"], {})


def test_missing_columns_are_all_named() -> None:
    with pytest.raises(SchemaBreak, match="lacks b, c"):
        encode(pd.DataFrame({"a": [1]}), ["a", "b", "c"], {})
