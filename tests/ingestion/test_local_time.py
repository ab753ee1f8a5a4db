"""Local wall times become instants in one place, with a stated rule for odd hours."""

from __future__ import annotations

import pandas as pd

from include.ingestion.local_time import localise

NEW_YORK = "America/New_York"


def instants(*wall: str, second: list[bool] | None = None) -> list[str]:
    given = None if second is None else pd.Series(second)
    found = localise(pd.Series(pd.to_datetime(list(wall))), NEW_YORK, given)
    assert str(found.dtype) == "datetime64[us, UTC]"
    return list(found.dt.strftime("%Y-%m-%d %H:%M"))


def test_summer_and_winter() -> None:
    assert instants("2013-01-01 05:15", "2013-07-01 05:15") == [
        "2013-01-01 10:15",
        "2013-07-01 09:15",
    ]


def test_an_hour_that_does_not_exist_is_read_one_hour_later() -> None:
    assert instants("2013-03-10 02:30") == instants("2013-03-10 03:30") == ["2013-03-10 07:30"]


def test_of_an_hour_that_exists_twice_the_first_is_meant_unless_marked() -> None:
    assert instants("2013-11-03 01:30") == ["2013-11-03 05:30"]
    assert instants("2013-11-03 01:30", second=[True]) == ["2013-11-03 06:30"]
