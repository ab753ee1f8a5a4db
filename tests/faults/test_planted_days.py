"""Faults of the source in real flights: one day each, in one window, then repaired."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.copied import copy_of
from tests.faults.disturbed import (
    SCORES,
    Seen,
    Well,
    autumn,
    count_held,
    count_rows,
    damage,
    findings,
    run,
    states,
    weather,
)
from tests.faults.matrix import meets
from tests.faults.noticed_days import DRIFT, NOTICED, NoticedDay
from tests.faults.planted_days import (
    ABSENT,
    AUTUMN,
    AUTUMN_NIGHT,
    DAYS,
    LATE,
    STALE,
    UNREADABLE,
    WINDOW,
    PlantedDay,
)
from tests.history import opened
from tests.night.nights import STAGES, visible
from tests.night.stages import without_pages
from tests.planted import FAULTS, PLANTED, PLANTED_USE_CASE


@pytest.fixture(scope="module")
def undisturbed(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Well:
    """What is there after the window in which nothing went wrong."""
    with without_pages(), opened(copy_of(history, tmp_path_factory.mktemp("well") / "h")) as well:
        run(well, *STAGES)
        landed = states(well, "ingest", PLANTED.name)
        hashes = {day: state.output_hash for day, state in landed.items()}
        return Well(visible(well), hashes, findings(well))


@pytest.fixture(scope="module")
def seen(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """What is there with all faults planted, and after the source was repaired."""
    FAULTS.heal()
    with without_pages(), opened(copy_of(history, tmp_path_factory.mktemp("ill") / "h")) as ill:
        for planted in (*DAYS, *NOTICED):
            for table, change in planted.changes.items():
                FAULTS.change(table, planted.day, change)
        FAULTS.absent = {ABSENT}
        notes = run(ill, "ingest", "score")
        early = states(ill, "score", PLANTED_USE_CASE.name)
        unreadable = damage(ill)
        run(ill, *STAGES)
        faulty: dict[str, Any] = {
            "early": early,
            "states": states(ill, "ingest", PLANTED.name),
            "notes": notes,
            "rows": count_rows(ill),
            "held": count_held(ill),
            "findings": findings(ill),
            "weather": weather(ill),
            "autumn": autumn(ill),
            "unreadable": unreadable,
        }
        FAULTS.heal()
        run(ill, *STAGES)
        yield Seen(**faulty, repaired=visible(ill))
    FAULTS.heal()


@meets(*(planted.fault for planted in DAYS))
@pytest.mark.parametrize("planted", DAYS, ids=lambda planted: planted.fault.what)
def test_a_planted_day_meets_its_gate(seen: Seen, undisturbed: Well, planted: PlantedDay) -> None:
    state = seen.states[planted.day]
    assert state.state == planted.state, state.reason
    told = state.reason or "" if planted.state == "stopped" else "\n".join(seen.notes)
    assert re.search(planted.told, told), told
    held = sum(rows for (day, _), rows in seen.held.items() if day == planted.day)
    assert held >= planted.held
    there = {name for name, days in seen.rows.items() if days.get(planted.day)}
    assert there == (set() if planted.state == "stopped" else set(seen.rows))
    assert (state.output_hash == undisturbed.landed[planted.day]) == planted.as_ever


@meets(*(planted.fault for planted in NOTICED))
@pytest.mark.parametrize("planted", NOTICED, ids=lambda planted: planted.fault.what)
def test_what_may_be_true_lands_and_is_told(
    seen: Seen, undisturbed: Well, planted: NoticedDay
) -> None:
    assert seen.states[planted.day].state == "done"
    assert all(days.get(planted.day) for days in seen.rows.values())
    for finding in planted.found:
        assert (planted.day, finding) not in undisturbed.findings
        words = seen.findings[planted.day, finding]
        if finding.table == DRIFT:
            assert words and ("instead of" in words or "has not seen" in words)


def test_expired_features_are_missing_and_those_of_others_are_not(seen: Seen) -> None:
    missing = {origin for origin, values in seen.weather.items() if set(values) == {None}}
    assert missing == {"JFK"}
    assert all(None not in values for origin, values in seen.weather.items() if origin != "JFK")


def test_days_without_a_fault_are_not_kept_back(seen: Seen) -> None:
    ill = {planted.day for planted in DAYS if planted.state == "stopped"} | {ABSENT}
    assert {day for day, state in seen.states.items() if state.state == "done"} == (
        set(WINDOW.days) - ill
    )


@meets(STALE)
def test_a_day_whose_features_are_not_built_is_not_scored_with_older_ones(seen: Seen) -> None:
    landed = [day for day, state in seen.states.items() if state.state == "done"]
    for day in landed:
        assert seen.early[day].state == "stopped"
        assert seen.early[day].reason == "its features are not built (not there)"
    assert set(landed) <= set(seen.rows[SCORES.scores.name])


@meets(LATE)
def test_a_day_that_is_not_there_does_not_keep_the_others_back(seen: Seen) -> None:
    assert seen.states[ABSENT].state == "absent"
    assert not any(days.get(ABSENT) for days in seen.rows.values())
    after = [day for day in WINDOW if day > ABSENT]
    assert all(seen.rows[SCORES.scores.name].get(day) for day in after)


@meets(AUTUMN)
def test_the_repeated_hour_of_autumn_lands_twice_and_no_flight_is_lost(seen: Seen) -> None:
    assert seen.states[AUTUMN_NIGHT].state == "done"
    assert not any(day == AUTUMN_NIGHT for day, _ in seen.held)
    assert seen.autumn == [(it, hour) for it in ("EWR", "JFK", "LGA") for hour in (5, 6)]
    planned = seen.rows["nyc_flights/schedule"][AUTUMN_NIGHT - timedelta(days=1)]
    assert seen.rows["nyc_flights/flights"][AUTUMN_NIGHT] == planned


@meets(UNREADABLE)
def test_a_file_of_the_lake_that_cannot_be_read_is_named(seen: Seen) -> None:
    assert set(seen.unreadable) == {"cut short", "overwritten", "gone"}
    for told in seen.unreadable.values():
        assert re.search(r"the lake table .*nyc_flights/flights cannot be read", told)


def test_after_the_repair_nothing_tells_that_anything_was_wrong(
    seen: Seen, undisturbed: Well
) -> None:
    well = undisturbed.tables
    assert [name for name in well if seen.repaired[name] != well[name]] == []
