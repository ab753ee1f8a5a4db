"""What is usual: against a second computation, and on small days that can be checked by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from include.ingestion.usual import Measure, compare
from include.lake.delta import Lake
from tests.history import HISTORY
from tests.ingestion.shop import SHOP, Prices, day, stock
from tests.planted import PLANTED


def shop_with(root: Path, prices: Prices) -> Lake:
    """Return a lake with orders of those prices."""
    lake = Lake(str(root))
    stock(lake, prices)
    return lake


def measured(
    lake: Lake, judged: int, landed: Sequence[int], hours: Mapping[int, float] | None = None
) -> dict[tuple[str, str], Measure]:
    """Return what is said of one day, by column and metric."""
    found = compare(
        lake,
        SHOP,
        {day(judged)},
        {day(number) for number in landed},
        {day(number): it for number, it in (hours or {}).items()},
    )
    assert {it.data_day for it in found} == {day(judged)}
    return {(it.column_name, it.metric): it for it in found}


def test_volume_is_compared_with_the_same_weekday(tmp_path: Path) -> None:
    weekly = {number: [1.0] * (2 if number % 7 == 5 else 100) for number in range(23)}
    lake = shop_with(tmp_path, weekly | {19: [1.0] * 2, 22: [1.0] * 70})
    saturday = measured(lake, 19, range(23))["", "rows"]
    assert (saturday.value, saturday.usual, saturday.unusual) == (2, 2, False)
    tuesday = measured(lake, 22, range(23))["", "rows"]
    assert (tuesday.value, tuesday.usual, tuesday.unusual) == (70, 100, True)
    assert (tuesday.lower, tuesday.upper) == (75, 125), "never less than the least spread"
    assert tuesday.words() == "2013-03-26: orders has 70 rows, usual is 100 (75 to 125)"


def test_missing_values_are_compared_with_all_days_before(tmp_path: Path) -> None:
    prices = {number: [1.0] * 99 + [None] for number in range(10)}
    flood = [None] * 50 + [float("nan")] * 30 + [1.0] * 20
    lake = shop_with(tmp_path, prices | {9: flood})
    price = measured(lake, 9, range(10))["price", "null_share"]
    assert price.value == 0.8, "a number that is none is missing too"
    assert price.unusual and price.usual == 0.01 and price.upper == pytest.approx(0.06)
    assert "orders.price is missing in 80.0 % of its rows, usual is 1.0 %" in price.words()
    note = measured(lake, 9, range(10))["note", "null_share"]
    assert (note.value, note.unusual) == (0, False)
    told = repr([asdict(it) for it in measured(lake, 9, range(10)).values()])
    assert "ring" not in told, "values of personal columns stay in the lake"


def test_an_empty_column_is_unusual_however_it_comes_and_goes(tmp_path: Path) -> None:
    bursts = {number: [1.0] * 50 + [None] * (50 if number % 2 else 0) for number in range(20)}
    often = shop_with(
        tmp_path / "often", {n: [None] * (n % 2) + [1.0] * (1 - n % 2) for n in bursts}
    )
    assert measured(often, 19, range(20))["price", "null_share"].unusual is False
    lake = shop_with(tmp_path / "seldom", bursts | {19: [None] * 100})
    price = measured(lake, 19, range(20))["price", "null_share"]
    assert (price.value, price.upper, price.unusual) == (1, 0.99, True)


def test_freshness_is_of_the_dataset_and_may_be_unknown(tmp_path: Path) -> None:
    lake = shop_with(tmp_path, {number: [1.0] for number in range(6)})
    known = {0: 0.5, 1: 0.7, 2: 0.6, 4: 7.5}
    late = measured(lake, 4, range(6), known)["", "hours_to_land"]
    assert late.table_name == "" and late.unusual
    assert "the day landed 7.5 hours after its end, usual is 0.6" in late.words()
    backfilled = measured(lake, 5, range(6), known)["", "hours_to_land"]
    assert (backfilled.value, backfilled.unusual) == (None, None)


def test_too_few_days_to_compare_with_judge_nothing(tmp_path: Path) -> None:
    lake = shop_with(tmp_path, {number: [1.0, None] for number in range(15)})
    for judged, landed in ((0, range(1)), (2, range(15)), (14, (0, 12, 13, 14))):
        for it in measured(lake, judged, landed).values():
            if it.metric == "rows" or judged == 2:
                assert (it.usual, it.lower, it.upper, it.unusual) == (None, None, None, None)
    assert measured(lake, 14, (0, 7, 14))["", "rows"].unusual is False


def test_a_day_without_rows_has_no_share_of_them(tmp_path: Path) -> None:
    lake = shop_with(tmp_path, {number: [1.0] * 10 for number in range(21)} | {21: []})
    found = measured(lake, 21, range(22))
    assert found["", "rows"].value == 0 and found["", "rows"].unusual
    assert found["price", "null_share"].value is None
    assert found["price", "null_share"].unusual is None


def test_tables_that_hold_a_state_are_left_out(tmp_path: Path) -> None:
    lake = shop_with(tmp_path, {0: [1.0]})
    assert {it.table_name for it in measured(lake, 0, [0]).values()} == {"", "orders"}


def test_real_flights_equal_a_second_computation(history: Path) -> None:
    lake = Lake(str(history / "lake"))
    days = HISTORY.days
    found = compare(lake, PLANTED, set(days), set(days), {})
    values = {(it.table_name, it.column_name, it.metric, it.data_day): it.value for it in found}
    assert len(values) == len(found) > 4000
    for it in found:
        before = [
            value
            for n in range(1, 57)
            if (it.metric != "rows" or n % 7 == 0)
            and (value := values.get(_key(it, it.data_day - timedelta(days=n)))) is not None
        ]
        assert (it.usual, it.lower, it.upper) == pytest.approx(_band(it, before), abs=1e-12)


def _key(it: Measure, on: date) -> tuple[str, str, str, date]:
    return it.table_name, it.column_name, it.metric, on


def _band(it: Measure, before: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    if len(before) < (4 if it.metric == "rows" else 14):
        return None, None, None
    median = float(np.median(before))
    deviation = 1.4826 * float(np.median(np.abs(np.array(before) - median)))
    if it.metric == "rows":
        below = above = max(deviation, 0.05 * median)
    else:
        low, high = np.quantile(before, [0.1, 0.9])
        below = max(deviation, (median - low) / 1.2816, 0.01)
        above = max(deviation, (high - median) / 1.2816, 0.01)
    upper = median + 5 * above
    if it.metric == "null_share":
        upper = min(upper, max(high, 0.99))
    return median, max(median - 5 * below, 0), upper


def test_holidays_and_storms_are_unusual_and_little_else(history: Path) -> None:
    lake = Lake(str(history / "lake"))
    found = compare(lake, PLANTED, set(HISTORY.days), set(HISTORY.days), {})
    judged = {it.data_day for it in found if it.unusual is not None}
    unusual = {it.data_day for it in found if it.unusual}
    blizzard, independence_day = date(2013, 2, 9), date(2013, 7, 4)
    assert {blizzard, independence_day} <= unusual
    assert len(unusual) <= 0.05 * len(judged), sorted(unusual)


@pytest.mark.parametrize("judged", [date(2013, 2, 9), date(2013, 7, 4), date(2013, 9, 30)])
def test_no_later_day_has_a_say(history: Path, judged: date) -> None:
    lake = Lake(str(history / "lake"))
    window = compare(lake, PLANTED, set(HISTORY.days), set(HISTORY.days), {})
    then = {it for it in HISTORY.days if it <= judged}
    alone = compare(lake, PLANTED, {judged}, then, {})
    assert alone == [it for it in window if it.data_day == judged]
