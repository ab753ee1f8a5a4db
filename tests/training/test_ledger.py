"""The ledger on both databases: append-only, and its newest promotion is the champion."""

from __future__ import annotations

from datetime import UTC, date, datetime

from include.training import ledger
from include.training.ledger import Event
from include.training.train import train
from include.warehouse.engine import Warehouse
from include.workspace import Workspace
from tests.model_nights import AS_OF, CASE


def _append(warehouse: Warehouse, version: str, event: Event, use_case: str = "delays") -> None:
    with warehouse.transaction() as connection:
        ledger.append(
            connection,
            use_case=use_case,
            model_version=version,
            sha256=f"sha {version}",
            event=event,
            actor="somebody",
            reason="because",
            evidence={"difference": {"lower": 0.01}},
            artifact_uri=f"file:///models/{version}",
            as_of=date(2013, 9, int(version)),
            at=datetime(2013, 10, 1, tzinfo=UTC),  # the same instant: entries keep their order
        )


def test_the_newest_promotion_or_rollback_is_champion(warehouse: Warehouse) -> None:
    story: list[tuple[str, Event, str | None]] = [
        ("1", "registered", None),
        ("1", "refused", None),
        ("2", "registered", None),
        ("2", "promoted", "2"),
        ("3", "registered", "2"),
        ("3", "kept", "2"),
        ("4", "promoted", "4"),
        ("2", "rolled_back", "2"),
    ]
    for version, event, expected in story:
        _append(warehouse, version, event)
        _append(warehouse, "9", "promoted", use_case="another")
        with warehouse.reading() as connection:
            champion = ledger.champion(connection, "delays")
        assert (champion and champion.model_version) == expected, (version, event)

    with warehouse.reading() as connection:
        first = ledger.first_promotion(connection, "delays")
        assert first is not None and (first.model_version, first.as_of) == ("2", date(2013, 9, 2))
        told = [(e.model_version, e.event) for e in ledger.history(connection, "delays")]
        assert told == [(version, event) for version, event, _ in story]
        verdict = ledger.verdict(connection, "delays", "3")
        assert verdict is not None and verdict.event == "kept"
        assert verdict.evidence == {"difference": {"lower": 0.01}}
        assert verdict.at == datetime(2013, 10, 1, tzinfo=UTC)
        found = ledger.find(connection, "delays", "sha 3")
        assert found is not None and found.model_version == "3"
        assert ledger.find(connection, "delays", "sha 4") is None, "it was never registered"
        assert ledger.registration(connection, "delays", "7") is None


def test_training_writes_the_ledger_of_each_database(school: Workspace) -> None:
    result = train(school, CASE, as_of=AS_OF, promote=True, actor="test")
    with school.warehouse.reading() as connection:
        champion = ledger.champion(connection, CASE.name)
        registered = ledger.registration(connection, CASE.name, result.model_version)
    assert champion is not None and champion.sha256 == result.sha256
    assert registered is not None and registered == result.registered
    assert registered.evidence["model"]["metrics"]["auc"]["value"] > 0.5
