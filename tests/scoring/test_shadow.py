"""The shadow stage: the challenger's predictions beside the champion's, which stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.errors import DataError
from include.features import retrieval
from include.scoring.score import score
from include.scoring.shadow import follow
from include.training import ledger, shadowing
from include.training.ledger import Entry
from include.training.model import TREES
from include.warehouse.days import DayState, write_days
from include.warehouse.stages import StageRun
from include.warehouse.tables import score_runs, stage_runs
from include.window import Window
from include.workspace import Workspace
from tests.model_nights import AS_OF, CASE, NIGHTS, crown, frames, land, wire
from tests.scoring.models import TABLES, due, other_model, read, states, stump

TRAINED = NIGHTS.days[1]
FOLLOWED = NIGHTS.days[2:]


@pytest.fixture
def shadowed(service: Workspace) -> Workspace:
    """Every night scored by the champion; version 2, as of the second of them, in shadow."""
    score(service, CASE, NIGHTS)
    crown(service, stump(), version="2", event="shadowed", as_of=TRAINED)
    return service


def nights(workspace: Workspace, case: UseCase, entry: Entry) -> int:
    """Return how many nights a version has finished in shadow."""
    with workspace.warehouse.reading() as connection:
        return len(shadowing.nights(connection, case, entry))


def _entry(workspace: Workspace) -> Entry:
    with workspace.warehouse.reading() as connection:
        entry = ledger.shadow(connection, CASE.name)
    assert entry is not None
    return entry


def _runs(workspace: Workspace) -> list[str]:
    query = sa.select(stage_runs.c.status).where(stage_runs.c.stage == "shadow")
    with workspace.warehouse.reading() as connection:
        return list(connection.scalars(query.order_by(stage_runs.c.started_at)))


def _champions(workspace: Workspace) -> list[Any]:
    """Return everything the champion said, and how it came about."""
    with workspace.warehouse.reading() as connection:
        return [
            connection.execute(sa.select(table)).all()
            for table in (TABLES.scores, TABLES.revisions, score_runs)
        ]


def test_without_a_shadow_nothing_happens(service: Workspace) -> None:
    score(service, CASE, NIGHTS)
    assert follow(service, CASE, NIGHTS) is None
    assert _runs(service) == []


def test_the_days_after_its_training_are_scored_and_the_champion_s_scores_stay(
    shadowed: Workspace,
) -> None:
    before = _champions(shadowed)
    result = follow(shadowed, CASE, NIGHTS)
    found, rows, model = read(shadowed, TABLES.shadow), due(FOLLOWED), stump().model

    assert result is not None and (result.stage, result.subject) == ("shadow", CASE.name)
    assert result.done == FOLLOWED
    assert result.rows_in == result.rows_out == len(found) == len(rows)
    assert (found["flight"] == rows["flight"]).all()
    assert (found["prediction"].to_numpy() == model.predict(rows)).all()
    assert (found["decision"] == (found["prediction"] >= model.facts.threshold)).all()
    assert set(found["model_version"]) == {"2"} and set(found["run_id"]) == {result.run_id}
    assert _champions(shadowed) == before
    assert nights(shadowed, CASE, _entry(shadowed)) == len(FOLLOWED)


def test_following_again_changes_nothing(shadowed: Workspace) -> None:
    follow(shadowed, CASE, NIGHTS)
    before = read(shadowed, TABLES.shadow)
    again = follow(shadowed, CASE, NIGHTS)
    assert again is not None and not again.changed
    pd.testing.assert_frame_equal(read(shadowed, TABLES.shadow), before)
    assert _runs(shadowed) == ["done", "unchanged"]


def test_nights_one_by_one_equal_one_window_and_catch_up(shadowed: Workspace) -> None:
    content = [*TABLES.key, "prediction", "decision", "threshold", "model_version"]
    first = follow(shadowed, CASE, Window.night(FOLLOWED[0]))
    assert first is not None and first.done == FOLLOWED[:1]
    last = follow(shadowed, CASE, Window.night(FOLLOWED[-1]), heal_days=35)
    assert last is not None and last.done == FOLLOWED[1:]
    by_night = read(shadowed, TABLES.shadow)[content]
    with shadowed.warehouse.transaction() as connection:
        connection.execute(sa.delete(TABLES.shadow))
        connection.exec_driver_sql("DELETE FROM stage_days WHERE stage = 'shadow'")
    assert nights(shadowed, CASE, _entry(shadowed)) == 0
    follow(shadowed, CASE, NIGHTS)
    pd.testing.assert_frame_equal(read(shadowed, TABLES.shadow)[content], by_night)


def test_only_days_the_champion_has_scored_are_followed(service: Workspace) -> None:
    scored = Window.night(FOLLOWED[1])
    score(service, CASE, scored)
    crown(service, stump(), version="2", event="shadowed", as_of=TRAINED)
    result = follow(service, CASE, NIGHTS)
    assert result is not None and result.done == scored.days and not result.stopped
    assert states(service, "shadow") == {scored.start: "done"}


def test_a_day_whose_features_are_being_built_waits(shadowed: Workspace) -> None:
    with shadowed.warehouse.transaction() as connection:
        state = DayState(FOLLOWED[0], "writing", "a run", None, None, shadowed.now)
        write_days(connection, "features", CASE.dataset.name, [state])
    result = follow(shadowed, CASE, NIGHTS)
    assert result is not None and result.done == FOLLOWED[1:]
    land(shadowed, FOLLOWED[:1])
    caught_up = follow(shadowed, CASE, NIGHTS)
    assert caught_up is not None and caught_up.done == FOLLOWED[:1]


def test_a_day_the_champion_restates_is_followed_again(
    shadowed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    follow(shadowed, CASE, NIGHTS)
    changed = frames().assign(origin_delays__late_rate_7d=0.9, carrier_delays__late_rate_7d=0.9)
    wire(monkeypatch, changed)
    land(shadowed, FOLLOWED[:1], content="landed again")
    idle = follow(shadowed, CASE, NIGHTS)
    assert idle is not None and idle.done == (), "the champion has not scored them anew"
    score(shadowed, CASE, NIGHTS)
    result = follow(shadowed, CASE, NIGHTS)
    assert result is not None and result.done == FOLLOWED[:1]
    day = read(shadowed, TABLES.shadow).query("data_day == @FOLLOWED[0]")
    assert len(day) == len(due(FOLLOWED[:1])) and set(day["run_id"]) == {result.run_id}
    assert nights(shadowed, CASE, _entry(shadowed)) == len(FOLLOWED)


def test_the_next_shadow_starts_anew_and_keeps_what_the_last_one_said(shadowed: Workspace) -> None:
    follow(shadowed, CASE, NIGHTS)
    old = _entry(shadowed)
    crown(shadowed, other_model(), version="3", event="shadowed", as_of=AS_OF)
    assert nights(shadowed, CASE, _entry(shadowed)) == 0
    result = follow(shadowed, CASE, NIGHTS)
    assert result is not None and result.done == NIGHTS.days
    counts = read(shadowed, TABLES.shadow)["model_version"].value_counts()
    assert counts.to_dict() == {"2": len(due(FOLLOWED)), "3": len(due(NIGHTS.days))}
    assert nights(shadowed, CASE, _entry(shadowed)) == len(NIGHTS)
    assert nights(shadowed, CASE, old) == len(FOLLOWED)


def test_a_verdict_ends_the_shadow(shadowed: Workspace) -> None:
    crown(shadowed, stump(), version="2", event="kept", as_of=TRAINED)
    assert follow(shadowed, CASE, NIGHTS) is None


def test_a_day_without_rows_is_done_and_is_no_evidence(shadowed: Workspace) -> None:
    empty = date(2013, 5, 20)
    land(shadowed, [empty])
    score(shadowed, CASE, Window.night(empty))
    result = follow(shadowed, CASE, Window.night(empty))
    assert result is not None and (result.done, result.rows_out) == ((empty,), 0)
    assert nights(shadowed, CASE, _entry(shadowed)) == 0


def test_a_tampered_file_is_refused_and_the_champion_s_scores_stay(shadowed: Workspace) -> None:
    before = _champions(shadowed)
    file = Path(shadowed.settings.home / "models" / "2" / TREES)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"model\.ubj has SHA-256"):
        follow(shadowed, CASE, NIGHTS)
    assert states(shadowed, "shadow") == {} and _champions(shadowed) == before


def test_a_run_killed_before_its_commit_leaves_nothing_and_is_healed(
    shadowed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed:
        killed.setattr(StageRun, "_conclude", _die)
        with pytest.raises(KeyboardInterrupt):
            follow(shadowed, CASE, NIGHTS)
    assert set(states(shadowed, "shadow").values()) == {"writing"}
    assert len(read(shadowed, TABLES.shadow)) == 0
    assert nights(shadowed, CASE, _entry(shadowed)) == 0
    healed = follow(shadowed, CASE, Window.night(NIGHTS.end), heal_days=35)
    assert healed is not None and healed.done == FOLLOWED


def _die(*_given: Any) -> None:
    raise KeyboardInterrupt


def test_a_night_reads_features_of_the_days_it_follows_alone(
    shadowed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[date] = []
    known = retrieval.entity_batches

    def recording(workspace: Workspace, use_case: Any, days: Any) -> Iterator[pd.DataFrame]:
        asked.extend(days)
        return known(workspace, use_case, days)

    monkeypatch.setattr(retrieval, "entity_batches", recording)
    follow(shadowed, CASE, Window.night(FOLLOWED[0] + timedelta(days=1)))
    assert asked == [FOLLOWED[1]]
