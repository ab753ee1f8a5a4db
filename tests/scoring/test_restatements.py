"""Restatements: which published days a run changed, and the rows it moved most."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.scoring import restatements
from include.scoring.restatements import Restated
from include.warehouse.days import DayState, write_days
from include.warehouse.engine import Warehouse
from include.warehouse.use_cases import UseCaseTables
from tests.scoring.publishing import DAYS, NOON, publish, rows
from tests.warehouse.conftest import tables, use_case

__all__ = ["tables", "use_case"]

BEFORE = {1: 0.2, 2: 0.4, 3: 0.9, 4: 0.6, 5: 0.3}
AFTER = {1: 0.2, 2: 0.7, 3: 0.8, 4: 0.1, 6: 0.7}
"""One stays, one moves up and over, one down, one down and over, one goes, one comes."""

LATER = NOON + timedelta(hours=1)


def say(said: dict[int, float], day: int = 0) -> object:
    return rows(
        *(
            {"data_day": DAYS[day], "order_number": number, "prediction": value}
            for number, value in said.items()
        )
    )


@pytest.fixture
def restated(warehouse: Warehouse, tables: UseCaseTables, use_case: UseCase) -> Warehouse:
    """A day that was published and restated; beside it one that stayed."""
    publish(warehouse, use_case, DAYS[:1], say(BEFORE), NOON, "first")
    publish(warehouse, use_case, DAYS[1:2], say(BEFORE, 1), NOON, "first")
    publish(warehouse, use_case, DAYS[:1], say(AFTER), LATER, "second")
    publish(warehouse, use_case, DAYS[1:2], say(BEFORE, 1), LATER, "second")
    return warehouse


def test_what_changed_is_recorded_once_by_day(restated: Warehouse, use_case: UseCase) -> None:
    with restated.reading() as connection:
        (found,) = restatements.listed(connection, use_case)
        assert restatements.listed(connection, use_case, "first") == []
    assert found == Restated(
        run_id="second",
        use_case=use_case.name,
        data_day=DAYS[0],
        inserted=1,
        updated=3,
        removed=1,
        largest_change=pytest.approx(0.5),
        mean_change=pytest.approx((0.3 + 0.1 + 0.5) / 3),
        flipped=2,
        at=LATER,
    )


def test_the_rows_that_moved_most_come_first_and_removed_ones_last(
    restated: Warehouse, use_case: UseCase
) -> None:
    with restated.reading() as connection:
        found = restatements.largest(connection, use_case, "second")
        assert restatements.largest(connection, use_case, "first") == []
        assert len(restatements.largest(connection, use_case, "second", limit=1)) == 1
    told = [(it.key["order_number"], it.before, it.after) for it in found]
    assert told == [(4, 0.6, 0.1), (2, 0.4, 0.7), (3, 0.9, 0.8), (5, 0.3, None)]
    decided = [(it.decision_before, it.decision_after) for it in found]
    assert decided == [(True, False), (False, True), (True, True), (False, None)]


def test_a_run_that_was_superseded_itself_still_tells_what_it_moved(
    restated: Warehouse, use_case: UseCase
) -> None:
    with restated.reading() as connection:
        before = restatements.largest(connection, use_case, "second")
    publish(restated, use_case, DAYS[:1], say(BEFORE), LATER + timedelta(hours=1), "third")
    with restated.reading() as connection:
        assert restatements.largest(connection, use_case, "second") == before
        runs = [it.run_id for it in restatements.listed(connection, use_case)]
    assert runs == ["third", "second"]


def test_a_clock_that_went_back_loses_no_row(restated: Warehouse, use_case: UseCase) -> None:
    publish(restated, use_case, DAYS[:1], say(BEFORE), NOON - timedelta(days=1), "third")
    with restated.reading() as connection:
        moved = restatements.largest(connection, use_case, "third")
    assert {it.key["order_number"] for it in moved} == {2, 3, 4, 6}


@pytest.mark.parametrize(("published", "listed"), [(True, 1), (False, 0)])
def test_rows_added_to_a_day_restate_it_only_if_it_was_published(
    warehouse: Warehouse,
    tables: UseCaseTables,
    use_case: UseCase,
    published: bool,
    listed: int,
) -> None:
    if published:
        with warehouse.transaction() as connection:
            state = DayState(DAYS[0], "writing", "second", "in", "out", NOON)
            write_days(connection, "score", use_case.name, [state])
    publish(warehouse, use_case, DAYS[:1], say(AFTER), LATER, "second")
    with warehouse.reading() as connection:
        found = restatements.listed(connection, use_case)
        count = connection.scalar(sa.select(sa.func.count()).select_from(tables.scores))
    assert (len(found), count) == (listed, len(AFTER))
    assert all((it.inserted, it.mean_change) == (len(AFTER), 0.0) for it in found)
