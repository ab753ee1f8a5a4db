"""Rows beyond their retention go, in chunks; those within it, and decided ones, stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from include.declare import Dataset, UseCase
from include.declare_retention import DataRetention, ScoreRetention
from include.scoring.said import said
from include.upkeep import rows as old_rows
from include.warehouse.engine import Warehouse
from include.warehouse.tables import quarantine, quarantine_decisions
from include.warehouse.use_cases import UseCaseTables
from tests.scoring.publishing import DAYS, NOON, publish, rows
from tests.warehouse.conftest import DATASET, tables, use_case

__all__ = ["tables", "use_case"]


def keeping(use_case: UseCase, days: int | None) -> UseCase:
    return replace(use_case, retention=ScoreRetention(revisions_days=days))


def say(warehouse: Warehouse, use_case: UseCase) -> None:
    """Say 30 things of a day on five days, each time something else."""
    for number in range(5):
        new = [{"order_number": n, "prediction": (n + number) / 100} for n in range(30)]
        at = NOON + timedelta(days=number)
        publish(warehouse, use_case, DAYS[:1], rows(*new), at, f"run {number}")


def test_superseded_scores_go_from_when_they_were_superseded(
    warehouse: Warehouse,
    use_case: UseCase,
    tables: UseCaseTables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    say(warehouse, use_case)
    monkeypatch.setattr(old_rows, "CHUNK", 7)
    # Superseded on days 1 to 4; on day 12, ten days back is day 2.
    old = old_rows.old_revisions(keeping(use_case, 10), NOON + timedelta(days=12, seconds=1))
    assert old is not None
    assert old_rows.count(warehouse, *old) == 60
    with warehouse.reading() as connection:
        before = {n: said(connection, use_case, NOON + timedelta(days=n)) for n in range(5)}
    assert {n: it.count for n, it in before.items()} == dict.fromkeys(range(5), 30)
    assert old_rows.delete(warehouse, *old) == 60
    assert old_rows.delete(warehouse, *old) == 0
    with warehouse.reading() as connection:
        after = {n: said(connection, use_case, NOON + timedelta(days=n)) for n in range(5)}
        kept = connection.scalars(sa.select(tables.revisions.c.valid_to).distinct()).all()
    assert after == before | {n: after[n] for n in (0, 1)}
    assert after[0].count == after[1].count == 0, "beyond the horizon nothing is known"
    assert sorted(kept) == [NOON + timedelta(days=n) for n in (3, 4)]


def test_nothing_goes_that_is_kept_for_good(use_case: UseCase) -> None:
    assert old_rows.old_revisions(keeping(use_case, None), NOON) is None
    forever = replace(DATASET, retention=DataRetention(quarantine_days=None))
    assert old_rows.old_quarantine(forever, NOON) is None


def test_tables_that_are_not_there_yet_have_nothing_old(
    warehouse: Warehouse, use_case: UseCase
) -> None:
    old = old_rows.old_revisions(keeping(use_case, 1), NOON)
    assert old is not None and old_rows.count(warehouse, *old) == 0


def hold(warehouse: Warehouse, dataset: str, row_hash: str, days_ago: int) -> None:
    values = {
        "dataset": dataset,
        "table_name": "orders",
        "data_day": DATASET.newest_ended_day(NOON) - timedelta(days=days_ago),
        "row_hash": row_hash,
        "row_key": "[1]",
        "rule": "positive",
        "payload": {"weight": -1},
        "run_id": "run",
    }
    with warehouse.transaction() as connection:
        connection.execute(sa.insert(quarantine).values(**values))


def test_held_rows_go_unless_somebody_decided(warehouse: Warehouse) -> None:
    dataset: Dataset = replace(DATASET, retention=DataRetention(quarantine_days=30))
    for row_hash, days_ago in {"old": 31, "decided": 31, "young": 30}.items():
        hold(warehouse, dataset.name, row_hash, days_ago)
    hold(warehouse, "another", "old", 31)
    with warehouse.transaction() as connection:
        connection.execute(
            sa.insert(quarantine_decisions),
            [
                {"row_hash": row_hash, "rule": rule, "action": "release", **where, **said_by}
                for row_hash, rule in (("decided", "positive"), ("old", "another rule"))
                for said_by in ({"actor": "ann", "reason": "it is fine", "at": NOON},)
                for where in ({"dataset": "shop", "table_name": "orders", "data_day": NOON.date()},)
            ],
        )
    old = old_rows.old_quarantine(dataset, NOON)
    assert old is not None
    assert old_rows.count(warehouse, *old) == 1
    assert old_rows.delete(warehouse, *old) == 1
    with warehouse.reading() as connection:
        left = connection.execute(sa.select(quarantine.c.dataset, quarantine.c.row_hash)).all()
        assert connection.scalar(sa.select(sa.func.count()).select_from(quarantine_decisions)) == 2
    assert sorted(map(tuple, left)) == [
        ("another", "old"),
        ("shop", "decided"),
        ("shop", "young"),
    ]
