"""What was said at an instant is exactly what a reader saw then."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.declare import UseCase
from include.errors import UsageError
from include.scoring.said import parse_instant, said
from include.warehouse.engine import Warehouse
from include.warehouse.use_cases import UseCaseTables
from tests.scoring.publishing import DAYS, NOON, publish, rows
from tests.warehouse.conftest import tables, use_case

__all__ = ["tables", "use_case"]


def seen(warehouse: Warehouse, tables: UseCaseTables) -> list[dict[str, Any]]:
    """Return what a reader sees in the scores now, every column."""
    with warehouse.reading() as connection:
        return in_order(connection.execute(sa.select(tables.scores)).mappings().all(), tables)


def in_order(found: Any, tables: UseCaseTables) -> list[dict[str, Any]]:
    names = [column.name for column in tables.scores.columns]
    plain = [{name: row[name] for name in names} for row in found]
    return sorted(plain, key=lambda row: [row[name] for name in tables.key])


STEP = st.tuples(
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.dictionaries(
        st.tuples(st.sampled_from(DAYS), st.integers(1, 3)),
        st.sampled_from([0.0, 0.4, 0.6]),
        max_size=6,
    ),
    st.integers(1, 90),
)


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEP, min_size=1, max_size=5))
def test_history_is_what_readers_saw(
    warehouse: Warehouse,
    tables: UseCaseTables,
    use_case: UseCase,
    steps: list[tuple[set[date], dict[tuple[date, int], float], int]],
) -> None:
    """Publish, restate and remove at different instants; a reader looks after each of them."""
    with warehouse.transaction() as connection:
        for table in (tables.scores, tables.revisions):
            connection.execute(sa.delete(table))
        connection.exec_driver_sql("DELETE FROM restatements")
    now, pictures = NOON, [(NOON - timedelta(days=1), seen(warehouse, tables))]
    for number, (days, wanted, minutes) in enumerate(steps):
        now += timedelta(minutes=minutes)
        new = rows(
            *(
                {"data_day": day, "order_number": order, "prediction": value}
                for (day, order), value in wanted.items()
                if day in days
            )
        )
        publish(warehouse, use_case, sorted(days), new, now, f"run {number}")
        pictures.append((now, seen(warehouse, tables)))
    later = [*(at for at, _ in pictures[1:]), now + timedelta(days=365)]
    with warehouse.reading() as connection:
        for (at, picture), until in zip(pictures, later, strict=True):
            for instant in (at, until - timedelta(microseconds=1)):
                found = said(connection, use_case, instant)
                assert found.count == len(picture)
                assert in_order(found.rows, tables) == picture


def test_one_target_date_and_the_first_rows_only(
    warehouse: Warehouse, tables: UseCaseTables, use_case: UseCase
) -> None:
    given = [(DAYS[0], 1, 0.1), (DAYS[0], 2, 0.9), (DAYS[0], 3, 0.5), (DAYS[1], 4, 0.7)]
    new = rows(*({"data_day": day, "order_number": n, "prediction": p} for day, n, p in given))
    publish(warehouse, use_case, DAYS[:2], new, NOON)
    with warehouse.reading() as connection:
        found = said(connection, use_case, NOON, DAYS[1], limit=2)
        assert said(connection, use_case, NOON - timedelta(microseconds=1)).count == 0
    assert found.count == 3
    assert [row["order_number"] for row in found.rows] == [2, 3]
    assert all(row["valid_to"] is None for row in found.rows)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2013-10-08T12:00:00-04:00", datetime(2013, 10, 8, 16, tzinfo=UTC)),
        ("2013-10-08 12:00:00.000001Z", datetime(2013, 10, 8, 12, 0, 0, 1, tzinfo=UTC)),
        ("2013-10-08T12:00", datetime(2013, 10, 8, 12, tzinfo=UTC)),
        ("2013-10-08", datetime(2013, 10, 8, tzinfo=UTC)),
    ],
)
def test_an_instant_is_utc_unless_it_says_otherwise(text: str, instant: datetime) -> None:
    assert parse_instant(text) == instant
    assert parse_instant(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2013-13-01", "08.10.2013", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="ISO 8601"):
        parse_instant(text)
