"""Drift lasts when N of the last M nights drifted, all scored by one model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.declare_model import Monitoring
from include.monitoring.persistence import Night, lasting
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.monitoring_tables import drift_verdicts
from include.workspace import Workspace

FIRST = date(2013, 10, 1)


def _case(persistence: tuple[int, int]) -> UseCase:
    return replace(USE_CASE, monitoring=Monitoring(persistence=persistence))


def _record(workspace: Workspace, drifted: Sequence[bool], versions: str | None = None) -> None:
    """Record nights from the first on, each scored by the model its letter names."""
    rows = [
        {
            "use_case": USE_CASE.name,
            "data_day": FIRST + timedelta(days=place),
            "model_version": (versions or "1" * len(drifted))[place],
            "drifted": moved,
            "notable": moved,
            "moved": 20,
            "watched": 38,
            "weight": 0.6,
            "words": f"words of night {place}",
        }
        for place, moved in enumerate(drifted)
    ]
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.insert(drift_verdicts), rows)


def _lasting(
    workspace: Workspace, persistence: tuple[int, int], day: date | None = None
) -> list[Night]:
    with workspace.warehouse.reading() as connection:
        return lasting(connection, _case(persistence), day)


@pytest.mark.parametrize(
    ("drifted", "persistence", "places"),
    [
        ([True], (1, 1), [0]),
        ([True], (2, 3), []),
        ([True, True], (2, 3), [0, 1]),
        ([True, False, True], (2, 3), [0, 2]),
        ([True, True, False], (2, 3), [0, 1]),
        ([True, True, False, False], (2, 3), []),
        ([True, False, False, True], (2, 3), []),
    ],
)
def test_n_of_the_last_m_nights(
    workspace: Workspace, drifted: list[bool], persistence: tuple[int, int], places: list[int]
) -> None:
    _record(workspace, drifted)
    assert _lasting(workspace, persistence) == [
        Night(FIRST + timedelta(days=place), True, f"words of night {place}") for place in places
    ]


def test_nights_after_the_day_do_not_count(workspace: Workspace) -> None:
    _record(workspace, [True, True, False, False])
    assert len(_lasting(workspace, (2, 3), FIRST + timedelta(days=1))) == 2
    assert _lasting(workspace, (2, 3), FIRST) == []
    assert _lasting(workspace, (2, 3), FIRST - timedelta(days=1)) == []


def test_nights_of_the_model_before_do_not_count_against_the_new_one(workspace: Workspace) -> None:
    _record(workspace, [True, True, True], versions="112")
    assert _lasting(workspace, (2, 3)) == []
    assert len(_lasting(workspace, (1, 3))) == 1
    assert len(_lasting(workspace, (2, 3), FIRST + timedelta(days=1))) == 2
