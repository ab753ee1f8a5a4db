"""Outcomes: the truth about what was planned, once it is mature, the same in any window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa

from include.errors import DaysStopped, RowsLost, UsageError
from include.ingestion.landing import ingest
from include.monitoring.outcomes import STAGE, write_outcomes
from include.settings import Settings
from include.warehouse.days import DayState, day_states, write_days
from include.warehouse.use_cases import apply, use_case_tables
from include.window import Window
from include.workspace import Workspace
from tests.made_once import copy_made, made_once
from tests.planted import FAULTS, PLANTED, PLANTED_USE_CASE, Faults
from tests.real_frames import KEYS, data_folder

CASE = PLANTED_USE_CASE
TABLE = use_case_tables(CASE).outcomes
LANDED = Window(date(2013, 2, 7), date(2013, 2, 12))
"""Six days; a blizzard cancelled hundreds of the flights of the 8th and the 9th."""

SCORED = Window(LANDED.start, date(2013, 2, 11))
MATURE = tuple(date(2013, 2, day) for day in (8, 9, 10))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """An installation on each database whose days have landed, and are said to be scored."""

    def make(workspace: Workspace) -> None:
        FAULTS.heal()
        apply(workspace.warehouse, CASE)
        ingest(workspace, PLANTED, LANDED)
        say_scored(workspace, SCORED.days)

    with made_once(request, tmp_path_factory.mktemp("landed"), make) as settings:
        yield settings


@pytest.fixture
def scored(
    request: pytest.FixtureRequest, made: Settings, tmp_path: Path, faults: Faults
) -> Iterator[Workspace]:
    """A workspace whose days have landed, and of which it is said that they are scored."""
    with copy_made(request, made, tmp_path / "home") as workspace:
        yield workspace


def say_scored(workspace: Workspace, days: Sequence[date]) -> None:
    states = [DayState(day, "done", "a run", "in", "out", workspace.now) for day in days]
    with workspace.warehouse.transaction() as connection:
        write_days(connection, "score", CASE.name, states)


def read(workspace: Workspace) -> pd.DataFrame:
    with workspace.warehouse.reading() as connection:
        rows = connection.execute(sa.select(TABLE).order_by(*TABLE.primary_key.columns))
        return pd.DataFrame(rows.mappings().all(), columns=TABLE.columns.keys())


def truth(days: Sequence[date]) -> dict[tuple[object, ...], float | None]:
    """Return what the sample's own file says: key → whether the flight came late."""
    flights = pd.read_csv(data_folder() / "flights.csv.zip")
    flights["target_date"] = pd.to_datetime(flights[["year", "month", "day"]]).dt.date
    flights = flights[flights["target_date"].isin(days)]
    flights["time_hour"] = pd.to_datetime(flights["time_hour"], utc=True)
    return {
        (row.target_date, row.time_hour, row.carrier, row.flight): (
            None if pd.isna(row.arr_delay) else float(row.arr_delay >= 15)
        )
        for row in flights.itertuples()
    }


def found(rows: pd.DataFrame) -> dict[tuple[object, ...], float | None]:
    keys = zip(*(rows[name] for name in ("target_date", *KEYS)), strict=True)
    labels = [None if pd.isna(label) else label for label in rows["label"]]
    return dict(zip(keys, labels, strict=True))


def test_every_planned_flight_has_its_outcome_once_it_is_mature(scored: Workspace) -> None:
    result = write_outcomes(scored, CASE, SCORED)

    rows, expected = read(scored), truth(MATURE)
    assert result.done == MATURE
    assert result.rows_out == len(rows) == len(expected)
    assert found(rows) == expected
    assert sum(label is None for label in expected.values()) > 500, "cancelled flights are there"
    matured = rows.groupby("target_date")["matured_at"].unique()
    for day in MATURE:
        assert list(matured[day]) == [PLANTED.cutoff(day + timedelta(days=2))]


def test_nights_in_any_order_and_one_window_say_the_same(scored: Workspace) -> None:
    write_outcomes(scored, CASE, SCORED)
    whole, states = read(scored), days_of(scored)
    with scored.warehouse.transaction() as connection:
        connection.execute(sa.delete(TABLE))
        connection.exec_driver_sql("DELETE FROM stage_days WHERE stage = 'outcomes'")
    for place in (3, 0, 4, 1, 2):
        write_outcomes(scored, CASE, Window.night(LANDED.days[place + 1]), PLANTED.heal_days)

    aside = ["run_id"]
    pd.testing.assert_frame_equal(read(scored).drop(columns=aside), whole.drop(columns=aside))
    assert {day: it.output_hash for day, it in days_of(scored).items()} == {
        day: it.output_hash for day, it in states.items()
    }


def days_of(workspace: Workspace) -> dict[date, DayState]:
    with workspace.warehouse.reading() as connection:
        return day_states(connection, STAGE, CASE.name)


