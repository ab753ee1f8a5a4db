"""The SQL of `docs/point-in-time.md`: right is right, and wrong is caught.

Every query is computed as the tests of time travel do: each day as its night saw it, and all days
in one window, in which later rows lie around.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

import duckdb
import pytest

from include.lake import delta
from tests.docs.pages import read

PAGE = read("point-in-time.md")
QUERIES = re.findall(r"^```sql( wrong)?\n(SELECT.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
RIGHT = [text for wrong, text in QUERIES if not wrong]
WRONG = [text for wrong, text in QUERIES if wrong]
(TABLES,) = re.findall(r"^```sql\n(CREATE.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

DAYS = [date(2026, 3, day) for day in range(1, 6)]
LOOKBACK = 3
"""As the page declares its views."""


def lake(days: list[date]) -> duckdb.DuckDBPyConnection:
    """Return what the SQL sees that computes `days`."""
    connection = delta.connect()
    connection.execute(TABLES)
    connection.execute("CREATE TABLE days (data_day DATE)")
    connection.execute("CREATE TABLE cutoffs (data_day DATE, cutoff TIMESTAMPTZ)")
    connection.executemany("INSERT INTO days VALUES ($1)", [[day] for day in days])
    first = min(days) - timedelta(days=LOOKBACK - 1)
    for back in range((max(days) - first).days + 1):
        day = first + timedelta(days=back)
        cutoff = datetime.combine(day + timedelta(days=1), time())
        connection.execute("INSERT INTO cutoffs VALUES ($1, $2)", [day, cutoff])
    connection.execute(
        "DELETE FROM orders WHERE data_day NOT BETWEEN $1 AND $2", [first, max(days)]
    )
    return connection


def in_a_window(query: str) -> list[tuple[object, ...]]:
    return lake(DAYS).sql(query).order("ALL").fetchall()


def night_by_night(query: str) -> list[tuple[object, ...]]:
    """Return the rows of all nights, each from what was known at its cut-off."""
    rows: list[tuple[object, ...]] = []
    for day in DAYS:
        connection = lake([day])
        for table in ("orders", "shops"):
            connection.execute(
                f"DELETE FROM {table} WHERE known_at > "
                f"(SELECT cutoff FROM cutoffs WHERE data_day = DATE '{day}')"
            )
        rows += connection.sql(query).fetchall()
    return sorted(rows)


@pytest.mark.parametrize("query", RIGHT)
def test_what_the_page_calls_right_knows_no_future(query: str) -> None:
    assert in_a_window(query) == night_by_night(query) != []


@pytest.mark.parametrize("query", WRONG)
def test_what_the_page_calls_wrong_is_caught(query: str) -> None:
    assert in_a_window(query) != night_by_night(query)


def test_the_page_has_right_and_wrong_queries() -> None:
    assert len(RIGHT) == 2 and len(WRONG) == 5


def test_the_rows_shown_are_those_the_query_gives() -> None:
    (shown,) = re.findall(r"^```\ndata_day(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    rows = [line.split() for line in shown.splitlines()[1:]]
    assert rows == [[str(value) for value in row] for row in in_a_window(RIGHT[0])]
