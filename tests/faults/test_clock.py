"""A clock that goes backwards: what we said at an instant stays one thing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pandas as pd
import pytest
import sqlalchemy as sa

from include.scoring.said import said
from include.settings import Settings
from include.warehouse.engine import open_warehouse
from include.warehouse.use_cases import history_of
from tests.faults.matrix import Fault, meets
from tests.faults.shop import (
    NOON,
    TABLES,
    USE_CASE,
    WEEK,
    context,
    first,
    publish,
    second,
    see,
)


def nothing(days: Sequence[date]) -> pd.DataFrame:
    """Return no rows at all."""
    return first(days).iloc[:0]


@meets(
    Fault(
        "Storage and processes",
        "the clock goes back between two runs",
        "score: validity begins after all that was said before",
        "no two versions of a score are valid at once",
    )
)
@pytest.mark.parametrize("hours", [(-1, -2, -3), (5, -48, 1), (0, 0, 0)], ids=str)
def test_runs_on_a_clock_that_went_back_never_overlap(
    shop: Settings, hours: tuple[float, ...]
) -> None:
    """The shop opened at noon; each edition comes before, long before or with the last one."""
    warehouse = open_warehouse(shop)
    editions = [("second", second), ("nothing", nothing), ("first again", first)]
    expected = []
    for hour, (name, rows) in zip(hours, editions, strict=True):
        publish(warehouse, WEEK, rows, name, context(hour))
        see(shop)  # requires of all validity that it has a length and does not overlap
        expected.append(len(rows(WEEK.days)))
    with warehouse.reading() as connection:
        instants = _instants(connection)
        counts = [said(connection, USE_CASE, at).count for at in instants]
        for at in instants:
            rows = said(connection, USE_CASE, at).rows
            keys = [tuple(row[name] for name in TABLES.key) for row in rows]
            assert len(keys) == len(set(keys)), f"two answers at {at}"
        now = said(connection, USE_CASE, max(instants) + timedelta(days=1)).count
    warehouse.dispose()
    assert now == expected[-1]
    for count in expected:
        assert count in counts, "what an edition said can never be read"


def test_a_row_that_stays_keeps_its_validity_though_the_clock_went_back(shop: Settings) -> None:
    warehouse = open_warehouse(shop)
    publish(warehouse, WEEK, second, "second", context(-5))
    with warehouse.reading() as connection:
        table = TABLES.scores.c
        query = sa.select(table.order_number, table.valid_from)
        since = dict(connection.execute(query.where(table.data_day == WEEK.start)).tuples().all())
    warehouse.dispose()
    assert NOON <= since[1] < since[4], "the later answer is the later one, whatever the clock says"


def _instants(connection: sa.Connection) -> list[datetime]:
    """Return every moment at which something began or ended, and those beside it."""
    history = history_of(USE_CASE).c
    turns: set[datetime] = set()
    for column in (history.valid_from, history.valid_to):
        turns.update(it for it in connection.scalars(sa.select(column).distinct()) if it)
    beside = timedelta(microseconds=1)
    return sorted({turn + step for turn in turns for step in (-beside, 0 * beside, beside)})
