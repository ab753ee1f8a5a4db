"""Nights that land from declared files: what waits, what stops, and what lands beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from include.declare_source import Files, FileTable, Times
from include.errors import DayAbsent, DaysStopped, SourceNotReady
from include.ingestion.landing import ingest
from include.settings import Settings
from include.warehouse import migrate
from include.warehouse.commit import StageResult
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.ingestion.sources.shop import NOW, ORDERS, STOCK, csv, day, order, shop

WEEK = Window(day(0), day(6))


@pytest.fixture
def workspace(settings: Settings) -> Iterator[Workspace]:
    with open_workspace(settings, now=NOW) as opened:
        migrate.upgrade(opened.warehouse)
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two orders a day for a week, and what is in stock."""
    folder = tmp_path / "files"
    folder.mkdir()
    for n in range(7):
        rows = [order(10 * n + i, f"{day(n)} 0{2 * i}:30") for i in range(2)]
        (folder / f"{day(n)}.csv").write_bytes(csv(rows))
    (folder / "stock.csv").write_bytes(csv([{"item": "tea", "count": 3}]))
    return folder


def land(
    workspace: Workspace, folder: Path, window: Window, now: datetime = NOW, lookback: int = 2
) -> StageResult:
    times = Times(day="placed_at", known_at="placed_at")
    source = Files(
        {
            "orders": FileTable(str(folder / "{day}.csv"), times, lookback_days=lookback),
            "stock": FileTable(str(folder / "stock.csv")),
        }
    )
    at = replace(workspace, context=replace(workspace.context, now=now))
    heal = 0 if len(window.days) > 1 else 35
    return ingest(at, shop(source, ORDERS, STOCK), window, heal_days=heal)


def landed(workspace: Workspace) -> list[tuple[date, int]]:
    rows = workspace.lake.read("shop/orders")
    return sorted(zip(rows["data_day"].to_pylist(), rows["number"].to_pylist(), strict=True))


def add(folder: Path, number: int, *rows: str) -> None:
    with (folder / f"{day(number)}.csv").open("a") as file:
        file.writelines(f"{row}\n" for row in rows)


def test_late_rows_land_on_their_day_and_too_late_ones_stop_the_day_of_their_file(
    workspace: Workspace, folder: Path
) -> None:
    assert land(workspace, folder, WEEK).rows_in == 15
    assert not land(workspace, folder, Window.night(day(6))).changed
    add(folder, 5, f"99,1.0,true,,{day(4)} 20:00")
    result = land(workspace, folder, Window.night(day(6)))
    assert set(result.done) == {day(3), day(4), day(5)}  # all that the file may hold rows of
    assert (day(4), 99) in landed(workspace)
    add(folder, 6, f"98,1.0,true,,{day(1)} 20:00")
    with pytest.raises(DaysStopped, match=r"1 of 3 rows are of other days \(2026-10-21") as stopped:
        land(workspace, folder, Window.night(day(6)))
    assert set(stopped.value.reasons) == {day(6)}
    assert len(landed(workspace)) == 15
    assert land(workspace, folder, Window.night(day(6)), lookback=5).stopped == {}
    assert (day(1), 98) in landed(workspace)


def test_a_broken_day_stops_and_the_others_land(workspace: Workspace, folder: Path) -> None:
    add(folder, 3, "31,dear,true,,2026-10-23 20:00")
    with pytest.raises(DaysStopped, match=r"2026-10-23\.csv, row 3: there is text in price") as it:
        land(workspace, folder, WEEK, lookback=0)
    assert set(it.value.reasons) == {day(3)}
    assert {found for found, _ in landed(workspace)} == set(WEEK) - {day(3)}


def test_a_day_and_a_snapshot_are_waited_for_until_it_is_given_up(
    workspace: Workspace, folder: Path
) -> None:
    early, late = (datetime(2026, 10, 28, hour, tzinfo=UTC) for hour in (1, 12))
    land(workspace, folder, WEEK)
    night = Window.night(day(7))
    with pytest.raises(SourceNotReady, match=r"2026-10-27\.csv") as waiting:
        land(workspace, folder, night, early)
    assert waiting.value.until == early + timedelta(minutes=10)
    with pytest.raises(DaysStopped, match="no file"):
        land(workspace, folder, night, late)
    (folder / f"{day(7)}.csv").write_bytes(csv([order(70, f"{day(7)} 08:00")]))
    (folder / "stock.csv").rename(folder / "gone.csv")
    with pytest.raises(SourceNotReady, match=r"stock\.csv"):
        land(workspace, folder, night, early)
    result = land(workspace, folder, night, late)
    assert day(7) in result.done
    assert any("stock stays as it was" in note for note in result.notes)


def test_a_snapshot_that_never_came_fails_the_night(workspace: Workspace, folder: Path) -> None:
    (folder / "stock.csv").unlink()
    with pytest.raises(DayAbsent, match=r"stock\.csv"):
        land(workspace, folder, Window.night(day(6)))
