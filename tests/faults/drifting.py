"""Real nights in service, and what may move in them: features, predictions, labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from include.incidents import book
from include.incidents.book import Incident
from include.monitoring import report
from include.monitoring.monitor import monitor, verdicts
from include.monitoring.outcomes import write_outcomes
from include.monitoring.performance import measure_performance
from include.monitoring.verdict import Verdict
from include.scoring.score import score
from include.settings import Settings
from include.warehouse import monitoring_tables, tables
from include.warehouse.migrate import upgrade
from include.warehouse.use_cases import use_case_tables
from include.workspace import Workspace, open_workspace
from tests.model_nights import CASE, NIGHTS, crown, fitted, frames, land, prepare, serve, wire
from tests.night import stages
from tests.real_frames import LABEL

MORNING = datetime(2013, 4, 27, 14, tzinfo=UTC)
"""After the last of the nights; the outcomes of the nights are served as if they were mature."""

MINE = use_case_tables(CASE)
SEEN = (
    MINE.scores,
    MINE.outcomes,
    tables.stage_days,
    monitoring_tables.drift_metrics,
    monitoring_tables.drift_verdicts,
    monitoring_tables.model_performance,
)


@contextmanager
def in_service(settings: Settings) -> Iterator[Workspace]:
    """Open an installation with a champion and its nights, and write no pages."""
    with pytest.MonkeyPatch.context() as patch, open_workspace(settings, now=MORNING) as workspace:
        patch.setattr(report, "write", lambda *_: None)
        upgrade(workspace.warehouse)
        prepare(workspace)
        crown(workspace, fitted())
        yield workspace


def run(workspace: Workspace, rows: pd.DataFrame, content: str = "first") -> None:
    """Run the nights on rows that have landed, and look for what is wrong."""
    with pytest.MonkeyPatch.context() as patch:
        wire(patch, rows)
        serve(patch, rows)
        land(workspace, NIGHTS.days, content)
        for stage in (score, write_outcomes, measure_performance, monitor):
            stage(workspace, CASE, NIGHTS)
    book.watch(workspace)


def visible(workspace: Workspace) -> dict[str, Any]:
    """Return what readers see of the nights, run ids and times aside."""
    return {table.name: stages.rows(workspace, table) for table in SEEN}


def judged(workspace: Workspace) -> list[Verdict]:
    """Return the verdict of each night."""
    with workspace.warehouse.reading() as connection:
        return verdicts(connection, CASE, NIGHTS.days)


def wrong(workspace: Workspace) -> dict[str, Incident]:
    """Return kind → incident, of those that are open."""
    with workspace.warehouse.reading() as connection:
        return {it.kind: it for it in book.listed(connection)}


def drifted(workspace: Workspace, kind: str) -> set[tuple[Any, str]]:
    """Return day and column of the measures of a kind that drifted."""
    table = monitoring_tables.drift_metrics.c
    query = sa.select(table.data_day, table.column_name).where(
        table.kind == kind, table.drifted.is_(True)
    )
    with workspace.warehouse.reading() as connection:
        return {(day, column) for day, column in connection.execute(query)}


def moved(steps: list[float]) -> pd.DataFrame:
    """Return rows whose computed features moved, on each night so many standard deviations."""
    rows, sample = frames(), fitted().reference.sample
    step = rows["data_day"].map(dict(zip(NIGHTS.days, steps, strict=True))).fillna(0.0)
    computed = [name for name in rows.columns if "__" in name]
    return rows.assign(**{name: rows[name] + step * sample[name].std() for name in computed})


def pushed(workspace: Workspace, day: date, share: float) -> pd.DataFrame:
    """Return rows whose numbers all moved a little on a night, to where predictions are higher.

    Each column moves by a share of what is left to its threshold on that night, so that none of
    them drifts that did not.
    """
    table = monitoring_tables.drift_metrics.c
    left = sa.select(table.column_name, table.threshold - table.value).where(
        table.data_day == day, table.kind == "feature", table.value < table.threshold
    )
    with workspace.warehouse.reading() as connection:
        room = dict(connection.execute(left).tuples().all())
    rows, sample = frames(), fitted().reference.sample
    night = (rows["data_day"] == day).to_numpy()
    before, after = rows[night], rows.copy()
    for name in (it for it in room if rows[it].dtype.kind == "f"):
        step = share * room[name] * sample[name].std()
        ways = [before.assign(**{name: before[name] + sign * step}) for sign in (-1, 1)]
        best = max(ways, key=lambda way: fitted().model.predict(way).mean())
        after.loc[night, name] = best[name]
    return after


def told(rows: pd.DataFrame, days: Sequence[date], label: pd.Series[float]) -> pd.DataFrame:
    """Return rows whose outcomes are others on the target dates of some nights, where known."""
    struck = rows["data_day"].isin(set(days)) & rows[LABEL].notna()
    return rows.assign(**{LABEL: rows[LABEL].mask(struck, label)})
