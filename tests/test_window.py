"""Windows and days, as people write them."""

from __future__ import annotations

from datetime import date

import pytest

from include.errors import UsageError
from include.window import Window, describe_days, parse_day


def test_a_window_holds_both_ends() -> None:
    window = Window.parse("2013-02-27", "2013-03-02")
    assert len(window) == 4 == len(window.days)
    assert date(2013, 3, 2) in window and date(2013, 3, 3) not in window
    assert str(Window.night(date(2013, 3, 1))) == "2013-03-01"


def test_a_reversed_window_says_which_day_comes_first() -> None:
    with pytest.raises(UsageError, match="2013-03-02 is after last day 2013-03-01"):
        Window.parse("2013-03-02", "2013-03-01")


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2013-2-3", "20130203", "2013-02-30", "13-02-03"]
)
def test_anything_but_a_day_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="YYYY-MM-DD"):
        parse_day(text)


def test_reaching_back_ends_at_the_first_day() -> None:
    night = Window.night(date(2013, 1, 10))
    assert night.reaching_back(35, date(2013, 1, 1)).start == date(2013, 1, 1)
    assert night.reaching_back(3).start == date(2013, 1, 7)


def test_many_days_are_described_shortly() -> None:
    days = Window.parse("2013-01-01", "2013-01-31").days
    assert describe_days(days, limit=2) == "2013-01-01, 2013-01-02 and 29 more"
