"""Published days are scored again with the model that serves now."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from include.errors import UsageError
from include.scoring.rescore import rescore, window_since
from include.scoring.score import score
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from include.workspace import Workspace
from tests.model_nights import CASE, NIGHTS, crown, fitted, prepare, wire


@pytest.fixture
def published(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose nights version 1 has scored, and in which version 2 serves now."""
    wire(monkeypatch)
    prepare(workspace)
    crown(workspace, fitted())
    score(workspace, CASE, NIGHTS)
    crown(workspace, fitted(), "2")
    return workspace


def test_days_are_scored_again_up_to_the_newest_published_one(published: Workspace) -> None:
    first = NIGHTS.start + timedelta(days=2)

    result = rescore(published, CASE, first)

    assert result.done == Window(first, NIGHTS.end).days
    scores = use_case_tables(CASE).scores.c
    query = sa.select(scores.data_day, scores.model_version).distinct().order_by(scores.data_day)
    with published.warehouse.reading() as connection:
        versions = dict(connection.execute(query).tuples().all())
    assert versions == {day: "1" if day < first else "2" for day in NIGHTS if day in versions}
    assert {"1", "2"} == set(versions.values())


def test_the_declared_policy_does_not_matter(published: Workspace) -> None:
    pinned = replace(CASE, scoring=replace(CASE.scoring, model_policy="pinned", pinned_version="1"))
    assert rescore(published, pinned, NIGHTS.end).rows_out == score_rows(published, NIGHTS.end)
    scores = use_case_tables(CASE).scores.c
    query = sa.select(scores.model_version).where(scores.data_day == NIGHTS.end).distinct()
    with published.warehouse.reading() as connection:
        assert connection.scalars(query).all() == ["2"]


def score_rows(workspace: Workspace, day: date) -> int:
    scores = use_case_tables(CASE).scores.c
    query = sa.select(sa.func.count()).where(scores.data_day == day)
    with workspace.warehouse.reading() as connection:
        return int(connection.execute(query).scalar_one())


def test_a_day_after_the_newest_is_refused(published: Workspace) -> None:
    with pytest.raises(UsageError, match="05-01 on; the newest scored day is 2013-04-26"):
        window_since(published, CASE, date(2013, 5, 1))


def test_without_scores_there_is_nothing_to_score_again(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="nothing is scored yet"):
        window_since(workspace, CASE, NIGHTS.start)
