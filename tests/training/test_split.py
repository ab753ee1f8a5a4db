"""Spans of target dates: in order, apart by the maturity of labels, never overlapping."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pandas as pd
import pytest

from include.errors import DataError
from include.training.split import as_days, split_by_date
from include.window import Window
from tests.model_nights import CASE


def test_spans_are_as_declared_with_a_gap_as_long_as_maturity() -> None:
    split = split_by_date(CASE, date(2013, 2, 1), date(2013, 4, 18))

    assert split.test == Window(date(2013, 4, 5), date(2013, 4, 18))
    assert split.validation == Window(date(2013, 3, 20), date(2013, 4, 2))
    assert split.train == Window(date(2013, 2, 1), date(2013, 3, 17))


@pytest.mark.parametrize("mature_after", [0, 1, 5])
def test_no_label_of_a_part_matures_after_the_next_begins(mature_after: int) -> None:
    case = replace(CASE, label=replace(CASE.label, mature_after=mature_after))
    split = split_by_date(case, date(2013, 1, 1), date(2013, 6, 30))

    for earlier, later in ((split.train, split.validation), (split.validation, split.test)):
        assert earlier.end + timedelta(days=mature_after) < later.start


def test_parts_hold_the_rows_of_their_dates_and_no_row_twice() -> None:
    split = split_by_date(CASE, date(2013, 2, 1), date(2013, 4, 18))
    dates = pd.Series(Window(date(2013, 2, 1), date(2013, 4, 18)).days).repeat(3)
    masks = [split.part(dates, name) for name in ("train", "validation", "test")]

    assert [int(mask.sum()) for mask in masks] == [45 * 3, 14 * 3, 14 * 3]
    assert sum(masks).max() == 1  # type: ignore[union-attr, arg-type]


def test_dates_and_midnights_are_the_same_days() -> None:
    dates = pd.Series([date(2013, 3, 10), date(2013, 11, 3)])
    assert (as_days(dates) == as_days(pd.to_datetime(dates))).all()


def test_too_few_days_are_refused_with_how_many_are_needed() -> None:
    with pytest.raises(DataError, match="46 target dates are needed"):
        split_by_date(CASE, date(2013, 4, 1), date(2013, 4, 18))
    split_by_date(CASE, date(2013, 4, 18) - timedelta(days=45), date(2013, 4, 18))