def test_a_window_also_writes_what_its_days_make_mature(scored: Workspace) -> None:
    assert write_outcomes(scored, CASE, Window.night(LANDED.end)).done == MATURE[-1:]


def test_unchanged_inputs_touch_nothing(scored: Workspace) -> None:
    write_outcomes(scored, CASE, SCORED)
    before, states = read(scored), days_of(scored)
    again = write_outcomes(scored, CASE, SCORED)
    assert (again.status, again.changed) == ("unchanged", False)
    pd.testing.assert_frame_equal(read(scored), before)
    assert days_of(scored) == states


def test_a_day_that_lands_again_replaces_its_own_outcomes_only(
    scored: Workspace, faults: Faults
) -> None:
    write_outcomes(scored, CASE, SCORED)
    before, changed = read(scored), MATURE[1]
    faults.change("flights", changed, lambda it: it.assign(arrival_delay=it["arrival_delay"] + 60))
    ingest(scored, PLANTED, LANDED)
    result = write_outcomes(scored, CASE, SCORED)

    rows = read(scored)
    assert result.done == MATURE, "each reads the day that landed again"
    moved = rows["run_id"] != before["run_id"]
    assert set(rows.loc[moved, "target_date"]) == {changed}
    assert rows.loc[moved, "label"].mean() > before.loc[moved, "label"].mean()
    assert list(rows["label"].isna()) == list(before["label"].isna())


def test_only_scored_dates_have_outcomes_and_a_day_that_is_missing_is_said(
    workspace: Workspace, faults: Faults
) -> None:
    apply(workspace.warehouse, CASE)
    faults.absent = {MATURE[1]}
    with pytest.raises(DaysStopped):
        ingest(workspace, PLANTED, LANDED)
    assert write_outcomes(workspace, CASE, SCORED).status == "unchanged"
    say_scored(workspace, [day for day in SCORED if day != MATURE[1]])

    result = write_outcomes(workspace, CASE, SCORED)
    assert result.done == (MATURE[0],), "the 10th was planned on the 9th, which is not there"
    (note,) = result.notes
    assert note.startswith(f"no outcome for {MATURE[1]}: the day has not landed")

    faults.heal()
    ingest(workspace, PLANTED, LANDED)
    say_scored(workspace, SCORED.days)
    assert write_outcomes(workspace, CASE, SCORED).done == MATURE
    assert found(read(workspace)) == truth(MATURE)


def test_a_label_known_after_it_should_be_mature_does_not_count(scored: Workspace) -> None:
    name, cutoff = "nyc_flights/flights", PLANTED.cutoff(MATURE[0] + timedelta(days=2))
    rows = scored.lake.read(name, [MATURE[0]])
    known = [cutoff + timedelta(microseconds=place % 2) for place in range(len(rows))]
    at = rows.schema.get_field_index("known_at")
    moved = rows.set_column(at, rows.schema.field(at), pa.array(known, rows.schema.field(at).type))
    scored.lake.replace_days(name, moved, [MATURE[0]])
    write_outcomes(scored, CASE, SCORED)

    in_time = moved.filter(pc.less_equal(moved["known_at"], pa.scalar(cutoff)))
    arrived = int(pc.sum(pc.is_valid(in_time["arrival_delay"])).as_py())
    struck = read(scored)["target_date"] == MATURE[0]
    assert 0 < arrived == read(scored).loc[struck, "label"].notna().sum()
    assert found(read(scored)).keys() == truth(MATURE).keys()


def test_two_labels_of_one_entity_are_refused_and_nothing_is_written(scored: Workspace) -> None:
    name = "nyc_flights/flights"
    rows = scored.lake.read(name, [MATURE[0]])
    arrived = rows.filter(rows["arrival_delay"].is_valid()).slice(0, 1)
    twice = pa.concat_tables([rows, arrived])
    scored.lake.replace_days(name, twice, [MATURE[0]])
    with pytest.raises(RowsLost, match="gives 1 entities a second label"):
        write_outcomes(scored, CASE, SCORED)
    assert read(scored).empty and not days_of(scored)


def test_a_window_outside_the_dataset_is_refused(scored: Workspace) -> None:
    with pytest.raises(UsageError, match="has not ended"):
        write_outcomes(scored, CASE, Window.night(date(2099, 1, 1)))


def test_a_changed_maturity_is_a_changed_outcome(scored: Workspace) -> None:
    write_outcomes(scored, CASE, SCORED)
    sooner = replace(CASE, label=replace(CASE.label, mature_after=1))
    result = write_outcomes(scored, sooner, SCORED)
    assert result.done == (*MATURE, date(2013, 2, 11))
    assert set(read(scored)["matured_at"]) == {
        PLANTED.cutoff(day + timedelta(days=1)) for day in result.done
    }
