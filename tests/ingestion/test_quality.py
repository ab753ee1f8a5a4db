"""The quality stage: what is measured, when it is due again, and that it stops nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa

from include.declare_quality import Quality
from include.errors import StorageUnavailable
from include.ingestion import quality
from include.ingestion.landing import ingest
from include.ingestion.quality import measure_quality
from include.warehouse.monitoring_tables import data_quality
from include.warehouse.stages import StageResult
from include.warehouse.tables import stage_days
from include.window import Window
from include.workspace import Workspace
from tests.ingestion.shop import SHOP, day, land, leave_out
from tests.planted import PLANTED, Faults

on_sqlite = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)

USUAL = [1.0] * 40
MONTH = {number: USUAL for number in range(30)}


def measured(workspace: Workspace) -> list[sa.Row]:
    names = ("data_day", "table_name", "column_name", "metric")
    order = [data_quality.c[name] for name in names]
    with workspace.warehouse.reading() as connection:
        return list(connection.execute(sa.select(data_quality).order_by(*order)))


def window(first: int, last: int) -> Window:
    return Window(day(first), day(last))


def measure(workspace: Workspace, first: int, last: int, heal_days: int = 0) -> StageResult:
    return measure_quality(workspace, SHOP, window(first, last), heal_days)


def numbers(days: tuple[date, ...]) -> list[int]:
    return [(it - day(0)).days for it in days]


def test_planted_faults_are_unusual_and_stop_nothing(workspace: Workspace, faults: Faults) -> None:
    dataset = replace(PLANTED, quality=Quality(weeks=2, least_weeks=2, least_days=5))
    weeks = Window(date(2013, 4, 1), date(2013, 4, 17))
    half, flood = weeks.days[-2:]
    faults.change("schedule", half, lambda frame: frame.iloc[::2])
    faults.change("flights", flood, lambda frame: frame.assign(air_time=None))
    ingest(workspace, dataset, weeks)
    result = measure_quality(workspace, dataset, weeks)
    assert len(result.done) == len(weeks) and not result.stopped
    found = {
        (row.data_day, row.table_name, row.column_name)
        for row in measured(workspace)
        if row.unusual and row.data_day >= half
    }
    assert found == {(half, "schedule", ""), (flood, "flights", "air_time")}
    told = " ".join(result.notes)
    assert f"unusual: {flood}: flights.air_time is missing in 100.0 % of its rows" in told
    assert f"unusual: {half}: schedule has" in told
    assert {row.metric for row in measured(workspace)} == {"rows", "null_share", "hours_to_land"}
    assert result.rows_in == result.rows_out > 10_000


@on_sqlite
def test_a_long_window_does_not_tell_everything(workspace: Workspace) -> None:
    land(workspace, MONTH | {number: [1.0] for number in range(18, 30)})
    *told, last = measure(workspace, 0, 29).notes
    assert len(told) == quality.MOST_NOTES and f"unusual: {day(29)}" in told[0]
    assert last == "12 values of 12 days are unusual in all; the table data_quality has them"


def test_a_window_equals_its_nights(workspace: Workspace) -> None:
    land(workspace, MONTH | {20: [1.0, None], 21: USUAL[:9], 24: [None] * 40})
    for number in range(30):
        measure(workspace, number, number)
    nights = [row[:-1] for row in measured(workspace)]
    assert sum(row.unusual or False for row in measured(workspace)) >= 3
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.delete(data_quality))
        connection.execute(sa.delete(stage_days).where(stage_days.c.stage == "quality"))
    measure(workspace, 0, 29)
    assert [row[:-1] for row in measured(workspace)] == nights


def test_again_changes_nothing_and_a_restated_day_what_it_is_compared_with(
    workspace: Workspace,
) -> None:
    land(workspace, MONTH)
    measure(workspace, 0, 29)
    before = measured(workspace)
    assert not measure(workspace, 0, 29).changed
    assert measured(workspace) == before

    land(workspace, {8: [1.0] * 20})
    again = measure(workspace, 0, 29)
    assert numbers(again.done) == list(range(8, 30)), "the day and the three weeks after it"
    after = measured(workspace)
    changed = {old.data_day for old, new in zip(before, after, strict=True) if old != new}
    assert changed == {day(8), day(15)}, "one strange day of three moves no median"
    for old, new in zip(before, after, strict=True):
        assert (old.run_id == new.run_id) == (old.data_day not in changed)


def test_a_night_heals_and_a_day_that_did_not_land_is_not_there(workspace: Workspace) -> None:
    land(workspace, MONTH)
    leave_out(workspace, 27, "absent")
    assert numbers(measure(workspace, 29, 29, heal_days=4).done) == [25, 26, 28, 29]
    assert day(27) not in {row.data_day for row in measured(workspace)}
    land(workspace, {27: USUAL})
    assert numbers(measure(workspace, 29, 29, heal_days=4).done) == [27, 28, 29]


def test_what_was_measured_of_a_day_that_stops_later_stays(workspace: Workspace) -> None:
    land(workspace, MONTH)
    measure(workspace, 0, 29)
    before = measured(workspace)
    leave_out(workspace, 29, "stopped")
    assert not measure(workspace, 0, 29).changed
    assert measured(workspace) == before


def test_freshness_is_that_of_the_night_that_landed_the_day(workspace: Workspace) -> None:
    land(workspace, {number: USUAL for number in range(20, 30)}, hours=0.7)  # the clocks change
    for number, hours in ((30, 7.0), (31, 24.7), (32, 24 * 9.0)):
        land(workspace, {number: USUAL}, hours)
    measure(workspace, 20, 32)
    assert {it for number, it in freshness(workspace).items() if number < 30} >= {(0.7, False)}
    assert freshness(workspace)[30] == (7.0, True)
    assert freshness(workspace)[31] == (24.7, True), "the next night healed it"
    assert freshness(workspace)[32] == (None, None), "it says nothing of the source"

    land(workspace, {30: [1.0]}, hours=12.0)
    assert day(30) in measure(workspace, 20, 32).done
    assert freshness(workspace)[30] == (7.0, True), "landing again makes no day staler"


def freshness(workspace: Workspace) -> dict[int, tuple[float | None, bool | None]]:
    return {
        (row.data_day - day(0)).days: (row.value, row.unusual)
        for row in measured(workspace)
        if row.metric == "hours_to_land"
    }


@on_sqlite
def test_a_lake_that_is_gone_leaves_the_days_due(workspace: Workspace) -> None:
    land(workspace, {0: USUAL})
    folder = workspace.settings.home / "lake" / "shop" / "orders"
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(StorageUnavailable, match="shop/orders"):
        measure(workspace, 0, 0)
    assert measured(workspace) == []
    folder.with_name("elsewhere").rename(folder)
    assert numbers(measure(workspace, 0, 0).done) == [0]


@on_sqlite
def test_other_bounds_judge_every_day_again(workspace: Workspace) -> None:
    land(workspace, MONTH | {29: [1.0] * 28})
    measure(workspace, 0, 29)
    assert _rows_unusual(workspace) == [day(29)]
    wide = replace(SHOP, quality=replace(SHOP.quality, rows_spread=0.2))
    again = measure_quality(workspace, wide, window(0, 29))
    assert len(again.done) == 30
    assert not _rows_unusual(workspace)


def _rows_unusual(workspace: Workspace) -> list[date]:
    return [row.data_day for row in measured(workspace) if row.unusual and row.metric == "rows"]
