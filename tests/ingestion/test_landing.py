"""Landing: what arrives is checked, reconciled and replaced whole; bad input loses nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from include.errors import (
    DaysStopped,
    SourceNotReady,
    SourceUnreachable,
    StorageUnavailable,
    TransientError,
    UsageError,
)
from include.ingestion import quarantine
from include.ingestion.landing import ingest
from include.lake.delta import Lake
from include.warehouse import tables
from include.warehouse.stages import day_states
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.faults.matrix import Fault, meets
from tests.planted import PLANTED, Faults

on_sqlite = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)
"""For tests of the landing alone; what it writes is tested on both databases."""

DAY = date(2013, 2, 12)  # the weather of this day holds a wind speed of 1,048 mph
BEFORE, AFTER = DAY - timedelta(days=1), DAY + timedelta(days=1)


def states(workspace: Workspace) -> dict[date, str]:
    with workspace.warehouse.reading() as connection:
        found = day_states(connection, "ingest", "nyc_flights")
    return {day: state.state for day, state in found.items()}


def rows_of(workspace: Workspace, table: sa.Table) -> list[dict]:
    with workspace.warehouse.reading() as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def landed(workspace: Workspace, table: str, *days: date) -> pd.DataFrame:
    return workspace.lake.read(f"nyc_flights/{table}", days or None).to_pandas()


def test_real_dirt_is_held_and_every_row_is_accounted_for(workspace: Workspace) -> None:
    result = ingest(workspace, PLANTED, Window.night(DAY))
    assert result.rows_in == result.rows_out + result.rows_held
    held = quarantine.listed(workspace.warehouse, "nyc_flights", decided=False)
    assert [(row["table_name"], row["rule"]) for row in held] == [
        ("weather", "wind_speed_plausible")
    ]
    assert held[0]["payload"]["wind_speed"] > 1000
    assert landed(workspace, "weather", DAY)["wind_speed"].max() < 150
    results = rows_of(workspace, tables.validation_results)
    failed = {row["rule"] for row in results if not row["success"]}
    assert "wind_speed_plausible" in failed
    assert {row["table_name"] for row in results} == {"flights", "schedule", "weather", "planes"}


def test_landing_again_writes_one_run_and_reads_nothing(
    workspace: Workspace, faults: Faults
) -> None:
    window = Window(BEFORE, AFTER)
    ingest(workspace, PLANTED, window)
    faults.reads.clear()
    others = (tables.stage_days, tables.validation_results, tables.quarantine)
    before = [rows_of(workspace, table) for table in others]
    versions = workspace.lake.versions(["nyc_flights/flights", "nyc_flights/planes"])
    result = ingest(workspace, PLANTED, window)
    assert not result.changed
    assert faults.reads == []
    assert [rows_of(workspace, table) for table in others] == before
    assert workspace.lake.versions(["nyc_flights/flights", "nyc_flights/planes"]) == versions
    assert [row["status"] for row in rows_of(workspace, tables.stage_runs)].count("unchanged") == 1


@on_sqlite
def test_a_night_heals_the_days_before_it(workspace: Workspace) -> None:
    dataset = replace(PLANTED, first_day=DAY - timedelta(days=5))
    result = ingest(workspace, dataset, Window.night(DAY), heal_days=3)
    assert result.done == tuple(DAY - timedelta(days=n) for n in (3, 2, 1, 0))


@on_sqlite
def test_a_gap_too_long_to_heal_names_the_backfill(workspace: Workspace) -> None:
    ingest(workspace, PLANTED, Window.night(date(2013, 2, 1)))
    result = ingest(workspace, PLANTED, Window.night(DAY), heal_days=3)
    (note,) = result.notes
    assert "nyc_flights_backfill" in note
    assert "first day 2013-02-02" in note and "last day 2013-02-08" in note


def test_a_restated_day_lands_again_and_others_do_not(workspace: Workspace, faults: Faults) -> None:
    window = Window(BEFORE, AFTER)
    ingest(workspace, PLANTED, window)
    faults.change("flights", DAY, lambda frame: frame.assign(air_time=frame["air_time"] + 1))
    assert ingest(workspace, PLANTED, window).done == (DAY,)


@on_sqlite
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.rename(columns={"dest": "destination"}), ["dest is missing", "destination"]),
        (lambda f: f.drop(columns="distance"), ["distance is missing"]),
        (lambda f: f.assign(flight=f["flight"].astype(str)), ["flight is", "expected int64"]),
        (
            lambda f: f.assign(scheduled_departure=f["scheduled_departure"].dt.tz_localize(None)),
            ["scheduled_departure is", "tz=UTC"],
        ),
    ],
)
def test_a_schema_break_stops_its_day_only(
    workspace: Workspace, faults: Faults, change, words: list[str]
) -> None:
    faults.change("flights", DAY, change)
    with pytest.raises(DaysStopped) as stopped:
        ingest(workspace, PLANTED, Window(BEFORE, AFTER))
    assert set(stopped.value.reasons) == {DAY}
    for word in words:
        assert word in str(stopped.value)
    assert states(workspace) == {BEFORE: "done", DAY: "stopped", AFTER: "done"}
    assert set(landed(workspace, "flights")["data_day"]) == {BEFORE, AFTER}
    faults.heal()
    assert ingest(workspace, PLANTED, Window(BEFORE, AFTER)).done == (DAY,)


@meets(
    Fault(
        "The source",
        "a snapshot loses a column",
        "ingest: the declared schema",
        "the newest day stops; the snapshot from before stays",
    )
)
@on_sqlite
def test_a_snapshot_that_breaks_stops_the_newest_day_and_keeps_the_one_before(
    workspace: Workspace, faults: Faults
) -> None:
    ingest(workspace, PLANTED, Window.night(BEFORE))
    before = workspace.lake.written("nyc_flights/planes")
    faults.change("planes", AFTER, lambda frame: frame.rename(columns={"seats": "chairs"}))
    with pytest.raises(DaysStopped, match="seats is missing") as stopped:
        ingest(workspace, PLANTED, Window(DAY, AFTER))
    assert set(stopped.value.reasons) == {AFTER}
    assert states(workspace) == {BEFORE: "done", DAY: "done", AFTER: "stopped"}
    assert workspace.lake.written("nyc_flights/planes") == before
    faults.heal()
    assert ingest(workspace, PLANTED, Window(DAY, AFTER)).done == (AFTER,)


@on_sqlite
def test_a_snapshot_that_breaks_is_told_also_when_only_an_older_day_is_due(
    workspace: Workspace, faults: Faults
) -> None:
    ingest(workspace, PLANTED, Window(BEFORE, DAY))
    faults.change("weather", BEFORE, lambda frame: frame.assign(temp=frame["temp"] + 1))
    faults.change("planes", DAY, lambda frame: frame.rename(columns={"seats": "chairs"}))
    with pytest.raises(DaysStopped, match="seats is missing"):
        ingest(workspace, PLANTED, Window.night(DAY), heal_days=1)
    assert states(workspace) == {BEFORE: "done", DAY: "stopped"}


@on_sqlite
def test_every_reason_of_a_stopped_day_is_told(workspace: Workspace, faults: Faults) -> None:
    faults.change("flights", DAY, lambda frame: frame.iloc[:0])
    faults.change("planes", DAY, lambda frame: frame.drop(columns="seats"))
    with pytest.raises(DaysStopped, match=r"flights: rule day_volume.*planes: .*seats is missing"):
        ingest(workspace, PLANTED, Window.night(DAY))


@on_sqlite
def test_an_added_column_is_ignored_and_recorded(workspace: Workspace, faults: Faults) -> None:
    faults.change("flights", DAY, lambda frame: frame.assign(gate="B12"))
    result = ingest(workspace, PLANTED, Window.night(DAY))
    assert any("gate" in note for note in result.notes)
    assert "gate" not in landed(workspace, "flights").columns


@on_sqlite
def test_an_empty_day_stops(workspace: Workspace, faults: Faults) -> None:
    faults.change("flights", DAY, lambda frame: frame.iloc[:0])
    with pytest.raises(DaysStopped, match="rows is 0"):
        ingest(workspace, PLANTED, Window(BEFORE, DAY))
    assert states(workspace) == {BEFORE: "done", DAY: "stopped"}


@on_sqlite
def test_a_few_duplicate_keys_are_held_all_of_them(workspace: Workspace, faults: Faults) -> None:
    faults.change("flights", DAY, lambda frame: pd.concat([frame, frame.iloc[:3]]))
    result = ingest(workspace, PLANTED, Window.night(DAY))
    held = quarantine.listed(workspace.warehouse, rule="key_unique", decided=False)
    assert len(held) == 6
    assert len({row["row_hash"] for row in held}) == 6
    assert result.rows_in == result.rows_out + result.rows_held
    assert not landed(workspace, "flights").duplicated(["time_hour", "carrier", "flight"]).any()


@on_sqlite
def test_a_day_landed_twice_stops(workspace: Workspace, faults: Faults) -> None:
    faults.change("flights", DAY, lambda frame: pd.concat([frame, frame]))
    with pytest.raises(DaysStopped, match="key_unique"):
        ingest(workspace, PLANTED, Window.night(DAY))
    assert not workspace.lake.exists("nyc_flights/flights")
    assert quarantine.listed(workspace.warehouse, decided=False) == []


@on_sqlite
def test_a_unit_change_on_one_day_of_a_window_stops_that_day(
    workspace: Workspace, faults: Faults
) -> None:
    faults.change("flights", DAY, lambda f: f.assign(departure_delay=f["departure_delay"] * 60))
    with pytest.raises(DaysStopped) as stopped:
        ingest(workspace, PLANTED, Window(BEFORE - timedelta(days=20), AFTER))
    assert set(stopped.value.reasons) == {DAY}


@on_sqlite
def test_rows_of_another_day_are_not_taken(workspace: Workspace, faults: Faults) -> None:
    faults.change("weather", DAY, lambda f: f.assign(data_day=date(2013, 3, 1)))
    with pytest.raises(DaysStopped, match="2013-03-01, not asked for"):
        ingest(workspace, PLANTED, Window.night(DAY))


@meets(
    Fault(
        "The source",
        "the source does not answer",
        "ingest: an error of the kind that is tried again",
        "nothing is written; the next run that finds it lands the day",
    )
)
@on_sqlite
def test_a_source_out_of_reach_is_transient(workspace: Workspace, faults: Faults) -> None:
    faults.unreachable = True
    with pytest.raises(SourceUnreachable):
        ingest(workspace, PLANTED, Window.night(DAY))
    assert states(workspace) == {}
    assert rows_of(workspace, tables.stage_runs)[0]["status"] == "failed"
    assert issubclass(SourceUnreachable, TransientError)
    faults.heal()
    assert ingest(workspace, PLANTED, Window.night(DAY)).done == (DAY,)


@meets(
    Fault(
        "The source",
        "the source is never ready",
        "ingest: says when to ask again, until its time is up",
        "the day is absent, and says so; once the source has it, it lands",
    )
)
@on_sqlite
def test_a_source_not_ready_is_waited_for_then_given_up(
    workspace: Workspace, faults: Faults
) -> None:
    def at(hour: int, minute: int = 0) -> Workspace:
        now = datetime(2013, 2, 13, hour, minute, tzinfo=UTC)
        return replace(workspace, context=replace(workspace.context, now=now))

    expected = datetime(2013, 2, 13, 5, 30, tzinfo=UTC)  # half past midnight in New York
    with pytest.raises(SourceNotReady) as waiting:
        ingest(at(5, 10), PLANTED, Window.night(DAY))
    assert waiting.value.until == expected
    faults.absent = {DAY}
    with pytest.raises(SourceNotReady) as waiting:
        ingest(at(6), PLANTED, Window.night(DAY))
    assert waiting.value.until == datetime(2013, 2, 13, 6, 10, tzinfo=UTC)
    assert states(workspace) == {}
    with pytest.raises(DaysStopped, match=f"{DAY}: absent"):
        ingest(at(13, 31), PLANTED, Window.night(DAY))
    assert states(workspace) == {DAY: "absent"}
    faults.heal()
    assert ingest(at(14), PLANTED, Window.night(DAY)).done == (DAY,)


@on_sqlite
def test_an_absent_older_day_does_not_block_the_night(workspace: Workspace, faults: Faults) -> None:
    faults.absent = {BEFORE}
    dataset = replace(PLANTED, first_day=BEFORE)
    result = ingest(workspace, dataset, Window.night(DAY), heal_days=5)
    assert result.done == (DAY,)
    assert states(workspace) == {BEFORE: "absent", DAY: "done"}


@on_sqlite
def test_days_outside_history_are_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="before the first day 2013-01-01"):
        ingest(workspace, PLANTED, Window.night(date(2012, 12, 31)))
    with pytest.raises(UsageError, match="has not ended"):
        ingest(workspace, PLANTED, Window.night(date(2014, 6, 1)))


@meets(
    Fault(
        "Storage and processes",
        "the lake cannot be written",
        "ingest: the lake",
        "an error that names the path; the day stays due",
    )
)
@on_sqlite
def test_a_lake_that_cannot_be_written_leaves_the_day_due(
    workspace: Workspace, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("not a folder")
    with pytest.raises(StorageUnavailable, match="blocked"):
        ingest(replace(workspace, lake=Lake(str(blocked))), PLANTED, Window.night(DAY))
    assert ingest(workspace, PLANTED, Window.night(DAY)).done == (DAY,)


@meets(
    Fault(
        "Storage and processes",
        "the warehouse cannot be opened",
        "opening it, before any stage",
        "one line that names it and says what to check",
    )
)
def test_a_warehouse_that_cannot_be_written_is_said_clearly(settings, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("not a folder")
    address = replace(settings.warehouse, database=str(blocked / "warehouse.db"))
    with (
        pytest.raises(StorageUnavailable, match=r"blocked.* check the path"),
        open_workspace(replace(settings, warehouse=address)) as workspace,
    ):
        ingest(workspace, PLANTED, Window.night(DAY))
