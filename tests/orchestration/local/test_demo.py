from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from include.datasets.nyc_flights.declaration import DATASET
from include.errors import UsageError
from include.orchestration.local.demo import plan

READY = DATASET.expected_at(date(2026, 11, 19))


def test_the_pinned_demo_covers_the_sample_year() -> None:
    days = plan(DATASET, "2013-10-08", READY)

    assert str(days.history) == "2013-01-01 … 2013-09-30"
    assert len(days.history) == 39 * 7
    assert [str(day) for day in (days.nights[0], days.nights[-1])] == ["2013-10-01", "2013-10-07"]
    assert len(days.nights) == 7


@pytest.mark.parametrize(
    ("now", "newest"), [(READY, "2026-11-19"), (READY - timedelta(seconds=1), "2026-11-18")]
)
def test_without_a_date_the_newest_day_the_source_has_comes_last(
    now: datetime, newest: str
) -> None:
    assert plan(DATASET, None, now).nights[-1].isoformat() == newest


def test_the_future_is_refused() -> None:
    with pytest.raises(UsageError, match="give TODAY=2026-11-20 or earlier"):
        plan(DATASET, "2026-11-21", READY)
    assert plan(DATASET, "2026-11-20", READY)


def test_too_little_history_is_refused() -> None:
    with pytest.raises(UsageError, match="give TODAY=2013-10-08 or later"):
        plan(DATASET, "2013-10-07", READY)


def test_rubbish_is_refused() -> None:
    with pytest.raises(UsageError, match="write it as YYYY-MM-DD"):
        plan(DATASET, "tomorrow", datetime(2026, 11, 20, tzinfo=UTC))
