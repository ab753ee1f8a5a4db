"""The scoring stage: everything due once, the same in any window, nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from include.errors import DataError, DaysStopped, NoChampion, RowsLost, StorageUnavailable
from include.features import retrieval
from include.lake import names
from include.lake.delta import Lake
from include.scoring import publication
from include.scoring.score import score
from include.training.model import TREES
from include.warehouse.days import DayState, write_days
from include.warehouse.tables import score_runs, stage_runs
from include.window import Window
from include.workspace import Workspace
from tests.faults.matrix import Fault, meets
from tests.model_nights import AS_OF, CASE, NIGHTS, crown, fitted, frames, land, prepare, wire
from tests.scoring.models import TABLES, due, other_model, places, read, states, stump

CONTENT = [*TABLES.key, *TABLES.content]


def _runs(workspace: Workspace) -> list[Any]:
    with workspace.warehouse.reading() as connection:
        return list(connection.execute(sa.select(score_runs)).all())


def test_everything_due_is_scored_once_with_lineage(service: Workspace) -> None:
    result = score(service, CASE, NIGHTS)
    scores, rows, model = read(service), due(NIGHTS.days), fitted().model

    assert result.done == NIGHTS.days
    assert len(scores) == len(rows) == result.rows_in == result.rows_out
    assert (scores["target_date"] == rows["target_date"]).all()
    assert (scores["flight"] == rows["flight"]).all()
    assert (scores["prediction"].to_numpy() == model.predict(rows)).all()
    assert (scores["decision"] == (scores["prediction"] >= model.facts.threshold)).all()
    assert scores[["reason_1", "reason_2", "reason_3", "reason_method"]].notna().all(axis=None)
    (run,) = _runs(service)
    assert set(scores["run_id"]) == {run.run_id}
    assert (run.model_version, run.model_sha256) == ("1", model.sha256)
    assert run.rows_due == run.rows_scored == run.rows_changed == len(rows)
    assert run.data_days == [day.isoformat() for day in NIGHTS]
    assert run.lake_versions == {"nyc_flights/flights": 3}
    kept = service.lake.read(names.scored(CASE), NIGHTS.days).to_pandas()
    assert len(kept) == len(rows)
    assert sorted(kept["prediction"]) == sorted(scores["prediction"])
    assert set(model.facts.features) <= set(kept.columns)


def test_nights_out_of_order_and_one_window_give_the_same_scores(service: Workspace) -> None:
    for day in (NIGHTS.days[3], NIGHTS.days[0], NIGHTS.days[5], *NIGHTS.days):
        score(service, CASE, Window.night(day))
    by_night = read(service)[CONTENT]
    hashes = {run.data_days[0]: run.content_hash for run in _runs(service)}
    with service.warehouse.transaction() as connection:
        connection.execute(sa.delete(TABLES.scores))
        connection.exec_driver_sql("DELETE FROM stage_days WHERE stage = 'score'")
    score(service, CASE, NIGHTS)

    pd.testing.assert_frame_equal(read(service)[CONTENT], by_night)
    assert len(hashes) == len(NIGHTS)


def test_scoring_again_writes_one_run_and_nothing_else(service: Workspace) -> None:
    score(service, CASE, NIGHTS)
    before, version = read(service), service.lake.version(names.scored(CASE))
    again = score(service, CASE, NIGHTS)

    assert not again.changed
    pd.testing.assert_frame_equal(read(service), before)
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
    assert len(read(service, TABLES.revisions)) == 0, "the same scores are no restatement"


def test_changed_features_move_the_old_scores_to_the_revisions(
    service: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(service, CASE, NIGHTS)
    before = read(service)
    wire(monkeypatch, frames().assign(departure_minute=1100))
    land(service, NIGHTS.days, content="landed again")
    result = score(service, CASE, NIGHTS)

    revised, after = read(service, TABLES.revisions), read(service)
    assert 0 < len(revised) <= len(before)
    merged = before.merge(revised, on=list(TABLES.key), suffixes=("", "_old"))
    assert (merged["prediction"] == merged["prediction_old"]).all()
    untouched = after["run_id"] == before["run_id"].iloc[0]
    assert untouched.sum() == len(before) - len(revised)
    changed = merged.merge(after, on=list(TABLES.key), suffixes=("", "_new"))
    moved = (changed["prediction"] - changed["prediction_new"]).abs()
    flipped = (changed["decision"] != changed["decision_new"]).sum()
    assert result.notes == (
        f"{len(revised)} published score(s) were restated; predictions moved by "
        f"{moved.mean():.3g} on average and {moved.max():.3g} at most, {flipped} decision(s) "
        "flipped",
    )


def test_a_window_rescores_what_another_model_scored_and_a_night_does_not(
    service: Workspace,
) -> None:
    score(service, CASE, NIGHTS)
    crown(service, other_model(), version="2")

    night = score(service, CASE, Window.night(NIGHTS.end), heal_days=35)
    assert night.done == ()
    window = score(service, CASE, NIGHTS)
    assert window.done == NIGHTS.days
    assert set(read(service)["model_version"]) == {"2"}
    assert set(read(service, TABLES.revisions)["model_version"]) == {"1"}


@meets(
    Fault(
        "The model",
        "the features of a day are half written",
        "score: `stage_days`",
        "the day stops and says what is missing; the others are scored",
    )
)
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

    found = states(service, "score")
    assert (found[missing], found[absent]) == ("stopped", "absent")
    assert list(found.values()).count("done") == len(NIGHTS) - 2
    assert set(read(service)["data_day"]) == set(NIGHTS.days) - {missing, absent}
    land(service, [missing, absent])
    assert score(service, CASE, NIGHTS).done == (missing, absent)


def test_a_published_day_keeps_its_scores_when_its_features_go(service: Workspace) -> None:
    score(service, CASE, NIGHTS)
    with service.warehouse.transaction() as connection:
        state = DayState(NIGHTS.end, "stopped", "a run", None, None, service.now, "a rule")
        write_days(connection, "ingest", CASE.dataset.name, [state])
    result = score(service, CASE, Window.night(NIGHTS.end))

    assert "keeps its scores" in result.notes[0]
    assert states(service, "score")[NIGHTS.end] == "done"


def test_without_a_champion_nothing_is_scored(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire(monkeypatch)
    prepare(workspace)
    with pytest.raises(NoChampion, match=r"\./nightshift train flight_delay"):
        score(workspace, CASE, NIGHTS)
    assert states(workspace, "score") == {}


TOLD = "an error that names the file, before anything is written; with the file back it scores"


@meets(
    Fault(
        "The model",
        "the champion's file was tampered with",
        "score: its SHA-256 against the ledger's",
        TOLD,
    ),
    Fault("The model", "the champion's file is gone", "score: the file the ledger names", TOLD),
)
@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (lambda it: it.write_bytes(it.read_bytes()[:-1] + b"x"), DataError, "has SHA-256"),
        (Path.unlink, StorageUnavailable, "cannot be read"),
    ],
    ids=["tampered with", "gone"],
)
def test_a_champion_whose_file_is_not_the_registered_one_writes_nothing(
    service: Workspace,
    damage: Callable[[Path], object],
    error: type[Exception],
    words: str,
) -> None:
    file = Path(service.settings.home / "models" / "1" / TREES)
    saved = file.read_bytes()
    damage(file)
    with pytest.raises(error, match=rf"model\.ubj {words}"):
        score(service, CASE, NIGHTS)
    assert states(service, "score") == {}
    assert not service.lake.exists(names.scored(CASE))
    file.write_bytes(saved)
    assert score(service, CASE, NIGHTS).done == NIGHTS.days


def test_a_lost_row_stops_everything(service: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    full = retrieval.add_features
    monkeypatch.setattr(retrieval, "add_features", lambda *given: full(*given).iloc[1:])
    with pytest.raises(RowsLost, match="nothing was written"):
        score(service, CASE, NIGHTS)
    assert states(service, "score") == {}


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
    assert set(states(service, "score").values()) == {"writing"}
    assert len(read(service)) == 0
    assert score(service, CASE, NIGHTS).done == NIGHTS.days
    assert len(read(service)) == len(due(NIGHTS.days))


def test_a_window_written_to_the_lake_in_parts_has_every_row_once(
    service: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between two parts, too: its days are not done, and the next run heals them."""
    monkeypatch.setattr(publication, "PARTITIONS", 2)
    write, parts = Lake.replace_days, []

    def die_at_the_second(lake: Lake, name: str, rows: Any, days: Any, **named: Any) -> int:
        parts.append(days)
        if len(parts) == 2:
            raise KeyboardInterrupt
        return write(lake, name, rows, days, **named)

    with monkeypatch.context() as killed:
        killed.setattr(Lake, "replace_days", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            score(service, CASE, NIGHTS)
    assert [tuple(part) for part in parts] == [NIGHTS.days[:2], NIGHTS.days[2:4]]
    assert set(states(service, "score").values()) == {"writing"}

    assert score(service, CASE, NIGHTS).done == NIGHTS.days
    kept = service.lake.read(names.scored(CASE), NIGHTS.days).to_pandas()
    assert sorted(kept["prediction"]) == sorted(read(service)["prediction"])


def test_a_day_with_nothing_due_is_done_and_empty(service: Workspace) -> None:
    empty = date(2013, 5, 20)
    land(service, [empty])
    result = score(service, CASE, Window.night(empty))
    assert (result.done, result.rows_out) == ((empty,), 0)
    assert score(service, CASE, Window.night(empty)).done == ()


def test_a_past_window_is_scored_by_the_champion_of_each_day(service: Workspace) -> None:
    """Two models in one run: each on its own days, with its own lineage."""
    turn = NIGHTS.days[2]
    crown(service, stump(), version="2", as_of=turn)
    result = score(service, CASE, NIGHTS, policy="champion_asof")
    scores, early, late = read(service), NIGHTS.days[:3], NIGHTS.days[3:]

    assert result.done == NIGHTS.days
    for version, model, days in (("1", fitted().model, early), ("2", stump().model, late)):
        mine = scores[scores["model_version"] == version]
        assert tuple(sorted(set(mine["data_day"]))) == days
        assert (mine["prediction"].to_numpy() == model.predict(due(days))).all()
    runs = sorted(_runs(service), key=lambda run: run.model_version)
    assert len({run.run_id for run in runs}) == 1
    assert [run.data_days for run in runs] == [[str(it) for it in part] for part in (early, late)]
    assert [run.rows_changed for run in runs] == [len(due(early)), len(due(late))]
    assert {run.model_policy for run in runs} == {"champion_asof"}
    assert runs[0].content_hash != runs[1].content_hash
    kept = service.lake.read(names.scored(CASE), NIGHTS.days).to_pandas()
    assert set(zip(kept["data_day"], kept["model_version"], strict=True)) == set(
        zip(scores["data_day"], scores["model_version"], strict=True)
    )

    version = service.lake.version(names.scored(CASE))
    assert not score(service, CASE, NIGHTS, policy="champion_asof").changed
    pd.testing.assert_frame_equal(read(service), scores)
    assert service.lake.version(names.scored(CASE)) == version
    assert score(service, CASE, NIGHTS).done == early, "champion_now: the others are its already"
    assert score(service, CASE, NIGHTS, policy="champion_asof").done == early
    pd.testing.assert_frame_equal(read(service)[CONTENT], scores[CONTENT])


def test_one_window_under_champion_asof_equals_its_nights(service: Workspace) -> None:
    crown(service, stump(), version="2", as_of=NIGHTS.days[2])
    for day in reversed(NIGHTS.days):
        score(service, CASE, Window.night(day), policy="champion_asof")
    by_night = read(service)[CONTENT]
    with service.warehouse.transaction() as connection:
        connection.execute(sa.delete(TABLES.scores))
        connection.exec_driver_sql("DELETE FROM stage_days WHERE stage = 'score'")
    score(service, CASE, NIGHTS, policy="champion_asof")
    pd.testing.assert_frame_equal(read(service)[CONTENT], by_night)


def test_days_before_the_first_champion_stop_under_champion_asof(service: Workspace) -> None:
    window = Window(AS_OF, AS_OF + timedelta(days=1))
    with pytest.raises(DaysStopped, match=f"on 1 day.*{AS_OF}: no model that became champion"):
        score(service, CASE, window, policy="champion_asof")
    assert states(service, "score") == {window.start: "stopped", window.end: "done"}
    score(service, CASE, window)
    assert states(service, "score")[window.start] == "done"
    again = score(service, CASE, window, policy="champion_asof")
    assert again.done == ()
    assert again.notes[0].startswith(f"{AS_OF} keeps its scores, though no model")


def test_a_pinned_version_scores_though_another_is_champion(service: Workspace) -> None:
    score(service, CASE, NIGHTS)
    crown(service, stump(), version="2", event="refused")
    result = score(service, CASE, NIGHTS, pinned="2")
    assert result.done == NIGHTS.days
    assert set(read(service)["model_version"]) == {"2"}
    assert {run.model_policy for run in _runs(service)} == {"champion_now", "pinned"}
    assert score(service, CASE, NIGHTS, policy="pinned", pinned="2").done == ()
    night = score(service, CASE, Window.night(NIGHTS.end), heal_days=35)
    assert night.done == (), "a night leaves published days to the model that scored them"


@meets(
    Fault(
        "The model",
        "a category comes that the model never saw",
        "score: categories of the model",
        "it is scored as missing, and its reason says that the value is new",
    )
)
def test_a_category_the_model_never_saw_is_scored_as_missing_and_called_new(
    service: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    night, model = Window.night(NIGHTS.end), places().model
    rows = due(night.days)
    crown(service, places(), version="2")
    wire(monkeypatch, frames().assign(dest="YYY"))
    # All rows look alike to this model, which is what a sane night does not do.
    score(service, replace(CASE, scoring=replace(CASE.scoring, sanity=None)), night)
    scores = read(service)

    as_missing = model.predict(rows.assign(dest=None))
    assert (scores["prediction"].to_numpy() == as_missing).all()
    assert (scores["prediction"].to_numpy() != model.predict(rows)).any()
    assert set(scores["dest"]) == {"YYY"}, "analysts see what was planned"
    for row in scores.itertuples():
        told = {row.reason_1_feature: row.reason_1, row.reason_2_feature: row.reason_2}
        assert ": YYY (new to the model), " in told["dest"]
        assert "new to the model" not in told.get("origin", "")
