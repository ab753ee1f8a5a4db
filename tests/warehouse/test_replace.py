"""Replacement of days of results without history."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from include.warehouse import tables as fixed
from include.warehouse.engine import Warehouse
from include.warehouse.replace import replace_days
from tests.warehouse.scores import DAYS, read


def verdict(day: date, rule: str, unexpected: int, table: str = "flights") -> dict[str, Any]:
    return {
        "dataset": "shop",
        "table_name": table,
        "data_day": day,
        "rule": rule,
        "column_name": "items",
        "on_failure": "stop",
        "success": unexpected == 0,
        "evaluated": 10,
        "unexpected": unexpected,
        "run_id": "run",
    }


def test_days_are_replaced_within_their_filters(warehouse: Warehouse) -> None:
    table = fixed.validation_results
    bounds = {"dataset": "shop", "table_name": "flights"}
    with warehouse.transaction() as connection:
        connection.execute(sa.insert(table), [verdict(DAYS[0], "a", 1, "other")])
        rows = [verdict(day, "a", 1) for day in DAYS]
        assert replace_days(connection, table, "data_day", DAYS, rows, bounds) == 3
        rows = [verdict(DAYS[1], "b", 0)]
        assert replace_days(connection, table, "data_day", DAYS[1:], rows, bounds) == 1
        assert replace_days(connection, table, "data_day", [], [], bounds) == 0
    found = [(row["table_name"], row["data_day"], row["rule"]) for row in read(warehouse, table)]
    assert found == [
        ("flights", DAYS[0], "a"),
        ("flights", DAYS[1], "b"),
        ("other", DAYS[0], "a"),
    ]


def test_rows_outside_the_replacement_are_refused(warehouse: Warehouse) -> None:
    table = fixed.validation_results
    with (
        pytest.raises(ValueError, match="outside the days"),
        warehouse.transaction() as connection,
    ):
        replace_days(connection, table, "data_day", DAYS[:1], [verdict(DAYS[1], "a", 0)])
    with (
        pytest.raises(ValueError, match="outside the days and filters"),
        warehouse.transaction() as connection,
    ):
        rows = [verdict(DAYS[0], "a", 0, "other")]
        replace_days(connection, table, "data_day", DAYS, rows, {"table_name": "flights"})
