"""Proposals: what cannot be decided is refused in one line, and what follows is shown before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pandas as pd
import pytest

from include.errors import DaysStopped, SourceUnreachable, UsageError
from include.features.build import build_features
from include.ingestion import decisions, proposals, waivers
from include.ingestion.held import Choice
from include.ingestion.proposals import Proposal
from include.warehouse import tables
from include.warehouse.days import DayState, write_days
from include.workspace import Workspace
from tests.ingestion.deciding import (
    AFTER,
    DAY,
    FLIGHTS,
    NIGHT,
    ONLY_ON_SQLITE,
    WEATHER,
    WIND,
    WINDOW,
    decide,
    desk,
    held,
    land,
    plant_flight,
    rows_of,
    the_row,
)
from tests.planted import NOW, PLANTED, PLANTED_USE_CASE, Faults

on_sqlite = pytest.mark.parametrize(*ONLY_ON_SQLITE, indirect=True)
Ask = Callable[..., Proposal]
EARLY = date(2013, 2, 1)


@on_sqlite
def test_what_cannot_be_decided_is_one_clear_line(workspace: Workspace) -> None:
    land(workspace, WEATHER)
    row = the_row(workspace)
    release, discard, correct = proposals.release, proposals.discard, proposals.correct
    refused: list[tuple[str, Ask, tuple[Any, ...]]] = [
        ("no row abc of nyc_flights is in quarantine", release, (Choice(("abc",)),)),
        ("has no rule 'wind'; its rules are: .*wind_speed", release, (Choice(rule="wind"),)),
        ("has no table 'x'; its tables are", discard, (replace(row, table="x"),)),
        (
            "not held by key_unique; what holds it: wind_",
            release,
            (replace(row, rule="key_unique"),),
        ),
        ("say which rows", discard, (Choice(rule=WIND),)),
        ("2013-02-01 has not landed", release, (Choice(rule=WIND, day=EARLY),)),
        ("no row is held by key_unique", release, (Choice(rule="key_unique", day=DAY),)),
        ("name it by its hash", correct, (Choice(rule=WIND, day=DAY), {"wind_speed": "1"})),
        ("weather has no column wind; its col", correct, (row, {"wind": "1"})),
        ("given for wind_speed is no float64", correct, (row, {"wind_speed": "calm"})),
        ("wind_speed is not a finite number", correct, (row, {"wind_speed": "inf"})),
        ("still fails wind_speed_plausible", correct, (row, {"wind_speed": "2000"})),
        ("still fails temp_present", correct, (row, {"wind_speed": "1", "temp": ""})),
        (
            "still fails key_unique",
            correct,
            (row, {"wind_speed": "1", "observed_at": "2013-02-12T09:00"}),
        ),
        ("nothing would be corrected", correct, (row, {"origin": "EWR"})),
        ("COLUMN=VALUE", correct, (row, {})),
        ("has no rule 'nonsense'", waivers.waive, ("nonsense", DAY)),
        ("2013-02-01 has not landed", waivers.waive, (WIND, EARLY)),
        (
            "key_unique did not fail, so there is nothing to waive",
            waivers.waive,
            ("key_unique", DAY),
        ),
        ("nothing is decided about row", waivers.revoke, (row,)),
        ("nothing is decided about wind_", waivers.revoke, (Choice(rule=WIND, day=DAY),)),
        ("say what is taken back", waivers.revoke, (Choice(rule=WIND),)),
    ]
    for words, ask, arguments in refused:
        with pytest.raises(UsageError, match=words) as error:
            ask(desk(workspace, WEATHER), *arguments)
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="say why"):
        release(desk(workspace, WEATHER, reason=" "), row)
    assert rows_of(workspace, tables.quarantine_decisions) == []


@on_sqlite
def test_the_same_is_not_decided_twice(workspace: Workspace) -> None:
    land(workspace, WEATHER)
    row = the_row(workspace)
    asks: list[tuple[Ask, tuple[Any, ...]]] = [
        (proposals.release, (row,)),
        (proposals.discard, (row,)),
        (proposals.correct, (row, {"wind_speed": "1"})),
        (waivers.waive, (WIND, DAY)),
    ]
    for ask, arguments in asks:
        decide(workspace, ask, *arguments, dataset=WEATHER)
        with pytest.raises(UsageError, match=r"already, by ada at .* UTC \(a storm\)"):
            ask(desk(workspace, WEATHER), *arguments)


@on_sqlite
def test_a_rule_that_only_records_is_not_waived(workspace: Workspace, faults: Faults) -> None:
    faults.change("weather", DAY, lambda frame: frame.assign(pressure=None))
    land(workspace, WEATHER)
    with pytest.raises(UsageError, match="pressure_present stops and holds nothing anyway"):
        waivers.waive(desk(workspace, WEATHER), "pressure_present", DAY)


@on_sqlite
def test_a_rule_of_several_tables_asks_which(workspace: Workspace, faults: Faults) -> None:
    for table in ("flights", "schedule"):
        faults.change(table, DAY, lambda frame: frame.iloc[:50])
    with pytest.raises(DaysStopped):
        land(workspace)
    with pytest.raises(UsageError, match="day_volume failed in flights, schedule: add --table"):
        waivers.waive(desk(workspace), "day_volume", DAY)
    told = waivers.waive(desk(workspace), "day_volume", DAY, "flights")
    assert told.summary == "waive day_volume on nyc_flights.flights 2013-02-12"
    landing, stops = told.consequences[:2]
    assert landing.startswith("nyc_flights.flights 2013-02-12 would land 50 of 50 rows")
    assert stops.startswith("nyc_flights.schedule 2013-02-12 would stop: rule day_volume")


@on_sqlite
def test_a_schema_break_is_not_waived(workspace: Workspace, faults: Faults) -> None:
    faults.change("weather", DAY, lambda frame: frame.drop(columns="temp"))
    with pytest.raises(DaysStopped):
        land(workspace, WEATHER)
    with pytest.raises(UsageError, match=r"schema break is no rule .*temp is missing"):
        waivers.waive(desk(workspace, WEATHER), WIND, DAY)


@on_sqlite
def test_two_rows_with_a_key_do_not_land_whatever_is_decided(
    workspace: Workspace, faults: Faults
) -> None:
    def repeat(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([frame, frame.iloc[:1].assign(temp=1.0)])

    faults.change("weather", DAY, repeat)
    land(workspace, WEATHER)
    both = Choice(rule="key_unique", day=DAY)
    asks: list[tuple[Ask, tuple[Any, ...]]] = [
        (proposals.release, (both,)),
        (waivers.waive, ("key_unique", DAY)),
    ]
    for ask, arguments in asks:
        with pytest.raises(UsageError, match=r"1 row\(s\) would land with the key of another"):
            ask(desk(workspace, WEATHER), *arguments)
    first, _ = held(workspace, "key_unique")
    decide(workspace, proposals.release, Choice((first["row_hash"],)), dataset=WEATHER)
    assert land(workspace, WEATHER).rows_held == 2, "the other one, and the wind"


@on_sqlite
def test_what_could_not_take_effect_is_refused(workspace: Workspace, faults: Faults) -> None:
    land(workspace, WEATHER)
    row = the_row(workspace)
    faults.change("weather", DAY, lambda frame: frame.assign(temp=frame["temp"] + 1))
    with pytest.raises(UsageError, match=r"does not send row .* any more; land the day again"):
        proposals.release(desk(workspace, WEATHER), row)
    faults.change("weather", DAY, lambda frame: frame.drop(columns="temp"))
    with pytest.raises(UsageError, match=r"nobody can waive or release: .*temp is missing"):
        proposals.release(desk(workspace, WEATHER), row)
    faults.absent = {DAY}
    with pytest.raises(UsageError, match="the source does not have it any more"):
        proposals.release(desk(workspace, WEATHER), row)
    faults.heal()
    faults.unreachable = True
    with pytest.raises(SourceUnreachable):
        proposals.release(desk(workspace, WEATHER), row)


@on_sqlite
def test_all_rows_of_a_rule_and_day_are_those_nobody_decided_about(
    workspace: Workspace, faults: Faults
) -> None:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame.index[:2], "wind_speed"] = 500.0
        return frame

    faults.change("weather", DAY, spoil)
    land(workspace, WEATHER)
    rows = held(workspace)
    assert len(rows) == 3
    decide(workspace, proposals.discard, Choice((rows[0]["row_hash"],)), dataset=WEATHER)
    told = decide(workspace, proposals.release, Choice(rule=WIND, day=DAY), dataset=WEATHER)
    assert told.summary == f"release 2 rows of nyc_flights.weather {DAY} from {WIND}"
    assert {it.row_hash for it in told.decisions} == {row["row_hash"] for row in rows[1:]}
    with pytest.raises(UsageError, match=r"no row is held by .* that nobody decided about"):
        proposals.discard(desk(workspace, WEATHER), Choice(rule=WIND, day=DAY))
    back = decide(workspace, waivers.revoke, Choice(rule=WIND, day=DAY), dataset=WEATHER)
    assert back.summary == "take back the decisions on 3 rows of nyc_flights"
    assert not land(workspace, WEATHER).changed


@on_sqlite
def test_a_row_decided_as_a_whole_is_not_released_from_one_rule(
    workspace: Workspace, faults: Faults
) -> None:
    plant_flight(faults, distance=99_999, origin="XXX")
    land(workspace, FLIGHTS)
    row = the_row(workspace, "origin_known")
    decide(workspace, proposals.discard, row, dataset=FLIGHTS)
    with pytest.raises(UsageError, match=r"decided as a whole .discard, .*revoke that first"):
        proposals.release(desk(workspace, FLIGHTS), replace(row, rule="origin_known"))
    back = decide(workspace, waivers.revoke, replace(row, rule="origin_known"), dataset=FLIGHTS)
    assert len(back.decisions) == 2, "a discard is taken back whole"


@on_sqlite
def test_personal_values_are_not_in_what_is_shown(workspace: Workspace) -> None:
    weather = WEATHER.table("weather")
    columns = tuple(replace(it, personal=it.name == "wind_speed") for it in weather.columns)
    private = replace(WEATHER, tables=(replace(weather, columns=columns),))
    land(workspace, private)
    told = decide(
        workspace, proposals.correct, the_row(workspace), {"wind_speed": "12.5"}, dataset=private
    )
    assert "wind_speed ••• → •••" in told.summary
    assert "12.5" not in str((told.summary, told.consequences))


def scored(workspace: Workspace, stage: str, *days: date) -> None:
    """Say that days are scored, or their outcomes written."""
    states = [DayState(day, "done", "a run", "in", "out", NOW) for day in days]
    with workspace.warehouse.transaction() as connection:
        write_days(connection, stage, PLANTED_USE_CASE.name, states)


@on_sqlite
def test_what_follows_is_shown_before_it_happens(workspace: Workspace) -> None:
    land(workspace, window=WINDOW)
    build_features(workspace, PLANTED, WINDOW)
    scored(workspace, "score", DAY, AFTER)
    scored(workspace, "outcomes", DAY)
    morning = NOW.replace(year=2013, month=2, day=14)
    then = replace(workspace, context=replace(workspace.context, now=morning))
    case = replace(PLANTED_USE_CASE, scoring=replace(PLANTED_USE_CASE.scoring, restate_days=1))

    told = proposals.release(desk(then, use_cases=(case,)), the_row(workspace))

    assert told.consequences == (
        "nyc_flights.weather 2013-02-12 would land 72 of 72 rows; 0 held, 0 discarded",
        "landing: 2013-02-12 is due again; the next night does it",
        "features: 2 days, 2013-02-12 … 2013-02-13, are built from that; the next night does them",
        "flight_delay: 2 days, 2013-02-12 … 2013-02-13, are scored from that; the next night "
        "scores again 1 of them, what is further back than nights reach keeps its scores until "
        "./nightshift backfill flight_delay --from 2013-02-12 --to 2013-02-12",
        "flight_delay: outcomes of 2013-02-12 is read again",
    )
    assert rows_of(workspace, tables.quarantine_decisions) == []

    late = proposals.release(desk(workspace, use_cases=(case,)), the_row(workspace))
    assert late.consequences[1] == (
        "landing: 2013-02-12 is due again; what is further back than nights reach waits for "
        "./nightshift backfill nyc_flights --from 2013-02-12 --to 2013-02-12"
    )
    # What is announced is what happens.
    decide(workspace, proposals.release, the_row(workspace))
    assert land(workspace, window=WINDOW).done == (DAY,)
    assert build_features(workspace, PLANTED, WINDOW).done == (DAY, AFTER)


@on_sqlite
def test_outcomes_are_read_again_also_of_days_from_which_nothing_is_scored(
    workspace: Workspace,
) -> None:
    land(workspace, WEATHER)
    scored(workspace, "outcomes", DAY)
    case = replace(PLANTED_USE_CASE, dataset=WEATHER)
    told = proposals.release(desk(workspace, WEATHER, use_cases=(case,)), the_row(workspace))
    assert told.consequences[-3:] == (
        "features: none are built from that",
        "flight_delay: nothing is scored from that",
        "flight_delay: outcomes of 2013-02-12 is read again",
    )


@on_sqlite
def test_a_snapshot_that_lands_again_concerns_every_day(
    workspace: Workspace, faults: Faults
) -> None:
    plant_flight(faults, "planes", seats=5000)
    land(workspace)
    build_features(workspace, PLANTED, NIGHT)
    told = proposals.discard(desk(workspace), the_row(workspace, "seats_plausible"))
    assert told.consequences[1:3] == (
        "landing: planes is due again; the next night does it",
        "features: 2013-02-12 is built from that; what is further back than nights reach waits "
        "for ./nightshift backfill nyc_flights --from 2013-02-12 --to 2013-02-12",
    )


def test_a_correction_that_no_longer_fits_says_how_to_take_it_back(workspace: Workspace) -> None:
    land(workspace, WEATHER)
    row = the_row(workspace)
    decide(workspace, proposals.correct, row, {"wind_speed": "1"}, dataset=WEATHER)
    with workspace.warehouse.transaction() as connection:
        (made,) = decisions.history(connection, row_hash=row.row_hashes[0])
        unfit = {**(made.payload or {}), "temp": "warm"}
        decisions.record(connection, [replace(made, payload=unfit)])
    with pytest.raises(DaysStopped, match=r"no longer fits .*quarantine revoke nyc_flights"):
        land(workspace, WEATHER)
    decide(workspace, waivers.revoke, row, dataset=WEATHER)
    assert land(workspace, WEATHER).rows_held == 1
