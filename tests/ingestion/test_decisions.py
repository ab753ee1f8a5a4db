"""Decisions on held rows: applied at every landing, taken back, and nothing lost in between."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from include.declare import Column
from include.errors import DaysStopped, SchemaBreak
from include.ingestion import proposals, waivers
from include.ingestion.held import Choice
from include.ingestion.landing import ingest
from include.privacy.forget import forget
from include.settings import Settings
from include.warehouse import tables
from include.warehouse.migrate import upgrade
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests import children
from tests.ingestion import killed
from tests.ingestion.deciding import (
    AFTER,
    BEFORE,
    DAY,
    FLIGHTS,
    NIGHT,
    ONLY_ON_SQLITE,
    WEATHER,
    WIND,
    WINDOW,
    decide,
    held,
    land,
    landed,
    plant_flight,
    rows_of,
    seen,
    the_row,
)
from tests.planted import NOW, PLANTED, Faults

on_sqlite = pytest.mark.parametrize(*ONLY_ON_SQLITE, indirect=True)


def restate(faults: Faults) -> None:
    """Let the source send the day with another temperature at one station."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame.index[0], "temp"] += 1.0
        return frame

    faults.change("weather", DAY, change)


def test_a_released_row_lands_and_stays_released(workspace: Workspace, faults: Faults) -> None:
    before = land(workspace, WEATHER)
    decide(workspace, proposals.release, the_row(workspace), dataset=WEATHER)

    after = land(workspace, WEATHER)

    assert (after.done, after.rows_out, after.rows_held) == ((DAY,), before.rows_in, 0)
    assert landed(workspace)["wind_speed"].max() > 1000
    assert held(workspace) == []
    (row,) = rows_of(workspace, tables.quarantine)
    assert (row["decision"], row["rule"]) == ("release", WIND)
    results = {row["rule"]: row for row in rows_of(workspace, tables.validation_results)}
    assert (results[WIND]["success"], results[WIND]["unexpected"]) == (False, 1)
    assert not land(workspace, WEATHER).changed
    restate(faults)
    assert land(workspace, WEATHER).rows_held == 0
    assert landed(workspace)["wind_speed"].max() > 1000


def test_a_discarded_row_is_dropped_and_counted(workspace: Workspace, faults: Faults) -> None:
    before = land(workspace, WEATHER)
    decide(workspace, proposals.discard, the_row(workspace), dataset=WEATHER)
    for _ in range(2):
        after = land(workspace, WEATHER)
        assert (after.rows_in, after.rows_out) == (before.rows_in, before.rows_out)
        assert (after.rows_held, after.notes) == (0, ("1 row(s) were discarded by decision",))
        assert [row["decision"] for row in rows_of(workspace, tables.quarantine)] == ["discard"]
        restate(faults)


def test_a_corrected_row_takes_the_place_of_what_came(workspace: Workspace, faults: Faults) -> None:
    before = land(workspace, WEATHER)
    choice = the_row(workspace)
    values = {"wind_speed": "10.48", "wind_dir": ""}
    told = decide(workspace, proposals.correct, choice, values, dataset=WEATHER)
    assert "wind_speed 1048.36058 → 10.48" in told.summary and "wind_dir" in told.summary

    after = land(workspace, WEATHER)

    assert (after.rows_out, after.rows_held) == (before.rows_in, 0)
    frame = landed(workspace)
    (row,) = frame[frame["wind_speed"] == 10.48].to_dict("records")
    assert pd.isna(row["wind_dir"])
    (entry,) = rows_of(workspace, tables.quarantine)
    assert entry["decision"] == "correct" and entry["payload"]["wind_speed"] > 1000
    assert entry["row_hash"] == choice.row_hashes[0]
    restate(faults)
    land(workspace, WEATHER)
    assert landed(workspace)["wind_speed"].max() < 150


def test_infinite_values_are_held_like_any_other_and_can_be_decided_about(
    workspace: Workspace, faults: Faults
) -> None:
    plant_flight(faults, "weather", wind_speed=float("inf"), visib=float("inf"))
    land(workspace, WEATHER)
    (row,) = [it for it in held(workspace) if it["payload"]["wind_speed"] == "inf"]
    assert row["payload"]["visib"] == "inf"
    chosen = Choice((row["row_hash"],))
    decide(workspace, proposals.release, chosen, dataset=WEATHER)
    decide(workspace, proposals.correct, chosen, {"wind_speed": "10.48"}, dataset=WEATHER)
    land(workspace, WEATHER)
    (fixed,) = landed(workspace).query("wind_speed == 10.48").to_dict("records")
    assert fixed["visib"] == float("inf")


