"""The scoring stage: everything due once, the same in any window, nothing half-written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from include.errors import DataError, DaysStopped, NoChampion, RowsLost
from include.features import retrieval
from include.lake import names
from include.lake.delta import Lake
from include.scoring.score import score
from include.training.candidate import Candidate
from include.training.model import TREES, Model
from include.warehouse.days import DayState, write_days
from include.warehouse.stages import day_states
from include.warehouse.tables import score_runs, stage_runs
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from include.workspace import Workspace
from tests.model_nights import AS_OF, CASE, NIGHTS, crown, fitted, frames, land, prepare, wire
from tests.real_frames import KEYS

TABLES = use_case_tables(CASE)
CONTENT = [*TABLES.key, *TABLES.content]


@pytest.fixture
def service(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with a champion and every day of the sample landed."""
    wire(monkeypatch)
    prepare(workspace)
    crown(workspace, fitted())
    return workspace


def _read(workspace: Workspace, table: sa.Table = TABLES.scores) -> pd.DataFrame:
    with workspace.warehouse.reading() as connection:
        rows = connection.execute(sa.select(table).order_by(*[table.c[n] for n in TABLES.key]))
        return pd.DataFrame(rows.mappings().all(), columns=[c.name for c in table.columns])


def _runs(workspace: Workspace) -> list[Any]:
    with workspace.warehouse.reading() as connection:
        return list(connection.execute(sa.select(score_runs)).all())


def _states(workspace: Workspace) -> dict[date, str]:
    with workspace.warehouse.reading() as connection:
        found = day_states(connection, "score", CASE.name)
    return {day: state.state for day, state in found.items()}


def _due(days: Sequence[date]) -> pd.DataFrame:
    rows = frames()[frames()["data_day"].isin(set(days))]
    return rows.sort_values(["data_day", "target_date", *KEYS], ignore_index=True)


def _other_model() -> Candidate:
    """Return a model with other bytes: the same trees under another threshold."""
    first = fitted()
    facts = replace(first.model.facts, threshold=first.model.facts.threshold + 0.02)
    booster = first.model.booster.copy()
    from include.training.fit import Fitted

    same = Fitted(booster, facts.features, facts.categories, first.rounds)
    return replace(first, model=Model.assemble(same, facts))


def test_everything_due_is_scored_once_with_lineage(service: Workspace) -> None:
    result = score(service, CASE, NIGHTS)
    scores, due, model = _read(service), _due(NIGHTS.days), fitted().model

    assert result.done == NIGHTS.days
    assert len(scores) == len(due) == result.rows_in == result.rows_out
    assert (scores["target_date"] == due["target_date"]).all()
    assert (scores["flight"] == due["flight"]).all()
    assert (scores["prediction"].to_numpy() == model.predict(due)).all()
    assert (scores["decision"] == (scores["prediction"] >= model.facts.threshold)).all()
    assert scores[["reason_1", "reason_2", "reason_3", "reason_method"]].notna().all(axis=None)
    (run,) = _runs(service)
    assert set(scores["run_id"]) == {run.run_id}
    assert (run.model_version, run.model_sha256) == ("1", model.sha256)
    assert run.rows_due == run.rows_scored == run.rows_changed == len(due)
    assert run.data_days == [day.isoformat() for day in NIGHTS]
    assert run.lake_versions == {"nyc_flights/flights": 3}
    kept = service.lake.read(names.scored(CASE), NIGHTS.days).to_pandas()
    assert len(kept) == len(due)
    assert sorted(kept["prediction"]) == sorted(scores["prediction"])
    assert set(model.facts.features) <= set(kept.columns)


def test_nights_out_of_order_and_one_window_give_the_same_scores(service: Workspace) -> None:
    for day in (NIGHTS.days[3], NIGHTS.days[0], NIGHTS.days[5], *NIGHTS.days):
        score(service, CASE, Window.night(day))
    by_night = _read(service)[CONTENT]
    hashes = {run.data_days[0]: run.content_hash for run in _runs(service)}
    with service.warehouse.transaction() as connection:
        connection.execute(sa.delete(TABLES.scores))
        connection.exec_driver_sql("DELETE FROM stage_days WHERE stage = 'score'")
    score(service, CASE, NIGHTS)

    pd.testing.assert_frame_equal(_read(service)[CONTENT], by_night)
    assert len(hashes) == len(NIGHTS)


def test_scoring_again_writes_one_run_and_nothing_else(service: Workspace) -> None:
    score(service, CASE, NIGHTS)
    before, version = _read(service), service.lake.version(names.scored(CASE))
    again = score(service, CASE, NIGHTS)

    assert not again.changed
    pd.testing.assert_frame_equal(_read(service), before)
    assert len(_runs(service)) == 1
    assert service.lake.version(names.scored(CASE)) == version
    with service.warehouse.reading() as connection:
        statuses = connection.execute(sa.select(stage_runs.c.status)).scalars().all()
    assert sorted(statuses) == ["done", "unchanged"]


def test_a_night_heals_days_in_service_and_none_before(service: Workspace) -> None:
    last = NIGHTS.end
    result = score(service, CASE, Window.night(last), heal_days=35)

    in_service = Window(AS_OF + timedelta(days=1), last)
    assert result.done == in_service.days
    explicit = Window.night(AS_OF - timedelta(days=3))
    assert score(service, CASE, explicit).done == explicit.days


