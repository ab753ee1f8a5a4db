"""Which versions are kept, by our own record of who wrote and who read them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from include.upkeep.versions import SHORTEST, Kept, Needs, first_since
from include.warehouse.tables import score_runs, stage_runs
from include.warehouse.use_cases import apply, use_case_tables
from include.workspace import Workspace
from tests.planted import NOW
from tests.scoring.publishing import DAYS, publish, rows
from tests.warehouse.conftest import USE_CASE

TABLE = "shop/orders"


def day(number: int) -> datetime:
    return datetime(2014, 1, 1, tzinfo=UTC) + timedelta(days=number)


def test_the_version_of_the_horizon_is_the_oldest_kept() -> None:
    written = [(day(1), 3), (day(5), 7), (day(9), 12)]
    assert first_since(written, day(9), 20) == 12
    assert first_since(written, day(8), 20) == 7
    assert first_since(written, day(0), 20) == 0, "nothing is known of what is older"
    assert first_since([], day(0), 20) == 0


def test_a_clock_that_went_backwards_keeps_more() -> None:
    assert first_since([(day(1), 3), (day(9), 4), (day(2), 9)], day(8), 20) == 4


def test_records_of_a_table_that_is_no_more_say_nothing() -> None:
    assert first_since([(day(1), 30)], day(8), 20) == 0


@given(
    gaps=st.lists(st.integers(0, 5), min_size=1, max_size=20),
    horizon=st.integers(0, 60),
)
def test_every_version_that_was_newest_since_the_horizon_is_kept(
    gaps: list[int], horizon: int
) -> None:
    at, written = 0, []
    for version, gap in enumerate(gaps):
        at += gap
        written.append((day(at), version))
    kept = Kept(first_since(written, day(horizon), len(gaps) - 1)).of(len(gaps) - 1)
    newest_then = max((v for moment, v in written if moment <= day(horizon)), default=0)
    assert kept >= set(range(newest_then, len(gaps) - 1))
    if any(moment <= day(horizon) for moment, _ in written):
        assert min(kept, default=newest_then) == newest_then


def test_words_count_each_version_once() -> None:
    kept = Kept(8, frozenset({1, 2, 9}), frozenset({2, 3, 10}))
    assert kept.of(10) == {1, 2, 3, 8, 9}
    assert kept.words(10) == "3 from version 8 on, 2 of training sets, 1 of scores"


@pytest.fixture
def shop(workspace: Workspace) -> Workspace:
    apply(workspace.warehouse, USE_CASE)
    return workspace


def ran(workspace: Workspace, run_id: str, days_ago: float, **more: Any) -> None:
    """Record a run that ended so many days ago."""
    ended = NOW - timedelta(days=days_ago)
    values = {
        "run_id": run_id,
        "stage": "score",
        "subject": "late_order",
        "window_start": DAYS[0],
        "window_end": DAYS[0],
        "status": "done",
        "rows_in": 0,
        "rows_out": 0,
        "rows_held": 0,
        "started_at": ended,
        "finished_at": ended,
    }
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.insert(stage_runs).values(**values | more))


def scored(workspace: Workspace, run_id: str, days_ago: float, version: int, day: date) -> None:
    """Publish a score of a run that read the table at a version."""
    ran(workspace, run_id, days_ago)
    lineage = {
        "run_id": run_id,
        "use_case": USE_CASE.name,
        "model_version": "1",
        "model_sha256": "1",
        "feature_service": "it",
        "lake_versions": {TABLE: version},
        "rows_due": 1,
        "rows_scored": 1,
        "rows_changed": 1,
        "content_hash": "it",
    }
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.insert(score_runs).values(**lineage))
    said = rows({"data_day": day, "prediction": version / 100})
    at = NOW - timedelta(days=days_ago)
    publish(workspace.warehouse, USE_CASE, [day], said, at, run_id)


def test_scores_current_and_superseded_keep_what_they_were_read_from(shop: Workspace) -> None:
    scored(shop, "expired", 91, 1, DAYS[0])
    scored(shop, "superseded", 80, 2, DAYS[1])
    scored(shop, "current", 70, 3, DAYS[1])
    needs = Needs(shop, [USE_CASE])
    assert needs.kept(TABLE, 9, 7).scored == {2, 3}

    revisions = use_case_tables(USE_CASE).revisions
    with shop.warehouse.transaction() as connection:
        connection.execute(sa.delete(revisions))
    assert Needs(shop, [USE_CASE]).kept(TABLE, 9, 7).scored == {3}


def test_young_versions_are_told_by_our_own_clock(shop: Workspace) -> None:
    for run, (days_ago, version) in enumerate([(20, 4), (9, 6), (3, 8)]):
        ran(shop, f"run {run}", days_ago, output_versions={TABLE: version})
    ran(shop, "running", 0, status="running", finished_at=None)
    needs = Needs(shop, [USE_CASE])
    assert needs.kept(TABLE, 9, 7).since == 6
    assert needs.kept(TABLE, 9, 30).since == 0
    assert needs.kept(TABLE, 9, 2).since == 8
    assert needs.kept("shop/unknown", 9, 7).since == 0


def test_nothing_is_kept_for_less_than_a_day(shop: Workspace) -> None:
    ran(shop, "old", 2, output_versions={TABLE: 4})
    ran(shop, "young", SHORTEST / timedelta(days=2), output_versions={TABLE: 5})
    assert Needs(shop, [USE_CASE]).kept(TABLE, 9, 0).since == 4


def test_a_use_case_without_tables_needs_nothing_yet(workspace: Workspace) -> None:
    assert Needs(workspace, [USE_CASE]).kept(TABLE, 9, 7) == Kept(0)
