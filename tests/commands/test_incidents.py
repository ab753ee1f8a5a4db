"""The commands about incidents: what they list, silence and refuse."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include import catalog
from include.errors import DataError, UsageError
from include.settings import Settings
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.days import DayState, write_days
from include.warehouse.migrate import upgrade
from include.workspace import open_workspace
from tests.commands.conftest import Run


@pytest.fixture(autouse=True)
def stopped(settings: Settings) -> None:
    """An installation in which yesterday stopped."""
    say(settings, "stopped")


def say(settings: Settings, state: str) -> None:
    now, name = datetime.now(UTC), USE_CASE.dataset.name
    newest = USE_CASE.dataset.newest_ended_day(now)
    reason = "3 rows [odd]" if state == "stopped" else None
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        with workspace.warehouse.transaction() as connection:
            row = DayState(newest, state, "r", "in", "out", now, reason)  # type: ignore[arg-type]
            write_days(connection, "ingest", name, [row])


def test_an_incident_is_listed_silenced_and_over(settings: Settings, run: Run) -> None:
    listed = run("incidents", "nyc_flights")
    assert "1 critical: nyc_flights, stage_stopped since 2" in listed
    assert "UTC, open" in listed and "3 rows [odd]" in listed
    assert "what to do: repair the source" in listed
    assert run("incidents", "flight_delay") == "nothing is wrong"

    told = run("acknowledge", "1", "--until", "2999-01-01", "--reason", "being repaired")
    assert told == (
        "incident 1 (nyc_flights, stage_stopped) is silent until 2999-01-01 begins (UTC)"
    )
    assert "UTC, silent until 2999-01-01: ada, being repaired" in run("incidents")
    assert "until it is over" in run("acknowledge", "1", "--reason", "for good")

    say(settings, "done")
    assert run("incidents") == "nothing is wrong"
    assert "UTC, over 2" in run("incidents", "--all")
    with pytest.raises(UsageError, match="incident 1 is over since"):
        run("acknowledge", "1", "--reason", "late")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["incidents", "flights"], "nothing called 'flights'; there is: nyc_flights, flight_delay"),
        (["acknowledge", "9", "--reason", "x"], "there is no incident 9; open incidents: none"),
        (["acknowledge", "1", "--reason", "x", "--until", "soon"], "YYYY-MM-DD"),
        (["acknowledge", "1", "--reason", "x", "--until", "2013-10-07"], "has begun"),
        (["acknowledge", "1", "--reason", " "], "the reason stays on record"),
    ],
)
def test_a_wrong_request_is_refused(run: Run, arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(*arguments)


def test_what_cannot_be_looked_at_is_listed_and_fails(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: str) -> None:
        raise ImportError("a typo")

    monkeypatch.setattr(catalog, "use_case", broken)
    with pytest.raises(DataError, match="flight_delay cannot be looked at: ImportError: a typo"):
        run("incidents")
