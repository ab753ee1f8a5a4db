"""The task that keeps readiness true, as Airflow runs it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk.exceptions import AirflowFailException

from include import catalog
from include.orchestration.watch import refresh_readiness
from include.settings import Settings
from include.training import ledger
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.migrate import upgrade
from include.warehouse.tables import readiness
from include.workspace import open_workspace


@pytest.fixture
def in_service(running: dict[str, Any], settings: Settings) -> Settings:
    """An installation whose champion is years old, and in which no night ever ran."""
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        with workspace.warehouse.transaction() as connection:
            ledger.append(
                connection,
                use_case=USE_CASE.name,
                model_version="1",
                sha256="0" * 64,
                event="promoted",
                actor="test",
                reason="for a test",
                evidence={},
                artifact_uri="file:///nowhere",
                as_of=date(2013, 9, 30),
                at=datetime(2013, 10, 1, tzinfo=UTC),
            )
    return settings


def states(settings: Settings) -> list[str]:
    with open_workspace(settings) as workspace, workspace.warehouse.reading() as connection:
        query = sa.select(readiness.c.state).order_by(readiness.c.target_date)
        return list(connection.execute(query).scalars())


def test_nights_that_never_started_become_late(in_service: Settings) -> None:
    assert refresh_readiness() == {"use_cases": catalog.use_case_names()}
    found = states(in_service)
    assert len(found) == USE_CASE.dataset.heal_days + 1
    assert set(found[:-1]) == {"late"}
    assert found[-1] in ("late", "waiting"), "by the time of the day"


def test_a_use_case_that_cannot_be_read_fails_the_run_after_the_others(
    in_service: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "use_case_names", lambda: ["a_typo", USE_CASE.name])
    real = catalog.use_case

    def declared(name: str) -> Any:
        if name == "a_typo":
            raise ImportError("no such column")
        return real(name)

    monkeypatch.setattr(catalog, "use_case", declared)
    with pytest.raises(AirflowFailException, match=r"a_typo: ImportError: no such column"):
        refresh_readiness()
    assert "late" in states(in_service)