def states(workspace: Workspace) -> dict[date, str]:
    days = [row for row in rows_of(workspace, tables.stage_days) if row["stage"] == "ingest"]
    return {row["data_day"]: row["state"] for row in days}


@on_sqlite
def test_a_correction_that_no_longer_fits_stops_its_day_and_no_other(
    workspace: Workspace, faults: Faults
) -> None:
    (weather,) = WEATHER.tables
    columns = (*weather.columns, Column("gust", "string", "Words, at first."))
    before, after = (
        replace(WEATHER, tables=(replace(weather, columns=(*columns[:-1], it)),))
        for it in (columns[-1], replace(columns[-1], type="float64"))
    )
    for day in WINDOW:
        faults.change("weather", day, lambda frame: frame.assign(gust=None))
    land(workspace, before)
    values = {"wind_speed": "10.48", "gust": "strong"}
    decide(workspace, proposals.correct, the_row(workspace), values, dataset=before)
    land(workspace, before)

    with pytest.raises(SchemaBreak, match="gust is string there and double now"):
        ingest(workspace, after, WINDOW)
    assert set(states(workspace).values()) == {"done"}, "what had landed stands"
    shutil.rmtree(workspace.lake.uri(f"{WEATHER.name}/{weather.name}"))
    with pytest.raises(DaysStopped, match=r"no longer fits .* quarantine revoke") as stopped:
        ingest(workspace, after, WINDOW)

    assert set(stopped.value.reasons) == {DAY}
    assert states(workspace) == {BEFORE: "done", DAY: "stopped", AFTER: "done"}


@pytest.mark.parametrize("ask", ["release", "discard", "correct"])
@on_sqlite
def test_taking_a_decision_back_gives_the_tables_from_before(
    workspace: Workspace, ask: str
) -> None:
    land(workspace, WEATHER)
    before = seen(workspace, WEATHER)
    choice = the_row(workspace)
    more = [{"wind_speed": "10"}] if ask == "correct" else []
    decide(workspace, getattr(proposals, ask), choice, *more, dataset=WEATHER)
    land(workspace, WEATHER)
    assert seen(workspace, WEATHER) != before
    decide(workspace, waivers.revoke, choice, dataset=WEATHER)
    assert land(workspace, WEATHER).done == (DAY,)
    assert seen(workspace, WEATHER) == before


@on_sqlite
def test_a_decision_taken_back_before_a_landing_leaves_nothing_due(workspace: Workspace) -> None:
    land(workspace, WEATHER)
    choice = the_row(workspace)
    decide(workspace, proposals.release, choice, dataset=WEATHER)
    decide(workspace, waivers.revoke, choice, dataset=WEATHER)
    assert not land(workspace, WEATHER).changed
    actions = [row["action"] for row in rows_of(workspace, tables.quarantine_decisions)]
    assert actions == ["release", "revoke"]


@on_sqlite
def test_a_row_released_from_one_rule_is_held_by_the_other(
    workspace: Workspace, faults: Faults
) -> None:
    plant_flight(faults, distance=99_999, origin="XXX")
    land(workspace, FLIGHTS)
    row = the_row(workspace, "distance_plausible")
    decide(workspace, proposals.release, replace(row, rule="distance_plausible"), dataset=FLIGHTS)
    assert land(workspace, FLIGHTS).rows_held == 1
    assert [it["row_hash"] for it in held(workspace, "origin_known")] == list(row.row_hashes)
    assert held(workspace, "distance_plausible") == []
    decide(workspace, proposals.correct, row, {"origin": "JFK"}, dataset=FLIGHTS)
    assert land(workspace, FLIGHTS).rows_held == 0
    (entry,) = landed(workspace, "flights").query("distance == 99_999").to_dict("records")
    assert entry["origin"] == "JFK"


