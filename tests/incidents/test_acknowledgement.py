"""Silencing: an open incident, a reason and a day to come; anything else is refused in a line."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from include.errors import UsageError
from include.incidents.acknowledgement import acknowledge
from include.warehouse.monitoring_tables import acknowledgements
from include.warehouse.silences import silenced
from include.workspace import Workspace
from tests.incidents.troubles import DATASET, NOON, days, found, say

LATER = date(2014, 6, 8)


def silent(workspace: Workspace, hours: float) -> bool:
    key = (DATASET.name, "stage_stopped", "ingest")
    with workspace.warehouse.reading() as connection:
        return silenced(connection, *key, NOON + timedelta(hours=hours))


def test_it_is_silent_until_the_day_begins(workspace: Workspace) -> None:
    say(workspace, "ingest", "stopped")
    (incident,) = found(workspace)
    assert not silent(workspace, 0)
    told = acknowledge(workspace, incident.number, actor="ada", reason=" a \n b ", until=LATER)
    assert told.key == incident.key
    assert silent(workspace, 1) and silent(workspace, 6.4 * 24)
    assert not silent(workspace, 6.6 * 24)
    with workspace.warehouse.reading() as connection:
        (row,) = connection.execute(sa.select(acknowledgements))
    assert (row.incident, row.actor, row.reason) == (incident.number, "ada", "a b")


def test_without_a_day_it_is_silent_until_it_is_over_and_the_next_one_is_not(
    workspace: Workspace,
) -> None:
    say(workspace, "ingest", "done", days(40))
    say(workspace, "ingest", "stopped")
    (incident,) = found(workspace)
    acknowledge(workspace, incident.number, actor="ada", reason="known")
    assert silent(workspace, 24 * 365)
    say(workspace, "ingest", "done")
    assert found(workspace) == []
    say(workspace, "ingest", "stopped")
    found(workspace)
    assert not silent(workspace, 1)


def test_what_cannot_be_silenced_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="there is no incident 7; open incidents: none"):
        acknowledge(workspace, 7, actor="ada", reason="known")
    say(workspace, "ingest", "done", days(40))
    say(workspace, "ingest", "stopped")
    (incident,) = found(workspace)
    number = incident.number
    with pytest.raises(UsageError, match=rf"no incident 7.*open incidents: {number}"):
        acknowledge(workspace, 7, actor="ada", reason="known")
    with pytest.raises(UsageError, match="the reason stays on record"):
        acknowledge(workspace, number, actor="ada", reason="  ")
    with pytest.raises(UsageError, match=r"2014-06-01 has begun \(UTC\); name a later day"):
        acknowledge(workspace, number, actor="ada", reason="known", until=NOON.date())
    say(workspace, "ingest", "done")
    found(workspace)
    with pytest.raises(UsageError, match="is over since 2014-06-01 12:00 UTC"):
        acknowledge(workspace, number, actor="ada", reason="known", until=LATER)
    with workspace.warehouse.reading() as connection:
        assert connection.execute(sa.select(acknowledgements)).all() == []