def test_a_night_restates_young_days_only_and_a_window_all(service: Workspace) -> None:
    last = NIGHTS.end
    score(service, CASE, NIGHTS)
    land(service, NIGHTS.days, content="landed again")

    night = score(service, CASE, Window.night(last), heal_days=35)
    assert night.done == tuple(last - timedelta(days=age) for age in (2, 1, 0))
    window = score(service, CASE, NIGHTS)
    assert window.done == tuple(day for day in NIGHTS if day not in night.done)
    assert len(_read(service, TABLES.revisions)) == 0, "the same scores are no restatement"


def test_changed_features_move_the_old_scores_to_the_revisions(
    service: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(service, CASE, NIGHTS)
    before = _read(service)
    wire(monkeypatch, frames().assign(departure_minute=1100))
    land(service, NIGHTS.days, content="landed again")
    result = score(service, CASE, NIGHTS)

    revised, after = _read(service, TABLES.revisions), _read(service)
    assert 0 < len(revised) <= len(before)
    merged = before.merge(revised, on=list(TABLES.key), suffixes=("", "_old"))
    assert (merged["prediction"] == merged["prediction_old"]).all()
    untouched = after["run_id"] == before["run_id"].iloc[0]
    assert untouched.sum() == len(before) - len(revised)
    assert "restated" in "; ".join(result.notes)


def test_a_window_rescores_what_another_model_scored_and_a_night_does_not(
    service: Workspace,
) -> None:
    score(service, CASE, NIGHTS)
    crown(service, _other_model(), version="2")

    night = score(service, CASE, Window.night(NIGHTS.end), heal_days=35)
    assert night.done == ()
    window = score(service, CASE, NIGHTS)
    assert window.done == NIGHTS.days
    assert set(_read(service)["model_version"]) == {"2"}
    assert set(_read(service, TABLES.revisions)["model_version"]) == {"1"}


def test_days_without_features_stop_and_the_others_are_scored(service: Workspace) -> None:
    missing, absent = NIGHTS.days[1], NIGHTS.days[2]
    with service.warehouse.transaction() as connection:
        write_days(
            connection,
            "features",
            CASE.dataset.name,
            [DayState(missing, "writing", "a run", None, None, service.now)],
        )
        write_days(
            connection,
            "ingest",
            CASE.dataset.name,
            [DayState(absent, "absent", "a run", None, None, service.now, "no file")],
        )
    with pytest.raises(DaysStopped, match=r"its features are not built \(writing\).*no file"):
        score(service, CASE, NIGHTS)

    states = _states(service)
    assert (states[missing], states[absent]) == ("stopped", "absent")
    assert list(states.values()).count("done") == len(NIGHTS) - 2
    assert set(_read(service)["data_day"]) == set(NIGHTS.days) - {missing, absent}
    land(service, [missing, absent])
    assert score(service, CASE, NIGHTS).done == (missing, absent)


def test_a_published_day_keeps_its_scores_when_its_features_go(service: Workspace) -> None:
    score(service, CASE, NIGHTS)
    with service.warehouse.transaction() as connection:
        state = DayState(NIGHTS.end, "stopped", "a run", None, None, service.now, "a rule")
        write_days(connection, "ingest", CASE.dataset.name, [state])
    result = score(service, CASE, Window.night(NIGHTS.end))

    assert "keeps its scores" in result.notes[0]
    assert _states(service)[NIGHTS.end] == "done"


def test_without_a_champion_nothing_is_scored(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire(monkeypatch)
    prepare(workspace)
    with pytest.raises(NoChampion, match=r"\./nightshift train flight_delay"):
        score(workspace, CASE, NIGHTS)
    assert _states(workspace) == {}


def test_a_tampered_champion_is_refused_before_anything_is_written(service: Workspace) -> None:
    file = Path(service.settings.home / "models" / "1" / TREES)
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"model\.ubj has SHA-256"):
        score(service, CASE, NIGHTS)
    assert _states(service) == {}
    assert not service.lake.exists(names.scored(CASE))


def test_a_lost_row_stops_everything(service: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    full = retrieval.add_features
    monkeypatch.setattr(retrieval, "add_features", lambda *given: full(*given).iloc[1:])
    with pytest.raises(RowsLost, match="nothing was written"):
        score(service, CASE, NIGHTS)
    assert _states(service) == {}


def test_a_run_killed_after_the_lake_was_written_is_healed_by_the_next(
    service: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Lake.replace_days

    def die(*given: Any, **named: Any) -> int:
        write(*given, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(Lake, "replace_days", die)
        with pytest.raises(KeyboardInterrupt):
            score(service, CASE, NIGHTS)
    assert set(_states(service).values()) == {"writing"}
    assert len(_read(service)) == 0
    assert score(service, CASE, NIGHTS).done == NIGHTS.days
    assert len(_read(service)) == len(_due(NIGHTS.days))


def test_a_day_with_nothing_due_is_done_and_empty(service: Workspace) -> None:
    empty = date(2013, 5, 20)
    land(service, [empty])
    result = score(service, CASE, Window.night(empty))
    assert (result.done, result.rows_out) == ((empty,), 0)
    assert score(service, CASE, Window.night(empty)).done == ()
