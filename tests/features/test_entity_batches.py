"""Entities in batches: the same rows in the same order, however large a day is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from include.features import retrieval
from include.window import Window
from include.workspace import Workspace
from tests.history import opened
from tests.planted import PLANTED_USE_CASE

DAYS = list(Window(date(2013, 9, 1), date(2013, 9, 6)))


@pytest.fixture(scope="module")
def workspace(history: Path) -> Iterator[Workspace]:
    """The history itself: nothing here writes."""
    with opened(history) as found:
        yield found


@pytest.fixture(scope="module")
def whole(workspace: Workspace) -> pd.DataFrame:
    """Everything due on the days at once."""
    return retrieval.entity_frame(workspace, PLANTED_USE_CASE, DAYS)


@pytest.mark.parametrize("rows", [250, 2000, 100_000])
def test_batches_make_up_the_whole_in_its_order(
    workspace: Workspace, whole: pd.DataFrame, rows: int
) -> None:
    batches = list(retrieval.entity_batches(workspace, PLANTED_USE_CASE, DAYS, rows))
    assert max(map(len, batches)) <= rows
    pd.testing.assert_frame_equal(pd.concat(batches, ignore_index=True), whole)


def test_a_day_is_split_alike_whatever_stands_beside_it(workspace: Workspace) -> None:
    def parts(days: list[date]) -> list[tuple[int, object]]:
        return [
            (len(batch), tuple(batch.iloc[-1][["carrier", "flight"]]))
            for batch in retrieval.entity_batches(workspace, PLANTED_USE_CASE, days, 300)
            if batch["data_day"].iloc[0] == DAYS[2]
        ]

    alone = parts([DAYS[2]])
    assert len(alone) > 1 and {size for size, _ in alone[:-1]} == {300}
    assert parts(DAYS) == alone


def test_small_days_share_a_batch_and_are_not_split(
    workspace: Workspace, whole: pd.DataFrame
) -> None:
    sizes = whole["data_day"].value_counts()
    found = [
        list(batch["data_day"].unique())
        for batch in retrieval.entity_batches(workspace, PLANTED_USE_CASE, DAYS, 2000)
    ]
    assert [day for days in found for day in days] == DAYS
    assert any(len(days) > 1 for days in found)
    assert all(sizes[days].sum() <= 2000 for days in found)


def test_days_that_have_not_landed_give_nothing(workspace: Workspace) -> None:
    later = [date(2013, 11, 1), date(2013, 11, 2)]
    assert list(retrieval.entity_batches(workspace, PLANTED_USE_CASE, later)) == []
