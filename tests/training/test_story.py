"""The life of a model service, from the first champion to a rollback, as the ledger tells it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from include.scoring.score import score
from include.training import ledger, succession
from include.training.registry import open_registry
from include.training.train import train
from include.warehouse.tables import stage_runs
from include.warehouse.use_cases import use_case_tables
from include.workspace import Workspace
from tests.model_nights import AS_OF, CASE, NIGHTS, wire
from tests.real_frames import feature_names
from tests.training.test_succession import OPEN, blind_and_told

GATE = replace(OPEN.gate, worst=0.55)
STORY = replace(OPEN, gate=GATE)


def _worse(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with every feature shuffled, so that none says anything."""
    random = np.random.default_rng(3)
    names = [name for name in feature_names() if name not in ("time_hour", "carrier", "flight")]
    shuffled = {name: rows[name].to_numpy()[random.permutation(len(rows))] for name in names}
    return rows.assign(**shuffled)


def test_the_story_of_a_model(school: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    blind, told = blind_and_told()
    calm = replace(STORY, training=replace(STORY.training, seed=11))

    wire(monkeypatch, blind)
    first = train(school, STORY, AS_OF, promote=True, actor="night")
    score(school, STORY, NIGHTS)
    wire(monkeypatch, _worse(blind))
    worse = train(school, STORY, AS_OF, promote=True, actor="night")
    wire(monkeypatch, blind)
    noise = train(school, calm, AS_OF, promote=True, actor="night")
    wire(monkeypatch, told)
    better = train(school, STORY, AS_OF, promote=True, actor="night")
    score(school, STORY, NIGHTS)
    succession.roll_back(school, STORY, "1", actor="anna", reason="seats were wrong")
    restated = score(school, STORY, NIGHTS)

    assert [it.verdict for it in (first, worse, noise, better)] == [
        "promoted",
        "refused",
        "kept",
        "promoted",
    ]
    with school.warehouse.reading() as connection:
        history = ledger.history(connection, CASE.name)
        serving = connection.execute(
            sa.select(use_case_tables(STORY).scores.c.model_version).distinct()
        ).scalars()
        assert list(serving) == ["1"]
        notes = connection.execute(
            sa.select(stage_runs.c.notes).where(stage_runs.c.run_id == restated.run_id)
        ).scalar_one()
        superseded = connection.execute(
            sa.select(sa.func.count()).select_from(use_case_tables(STORY).revisions)
        ).scalar_one()
    assert [(it.model_version, it.event) for it in history] == [
        ("1", "registered"),
        ("1", "promoted"),
        ("2", "registered"),
        ("2", "refused"),
        ("3", "registered"),
        ("3", "kept"),
        ("4", "registered"),
        ("4", "promoted"),
        ("1", "rolled_back"),
    ]
    reasons = [it.reason for it in history]
    assert "no champion yet" in reasons[1]
    assert "declared as the worst" in reasons[3]
    assert "may be chance" in reasons[5] or "the champion is better" in reasons[5]
    assert "the whole interval is above 0" in reasons[7]
    assert reasons[8] == "seats were wrong (instead of version 4)"
    assert superseded >= 2 * restated.rows_out, "what was said before is kept"
    assert any("restated" in note for note in notes)
    assert open_registry(school.settings, CASE.name).champion() == "1"
    assert history[8].as_of == AS_OF and timedelta(0) <= history[8].at - history[0].at
