from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from include.datasets.nyc_flights.declaration import DATASET
from include.errors import UsageError
from include.orchestration.partition_day import partition_day
from include.orchestration.tasks import requested_days
from include.window import Window

NOON = datetime(2013, 10, 8, 16, tzinfo=UTC)


def context(key: str | None = None, conf: dict[str, Any] | None = None, **more: Any) -> Any:
    return {"partition_key": key, "dag_run": SimpleNamespace(conf=conf), **more}


def test_the_partition_key_is_the_day() -> None:
    assert partition_day(DATASET, context("2013-10-07"), NOON) == date(2013, 10, 7)


def test_configuration_stands_in_where_no_key_can_be_set() -> None:
    asked = context(conf={"partition_key": "2013-10-06"})
    assert partition_day(DATASET, asked, NOON) == date(2013, 10, 6)


def test_the_key_counts_more_than_the_configuration() -> None:
    asked = context("2013-10-07", {"partition_key": "2013-10-06"})
    assert partition_day(DATASET, asked, NOON) == date(2013, 10, 7)


@pytest.mark.parametrize("asked", [context(), context(conf={}), {"dag_run": None}, {}])
def test_no_key_says_what_to_enter(asked: Any) -> None:
    with pytest.raises(AirflowFailException, match="Advanced options → Partition key: YYYY-MM-DD"):
        partition_day(DATASET, asked, NOON)


@pytest.mark.parametrize("key", ["yesterday", "2013-10-7", "20131007", "2013-02-30", "10/07/2013"])
def test_a_malformed_key_says_how_to_write_it(key: str) -> None:
    with pytest.raises(AirflowFailException, match=f"'{key}' is not a day; write it as YYYY-MM-DD"):
        partition_day(DATASET, context(key), NOON)


def test_a_key_that_is_no_text_is_refused() -> None:
    with pytest.raises(AirflowFailException, match="20131007 is not a day"):
        partition_day(DATASET, context(conf={"partition_key": 20131007}), NOON)


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        (datetime(2013, 10, 8, 3, 59, tzinfo=UTC), "2013-10-06"),  # 23:59 on the 7th, New York
        (datetime(2013, 10, 8, 4, 0, tzinfo=UTC), "2013-10-07"),
    ],
)
def test_a_day_has_ended_when_it_has_ended_where_the_dataset_lives(
    now: datetime, newest: str
) -> None:
    assert partition_day(DATASET, context(newest), now).isoformat() == newest
    tomorrow = date.fromordinal(date.fromisoformat(newest).toordinal() + 1)
    with pytest.raises(AirflowFailException, match=f"lies in the future.* is {newest}; start"):
        partition_day(DATASET, context(tomorrow.isoformat()), now)


def test_a_key_before_the_first_day_is_refused() -> None:
    with pytest.raises(AirflowFailException, match=r"before the first day .* 2013-01-01"):
        partition_day(DATASET, context("2012-12-31"), NOON)


def test_a_night_heals() -> None:
    window, heal_days = requested_days(DATASET, context("2013-10-07", params={}), NOON)
    assert (window, heal_days) == (Window.night(date(2013, 10, 7)), DATASET.heal_days)


def test_a_form_asks_for_its_window_and_nothing_before_it() -> None:
    form = {"first_day": "2013-09-01", "last_day": "2013-09-30"}
    window, heal_days = requested_days(DATASET, context(params=form), NOON)
    assert (str(window), heal_days) == ("2013-09-01 … 2013-09-30", 0)


def test_a_reversed_form_is_refused() -> None:
    form = {"first_day": "2013-09-30", "last_day": "2013-09-01"}
    with pytest.raises(UsageError, match="reversed"):
        requested_days(DATASET, context(params=form), NOON)
