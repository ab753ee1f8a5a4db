"""Two who want the same days at once: one waits or is told, and nothing is written twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event

import pytest
import sqlalchemy as sa

from include.errors import LockHeld
from include.settings import Settings
from include.warehouse.engine import open_warehouse
from include.warehouse.locks import lock
from include.warehouse.tables import score_runs
from include.window import Window
from tests import children
from tests.faults.conftest import Shops
from tests.faults.matrix import Fault, meets
from tests.faults.shop import (
    STAGE,
    USE_CASE,
    WEEK,
    context,
    publish,
    publish_second,
    runs,
    second,
    see,
)


def hold(settings: Settings, held: Event, over: Event) -> None:
    """Hold the stage's lock until told that it is over."""
    warehouse = open_warehouse(settings)
    with lock(warehouse, STAGE, USE_CASE.name, timeout=5):
        held.set()
        over.wait(children.SECONDS)
    warehouse.dispose()


@meets(
    Fault(
        "Storage and processes",
        "somebody else holds the lock beyond the time-out",
        "score: its lock",
        "an error that names the holder; nothing is written",
    )
)
def test_a_lock_held_beyond_the_time_out_names_its_holder(shop: Settings) -> None:
    before, held, over = see(shop), children.CONTEXT.Event(), children.CONTEXT.Event()
    warehouse = open_warehouse(shop)
    with children.running(hold, shop, held, over) as holder:
        assert held.wait(children.SECONDS)
        with pytest.raises(LockHeld, match=rf"score for late_order .*{holder.pid} since 20\d\d-"):
            publish(warehouse, WEEK, second, "second", context(1, lock_timeout=0.3))
        assert see(shop) == before
        assert [run.status for run in runs(shop)] == ["done"], "a run that never began"
        over.set()
        assert children.ended(holder) == 0
    publish(warehouse, WEEK, second, "second", context(2, lock_timeout=0.3))
    warehouse.dispose()
    assert len(see(shop).done) == len(WEEK)


def backfill(settings: Settings, window: Window, here: Event, there: Event) -> None:
    """Publish the second edition of a window, in mid-load no earlier than the other is there."""

    def between() -> None:
        assert there.wait(children.SECONDS)

    here.set()
    warehouse = open_warehouse(settings)
    on_one_clock = replace(context(), now=datetime.now(UTC))
    publish(warehouse, window, second, "second", on_one_clock, between)
    warehouse.dispose()


@meets(
    Fault(
        "Storage and processes",
        "two backfills of one window run at once",
        "score: its lock",
        "one after the other; the tables and the number of changes are those of one",
    )
)
@pytest.mark.parametrize(
    "windows",
    [
        (WEEK, WEEK),
        (Window(WEEK.start, WEEK.end - timedelta(days=1)), Window(WEEK.days[1], WEEK.end)),
    ],
    ids=["the same window", "overlapping windows"],
)
def test_two_backfills_at_once_end_as_one(shops: Shops, windows: tuple[Window, Window]) -> None:
    with shops() as settings:
        publish_second(settings)
        after, changed = see(settings), _changed(settings)
    with shops() as settings:
        events = children.CONTEXT.Event(), children.CONTEXT.Event()
        with (
            children.running(backfill, settings, windows[0], *events) as one,
            children.running(backfill, settings, windows[1], *reversed(events)) as other,
        ):
            assert (children.ended(one), children.ended(other)) == (0, 0)
        # Which of two runs wrote a day of both windows is for chance to say, and so its lineage.
        found = see(settings)
        if windows[0] != windows[1]:
            found = replace(found, lineage=after.lineage)
        assert found == after
        assert _changed(settings) == changed
        earlier, later = runs(settings)[-2:]
        assert earlier.finished_at <= later.started_at, "both held the lock"
        assert {earlier.status, later.status} <= {"done", "unchanged"}


def _changed(settings: Settings) -> int:
    """Return how many rows all runs changed together."""
    warehouse = open_warehouse(settings)
    try:
        with warehouse.reading() as connection:
            query = sa.select(sa.func.sum(score_runs.c.rows_changed))
            return int(connection.execute(query).scalar_one())
    finally:
        warehouse.dispose()
