"""Which model scores which day: what a run may ask for, and what the ledger answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import product

import pytest

from include.declare import UseCase
from include.declare_model import ModelPolicy, Scoring
from include.errors import NoChampion, UsageError
from include.scoring.assignment import Assignment, assign, choose
from include.training import ledger
from include.training.ledger import Event
from include.window import Window
from include.workspace import Workspace
from tests.model_nights import CASE

DAYS = Window(date(2013, 1, 1), date(2013, 1, 12)).days


def _declared(policy: ModelPolicy, version: str | None = None) -> UseCase:
    return replace(CASE, scoring=Scoring(model_policy=policy, pinned_version=version))


@pytest.mark.parametrize(
    ("declared", "asked", "pinned", "expected"),
    [
        (_declared("champion_now"), None, None, ("champion_now", None)),
        (_declared("champion_asof"), None, None, ("champion_asof", None)),
        (_declared("pinned", "7"), None, None, ("pinned", "7")),
        (_declared("pinned", "7"), "champion_now", None, ("champion_now", None)),
        (_declared("pinned", "7"), None, "8", ("pinned", "8")),
        (_declared("champion_asof"), None, "8", ("pinned", "8")),
        (_declared("champion_asof"), "pinned", "8", ("pinned", "8")),
    ],
)
def test_a_window_has_the_policy_asked_for_else_the_declared_one(
    declared: UseCase,
    asked: ModelPolicy | None,
    pinned: str | None,
    expected: tuple[str, str | None],
) -> None:
    assert choose(declared, False, asked, pinned) == expected


@pytest.mark.parametrize("declared", [_declared("champion_asof"), _declared("pinned", "7")])
def test_a_night_has_todays_champion_whatever_is_declared(declared: UseCase) -> None:
    assert choose(declared, True, None, None) == ("champion_now", None)
    assert choose(declared, True, "champion_now", None) == ("champion_now", None)


def test_requests_that_do_not_fit_say_so() -> None:
    with pytest.raises(UsageError, match="a night is scored by today's champion, not by pinned"):
        choose(CASE, True, None, "3")
    with pytest.raises(UsageError, match="version 3 was named, and the policy champion_asof"):
        choose(CASE, False, "champion_asof", "3")
    with pytest.raises(UsageError, match="needs a model version; name one, or declare"):
        choose(CASE, False, "pinned", None)


def _write(workspace: Workspace, story: list[tuple[str, Event, int]]) -> None:
    """Append (version, event, day of January it was trained as of) to the ledger."""
    with workspace.warehouse.transaction() as connection:
        for version, event, as_of in story:
            ledger.append(
                connection,
                use_case=CASE.name,
                model_version=version,
                sha256=f"sha of {version}",
                event=event,
                actor="test",
                reason="for a test",
                evidence={},
                artifact_uri="nowhere",
                as_of=date(2013, 1, as_of),
                at=datetime(2013, 2, 1, tzinfo=UTC),
            )


def _assign(workspace: Workspace, policy: ModelPolicy, version: str | None = None) -> Assignment:
    with workspace.warehouse.reading() as connection:
        return assign(connection, CASE, DAYS, policy, version)


def _versions(found: Assignment) -> list[str]:
    """Return the version of each day as one letter, a dot where there is none."""
    return ["." if day not in found.of else found.of[day].model_version for day in DAYS]


STORIES: dict[str, tuple[list[tuple[str, Event, int]], str]] = {
    "successive champions": ([("1", "promoted", 3), ("2", "promoted", 6)], "...111222222"),
    "kept, refused and shadowed never serve": (
        [("1", "promoted", 3), ("2", "kept", 4), ("3", "refused", 5), ("4", "shadowed", 6)],
        "...111111111",
    ),
    "a rollback withdraws what came after": (
        [("1", "promoted", 3), ("2", "promoted", 6), ("1", "rolled_back", 3)],
        "...111111111",
    ),
    "a rollback to the second leaves the days of the first": (
        [
            ("1", "promoted", 3),
            ("2", "promoted", 6),
            ("3", "promoted", 9),
            ("2", "rolled_back", 6),
        ],
        "...111222222",
    ),
    "promoted again after a rollback": (
        [
            ("1", "promoted", 3),
            ("2", "promoted", 6),
            ("1", "rolled_back", 3),
            ("3", "promoted", 8),
        ],
        "...111112222".replace("2", "3"),
    ),
    "the later decision counts where both could": (
        [("1", "promoted", 6), ("2", "promoted", 3)],
        "...222222222",
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_each_day_has_the_champion_that_could_have_scored_it(
    workspace: Workspace, name: str
) -> None:
    story, expected = STORIES[name]
    _write(workspace, story)
    found = _assign(workspace, "champion_asof")
    assert "".join(_versions(found)) == expected
    assert all(entry.as_of is not None and entry.as_of < day for day, entry in found.of.items())
    assert set(found.without) == set(DAYS) - set(found.of)
    assert all("no model that became champion" in why for why in found.without.values())


def test_champions_of_past_days_equal_a_slow_look_at_the_ledger(workspace: Workspace) -> None:
    events: tuple[Event, ...] = ("promoted", "kept", "rolled_back")
    story = [
        (f"{version}", events[(version * place) % 3], 1 + (version * 5 + place * 3) % 10)
        for place, version in product(range(4), range(1, 5))
    ]
    _write(workspace, story)
    expected = []
    for day in DAYS:
        champion = "."
        for version, event, as_of in story:
            if event != "kept" and date(2013, 1, as_of) < day:
                champion = version
        expected.append(champion)
    assert _versions(_assign(workspace, "champion_asof")) == expected
    assert len(set(expected)) > 2, "the story must be worth telling"


def test_today_s_champion_has_every_day_and_a_pinned_version_too(workspace: Workspace) -> None:
    with pytest.raises(NoChampion, match=r"\./nightshift train flight_delay"):
        _assign(workspace, "champion_asof")
    _write(workspace, [("1", "registered", 3), ("2", "registered", 6)])
    assert set(_versions(_assign(workspace, "pinned", "2"))) == {"2"}
    with pytest.raises(NoChampion, match="has no champion to score with"):
        _assign(workspace, "champion_now")
    _write(workspace, [("1", "promoted", 3)])
    found = _assign(workspace, "champion_now")
    assert set(_versions(found)) == {"1"} and not found.without
    with pytest.raises(UsageError, match=r"has no model version 9; it has 1, 2$"):
        _assign(workspace, "pinned", "9")


def test_days_are_grouped_by_model_the_earliest_first(workspace: Workspace) -> None:
    _write(workspace, [("2", "promoted", 1), ("1", "promoted", 5)])
    found = _assign(workspace, "champion_asof")
    due = [DAYS[9], DAYS[1], DAYS[2]]
    groups = [(entry.model_version, days) for entry, days in found.groups(due)]
    assert groups == [("2", (DAYS[1], DAYS[2])), ("1", (DAYS[9],))]