@on_sqlite
def test_of_identical_rows_as_many_are_kept_as_nobody_discarded(
    workspace: Workspace, faults: Faults
) -> None:
    faults.change("weather", DAY, lambda frame: pd.concat([frame, frame.iloc[:1]]))
    land(workspace, WEATHER)
    first, second = sorted(row["row_hash"] for row in held(workspace, "key_unique"))
    assert second == f"{first}-2"
    decide(workspace, proposals.discard, Choice((second,)), dataset=WEATHER)
    after = land(workspace, WEATHER)
    assert after.rows_held == 1 and held(workspace, "key_unique") == []
    assert not landed(workspace).duplicated(["origin", "observed_at"]).any()
    faults.change("weather", DAY, lambda frame: pd.concat([frame, *[frame.iloc[:1]] * 2]))
    land(workspace, WEATHER)
    again = sorted(row["row_hash"] for row in held(workspace, "key_unique"))
    assert again == [first, f"{first}-3"]


def test_a_waived_rule_lets_one_day_land(workspace: Workspace, faults: Faults) -> None:
    for day in (DAY, AFTER):
        faults.change("weather", day, lambda frame: frame.iloc[-20:])
    with pytest.raises(DaysStopped, match="2013-02-12: weather: rule day_volume") as stopped:
        land(workspace, WEATHER, Window(DAY, AFTER))
    assert f"quarantine waive nyc_flights RULE --day {DAY} --reason TEXT" in str(stopped.value)
    decide(workspace, waivers.waive, "day_volume", DAY, dataset=WEATHER)
    with pytest.raises(DaysStopped) as stopped:
        land(workspace, WEATHER, Window(DAY, AFTER))
    assert set(stopped.value.reasons) == {AFTER}
    assert len(landed(workspace, "weather", DAY)) == 20
    assert not land(workspace, WEATHER).changed
    results = [row for row in rows_of(workspace, tables.validation_results) if not row["success"]]
    assert {row["data_day"] for row in results if row["rule"] == "day_volume"} == {DAY, AFTER}
    decide(workspace, waivers.revoke, Choice(rule="day_volume", day=DAY), dataset=WEATHER)
    with pytest.raises(DaysStopped, match="day_volume"):
        land(workspace, WEATHER)


@on_sqlite
def test_a_waived_rule_holds_nothing_either(workspace: Workspace, faults: Faults) -> None:
    faults.change("weather", DAY, lambda frame: frame.assign(wind_speed=999.0))
    with pytest.raises(DaysStopped, match="72 of 72 rows fail, more than 5%"):
        land(workspace, WEATHER)
    told = decide(workspace, waivers.waive, WIND, DAY, dataset=WEATHER)
    assert "nyc_flights.weather 2013-02-12 would land 72 of 72 rows; 0 held, 0 discarded" in (
        told.consequences
    )
    assert land(workspace, WEATHER).rows_out == 72


def test_a_window_gives_what_its_nights_give(tmp_path: Path, faults: Faults) -> None:
    found = []
    for day in WINDOW:
        faults.change("weather", day, _spoil)
    for place, windows in enumerate(([WINDOW], [Window.night(day) for day in WINDOW])):
        home = tmp_path / str(place)
        settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
        home.mkdir()
        with open_workspace(settings, now=NOW) as workspace:
            upgrade(workspace.warehouse)
            land(workspace, WEATHER, WINDOW)
            rows = {row["data_day"]: row["row_hash"] for row in held(workspace)}
            decide(workspace, proposals.release, Choice((rows[BEFORE],)), dataset=WEATHER)
            decide(workspace, proposals.discard, Choice((rows[DAY],)), dataset=WEATHER)
            choice = Choice((rows[AFTER],))
            decide(workspace, proposals.correct, choice, {"wind_speed": "7"}, dataset=WEATHER)
            for window in windows:
                land(workspace, WEATHER, window)
            found.append(seen(workspace, WEATHER))
    assert found[0] == found[1]
    assert sum("'decision': None" not in row for row in found[0]["quarantine"]) == 3


