from __future__ import annotations

from datetime import date

import pytest

from include.errors import UsageError
from include.monitoring.week import Week, weeks_of
from include.window import Window


@pytest.mark.parametrize(
    ("text", "monday"),
    [
        ("2013-W40", date(2013, 9, 30)),
        ("2015-W53", date(2015, 12, 28)),  # a year of 53 weeks
        ("2019-W01", date(2018, 12, 31)),  # the week's year is that of its Thursday
    ],
)
def test_a_week_is_written_as_it_is_read(text: str, monday: date) -> None:
    week = Week.parse(text)
    assert (str(week), week.start) == (text, monday)
    assert [day.weekday() for day in week.window] == list(range(7))
    assert {Week.of(day) for day in week.window} == {week}


@pytest.mark.parametrize(
    "text", ["2013-40", "2013-W00", "2014-W53", "W40", "2013-W4", "", "٢٠١٣-W40"]
)
def test_what_is_no_week_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a week; write .* for example 2013-W40"):
        Week.parse(text)


def test_the_weeks_of_a_window() -> None:
    window = Window(date(2013, 12, 29), date(2014, 1, 6))
    assert [str(week) for week in weeks_of(window)] == ["2013-W52", "2014-W01", "2014-W02"]
