"""Two weeks of real flights with a champion and two scorings, and the months after them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from include.features import retrieval
from include.features.build import build_features
from include.features.store import apply_definitions
from include.ingestion.landing import ingest
from include.lake import fingerprint
from include.lake.delta import Lake
from include.lake.schema import DATA_DAY
from include.training.frame import TrainingFrame, labelled_frame
from include.warehouse.migrate import upgrade
from include.warehouse.stages import stage_run
from include.warehouse.tables import quarantine, score_runs
from include.warehouse.use_cases import apply, use_case_tables
from include.window import Window
from include.workspace import Workspace
from tests.planted import FAULTS, PLANTED
from tests.training.lake_history import enter, evidence_of
from tests.upkeep.houses import CASE, later

WEEKS = Window(date(2013, 1, 1), date(2013, 1, 14))
RESTATED = date(2013, 1, 10)


@dataclass(frozen=True)
class Weeks:
    """What was made.

    Attributes:
        trained: the champion's training set.
        first: lake versions of the scoring before the restatements; `second`: after them.
        between: versions that are nobody's: after the first restatement.
    """

    home: Path
    trained: TrainingFrame
    first: Mapping[str, int]
    between: Mapping[str, int]
    second: Mapping[str, int]


def make_weeks(home: Path) -> Weeks:
    """Train a champion and score a day; a day is restated twice, and another day is scored."""
    home.mkdir()
    with later(home, 0) as workspace:
        upgrade(workspace.warehouse)
        apply_definitions(workspace.settings)
        apply(workspace.warehouse, CASE)
        land(workspace)
        trained = labelled_frame(workspace, CASE, WEEKS.end)
        enter(workspace, "1", ("registered", "promoted"), evidence_of(trained), WEEKS.end)
        first = score(workspace, date(2013, 1, 12))
        FAULTS.change("flights", RESTATED, partial(_delay, 20))
        land(workspace)
        between = workspace.lake.versions(first)
        FAULTS.change("flights", RESTATED, partial(_delay, 40))
        land(workspace)
        FAULTS.heal()
        second = score(workspace, date(2013, 1, 13))
        hold_a_row(workspace)
    return Weeks(home, trained, first, between, second)


def hold_a_row(workspace: Workspace) -> None:
    """Put a row into quarantine that is old enough to go."""
    held = {"dataset": PLANTED.name, "table_name": "flights", "data_day": WEEKS.start}
    told = {"row_hash": "a hash", "row_key": "[]", "rule": "a rule", "payload": {}, "run_id": "it"}
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.insert(quarantine).values(**held, **told))


def land(workspace: Workspace) -> None:
    """Land what is due of the weeks and build its features."""
    for stage in (ingest, build_features):
        stage(workspace, PLANTED, WEEKS)


def _delay(minutes: int, flights: pd.DataFrame) -> pd.DataFrame:
    return flights.assign(arrival_delay=flights["arrival_delay"] + minutes)


def score(workspace: Workspace, day: date) -> dict[str, int]:
    """Publish one score of a day, with the lineage of what the lake holds now."""
    versions = retrieval.lake_versions(workspace, CASE)
    with stage_run(
        workspace.warehouse, "score", CASE.name, Window.night(day), workspace.context
    ) as run:
        run.begin([day])
        with run.commit() as commit:
            commit.connection.execute(
                sa.insert(use_case_tables(CASE).scores).values(
                    data_day=day,
                    target_date=day + timedelta(days=1),
                    time_hour=workspace.now,
                    carrier="UA",
                    flight=1,
                    prediction=0.5,
                    model_version="1",
                    scored_at=commit.at,
                    valid_from=commit.at,
                    run_id=commit.run_id,
                )
            )
            commit.connection.execute(
                sa.insert(score_runs).values(
                    run_id=commit.run_id,
                    use_case=CASE.name,
                    model_version="1",
                    model_sha256="1" * 64,
                    feature_service=CASE.feature_service,
                    lake_versions=versions,
                    rows_due=1,
                    rows_scored=1,
                    rows_changed=1,
                    content_hash="it",
                )
            )
            commit.done(day, "in", "out")
    return versions


def content(lake: Lake, versions: Mapping[str, int]) -> dict[str, str]:
    """Return table → fingerprint of all its rows at a version, read from the files."""
    pinned, found = lake.at(versions), {}
    for name in versions:
        rows = pinned.read(name)
        names = ["day" if it == DATA_DAY else it for it in rows.column_names]
        plain: Any = rows.rename_columns(names)
        found[name] = fingerprint.of_table(plain.sort_by([(it, "ascending") for it in names]))
    return found


def files(home: Path) -> dict[str, int]:
    """Return every file of the lake and its size."""
    found = sorted((home / "lake").rglob("*"))
    return {str(it.relative_to(home)): it.stat().st_size for it in found if it.is_file()}