def _spoil(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[frame.index[3], "wind_speed"] = 500.0
    return frame


@on_sqlite
def test_a_decision_on_a_snapshot_holds_whenever_it_lands(
    workspace: Workspace, faults: Faults
) -> None:
    plant_flight(faults, "planes", seats=5000)
    land(workspace)
    decide(workspace, proposals.release, the_row(workspace, "seats_plausible"))
    assert land(workspace).done == (DAY,)
    assert landed(workspace, "planes")["seats"].max() == 5000
    first = faults.changes["planes", DAY]
    faults.change("planes", AFTER, lambda frame: first(frame).iloc[:-1])
    land(workspace, window=Window.night(AFTER))
    planes = landed(workspace, "planes")
    assert planes["seats"].max() == 5000 and len(planes) > 3000
    assert not land(workspace, window=Window.night(AFTER)).changed


@on_sqlite
def test_of_a_snapshot_the_rows_of_its_last_landing_are_held(
    workspace: Workspace, faults: Faults
) -> None:
    plant_flight(faults, "planes", seats=5000)
    land(workspace)
    first = faults.changes["planes", DAY]
    faults.change("planes", AFTER, lambda frame: first(frame).iloc[:-1])
    night = Window.night(AFTER)
    land(workspace, window=night)
    assert [row["data_day"] for row in held(workspace, "seats_plausible")] == [AFTER]

    faults.change("planes", AFTER, lambda frame: frame.rename(columns={"seats": "chairs"}))
    with pytest.raises(DaysStopped):
        ingest(workspace, PLANTED, night)
    assert [row["data_day"] for row in held(workspace, "seats_plausible")] == [AFTER]

    faults.change("planes", AFTER, lambda frame: first(frame).iloc[:-2])
    decide(workspace, proposals.release, the_row(workspace, "seats_plausible"))
    land(workspace, window=night)
    assert held(workspace, "seats_plausible") == []


@on_sqlite
def test_killed_between_decision_and_landing_nothing_is_lost(
    workspace: Workspace, tmp_path: Path
) -> None:
    land(workspace, WEATHER)
    decide(workspace, proposals.release, the_row(workspace), dataset=WEATHER)
    marker = tmp_path / "reached"
    assert children.killed(killed.run, workspace.settings.home, marker)
    assert marker.read_text() == "after the first lake write"
    assert len(held(workspace)) == 1  # what the landing said last stands until it has landed
    assert land(workspace, WEATHER).done == (DAY,)
    assert landed(workspace)["wind_speed"].max() > 1000
    assert held(workspace) == []


SUBJECT = "N7SUBJECT"


@on_sqlite
def test_a_correction_of_a_forgotten_subject_is_erased_and_stays_discarded(
    workspace: Workspace, faults: Faults
) -> None:
    plant_flight(faults, distance=99_999, tailnum="N1OTHER")
    land(workspace, FLIGHTS)
    row = the_row(workspace, "distance_plausible")
    decide(
        workspace, proposals.correct, row, {"distance": "200", "tailnum": SUBJECT}, dataset=FLIGHTS
    )
    land(workspace, FLIGHTS)
    assert SUBJECT in set(landed(workspace, "flights")["tailnum"])
    forget(workspace, FLIGHTS, {"tailnum": SUBJECT}, actor="ada", reason="asked", use_cases=[])
    assert SUBJECT not in set(landed(workspace, "flights")["tailnum"])
    assert not ingest(workspace, FLIGHTS, NIGHT).changed
    first = faults.changes["flights", DAY]
    faults.change("flights", DAY, lambda f: first(f).assign(air_time=f["air_time"] + 1))
    # Another row now, by its air time: it is held, and the erased correction is nobody's.
    assert land(workspace, FLIGHTS).rows_held == 1
    faults.change("flights", DAY, lambda frame: first(frame).iloc[:-1])
    again = land(workspace, FLIGHTS)
    assert "1 row(s) of forgotten subjects were discarded" in again.notes
    assert not {SUBJECT, "N1OTHER"} & set(landed(workspace, "flights")["tailnum"])


@on_sqlite
def test_a_landing_further_back_than_a_night_heals_is_a_backfill(workspace: Workspace) -> None:
    land(workspace, WEATHER, WINDOW)
    decide(workspace, proposals.release, the_row(workspace), dataset=WEATHER)
    near = replace(WEATHER, first_day=BEFORE)
    assert not ingest(workspace, near, Window.night(AFTER)).changed
    healed = ingest(workspace, near, Window.night(AFTER + timedelta(days=1)), heal_days=2)
    assert healed.done == (DAY, AFTER + timedelta(days=1))
