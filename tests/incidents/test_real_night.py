"""Real nights: none is called wrong, one that stopped is, and its repair is the end of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from include.errors import NightshiftError
from include.incidents import book
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.history import opened
from tests.incidents.troubles import Channel, look
from tests.night.nights import STAGES
from tests.planted import PLANTED, Faults

DAY = date(2013, 10, 1)
MORNING = datetime(2013, 10, 2, 9, tzinfo=UTC)
"""An hour before the scores of the day are due."""


@contextmanager
def at(home: Path, now: datetime) -> Iterator[Workspace]:
    """Open a home as it would be opened at another time."""
    with opened(home) as there, open_workspace(there.settings, now=now) as workspace:
        yield workspace


def test_undisturbed_history_has_no_incidents(night_home: Path) -> None:
    with at(night_home, MORNING - timedelta(days=1)) as workspace:
        assert book.watch(workspace).summary() == "0 opened, 0 still open, 0 over"


def test_a_night_that_stops_is_one_alert_and_its_repair_another(
    night_home: Path, faults: Faults
) -> None:
    people = Channel()
    faults.change("flights", DAY, lambda rows: rows.drop(columns=["carrier"]))
    with at(night_home, MORNING) as workspace:
        settings = workspace.settings
        for stage in ("ingest", "features", "score"):
            with pytest.raises(NightshiftError):
                STAGES[stage](workspace, Window.night(DAY), PLANTED.heal_days)
    look(settings, MORNING, people=people)
    look(settings, MORNING + timedelta(minutes=10), people=people)

    (message,) = people.messages
    assert message.title == "critical: nyc_flights, ingest stopped"
    assert "ingest of nyc_flights stopped 2013-10-01; 2013-10-01: " in message.text
    assert "carrier" in message.text
    people.messages.clear()

    faults.heal()
    with at(night_home, MORNING) as workspace:
        for stage in ("ingest", "features", "score"):
            STAGES[stage](workspace, Window.night(DAY), PLANTED.heal_days)
    look(settings, MORNING + timedelta(minutes=20), people=people)

    (message,) = people.messages
    assert message.title == "over: nyc_flights, ingest stopped"
    with opened(night_home) as workspace, workspace.warehouse.reading() as connection:
        assert book.listed(connection) == []
