"""The monitoring stage: numbers, verdicts and pages; the same in any window, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from include.errors import DataError, DaysStopped
from include.monitoring import monitor as stage
from include.monitoring import report
from include.monitoring.monitor import monitor, verdicts
from include.scoring.score import score
from include.settings import Settings
from include.training.model import REFERENCE
from include.warehouse.days import DayState, write_days
from include.warehouse.monitoring_tables import drift_metrics, drift_verdicts
from include.warehouse.stages import day_states
from include.warehouse.tables import stage_runs
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from include.workspace import Workspace
from tests.made_once import copy_made, made_once
from tests.model_nights import CASE, NIGHTS, crown, fitted, frames, land, prepare, wire

VALUES = [c.name for c in drift_metrics.columns if c.name != "run_id"]


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The pages that would have been written; Evidently takes seconds for each."""
    written: list[Path] = []
    monkeypatch.setattr(report, "write", lambda path, *_: written.append(path))
    return written


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """An installation on each database whose nights are scored, to copy."""

    def make(workspace: Workspace) -> None:
        prepare(workspace)
        crown(workspace, fitted())
        score(workspace, CASE, NIGHTS)

    with pytest.MonkeyPatch.context() as patch:
        wire(patch)
        with made_once(request, tmp_path_factory.mktemp("scored"), make) as settings:
            yield settings


@pytest.fixture
def scored(
    request: pytest.FixtureRequest,
    made: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pages: list[Path],
) -> Iterator[Workspace]:
    """A workspace whose nights are scored, and in which no page is really written."""
    wire(monkeypatch)
    with copy_made(request, made, tmp_path / "home") as workspace:
        yield workspace


def _read(workspace: Workspace) -> pd.DataFrame:
    order = [drift_metrics.c[name] for name in ("data_day", "kind", "column_name")]
    with workspace.warehouse.reading() as connection:
        rows = connection.execute(sa.select(drift_metrics).order_by(*order)).mappings().all()
    return pd.DataFrame(rows, columns=[c.name for c in drift_metrics.columns])


def _measures() -> int:
    """Return how many measures a night has whose labels are not mature."""
    return len(fitted().reference.profiles) - 1


def _states(workspace: Workspace) -> dict[date, str]:
    with workspace.warehouse.reading() as connection:
        found = day_states(connection, "monitor", CASE.name)
    return {day: state.state for day, state in found.items()}


def test_every_watched_column_is_measured_on_every_scored_night(scored: Workspace) -> None:
    result = monitor(scored, CASE, NIGHTS)
    found, profile = _read(scored), fitted().reference

    assert result.done == NIGHTS.days
    assert len(found) == len(NIGHTS) * _measures()
    assert set(found["reference_id"]) == {profile.id}
    assert set(found["kind"]) == {it.kind for it in profile.profiles} - {"label"}
    known = found["value"].notna()
    assert (found["drifted"] == (found["value"] > found["threshold"]))[known].all()
    features = found[found["kind"] == "feature"]
    assert features.groupby("data_day")["importance"].sum().between(0.5, 1.0).all()
    assert [note[:10] for note in result.notes[: len(NIGHTS)]] == [str(day) for day in NIGHTS]


def test_nights_out_of_order_and_one_window_give_the_same_numbers(scored: Workspace) -> None:
    for day in (NIGHTS.days[4], NIGHTS.days[0], *NIGHTS.days):
        monitor(scored, CASE, Window.night(day))
    by_night = _read(scored)[VALUES]
    with scored.warehouse.transaction() as connection:
        connection.execute(sa.delete(drift_metrics))
        connection.exec_driver_sql("DELETE FROM stage_days WHERE stage = 'monitor'")
    monitor(scored, CASE, NIGHTS)

    pd.testing.assert_frame_equal(_read(scored)[VALUES], by_night, check_exact=True)


def test_monitoring_again_writes_one_run_and_nothing_else(
    scored: Workspace, pages: list[Path]
) -> None:
    monitor(scored, CASE, NIGHTS)
    before, written = _read(scored), len(pages)
    again = monitor(scored, CASE, NIGHTS)

    assert not again.changed
    pd.testing.assert_frame_equal(_read(scored), before)
    assert len(pages) == written
    with scored.warehouse.reading() as connection:
        mine = stage_runs.c.stage == "monitor"
        statuses = connection.execute(sa.select(stage_runs.c.status).where(mine)).scalars()
        assert sorted(statuses) == ["done", "unchanged"]


def test_a_night_heals_scored_nights_before_it(scored: Workspace) -> None:
    result = monitor(scored, CASE, Window.night(NIGHTS.end), heal_days=35)
    assert result.done == NIGHTS.days


def test_a_restated_night_is_measured_again(
    scored: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor(scored, CASE, NIGHTS)
    before = _read(scored)
    day = NIGHTS.days[2]
    rows = frames()
    struck = rows["data_day"] == day
    wire(monkeypatch, rows.assign(distance=rows["distance"].where(~struck, 5000)))
    land(scored, [day], content="landed again")
    score(scored, CASE, Window.night(day))
    result = monitor(scored, CASE, NIGHTS)

    assert result.done == (day,)
    moved = _read(scored)[before["value"].ne(_read(scored)["value"]) & before["value"].notna()]
    assert set(moved["data_day"]) == {day}
    assert "distance" in set(moved.loc[moved["drifted"].astype(bool), "column_name"])


def test_the_model_that_scored_a_night_is_its_measure(scored: Workspace) -> None:
    with scored.warehouse.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM model_ledger WHERE event = 'registered'")
    with pytest.raises(DataError, match="model version 1, which the ledger does not know"):
        monitor(scored, CASE, NIGHTS)
    assert _states(scored) == {}


def test_a_tampered_reference_is_refused(scored: Workspace) -> None:
    profile = fitted().reference
    file = scored.settings.home / "models" / "1" / REFERENCE
    profile.sample.iloc[:10].to_parquet(file)
    with pytest.raises(DataError, match="not the one its model was saved with"):
        monitor(scored, CASE, NIGHTS)
    assert len(_read(scored)) == 0


def test_days_without_scores_stop_and_the_others_are_measured(scored: Workspace) -> None:
    missing, absent = NIGHTS.days[1], NIGHTS.days[3]
    with scored.warehouse.transaction() as connection:
        states: list[Any] = [
            DayState(missing, "stopped", "a run", None, None, scored.now, "no features"),
            DayState(absent, "absent", "a run", None, None, scored.now, "no file"),
        ]
        write_days(connection, "score", CASE.name, states)
    with pytest.raises(DaysStopped, match=r"no scores \(no features\).*nothing to score"):
        monitor(scored, CASE, NIGHTS)
    found = _states(scored)
    assert (found[missing], found[absent]) == ("stopped", "absent")
    assert set(_read(scored)["data_day"]) == set(NIGHTS.days) - {missing, absent}


def test_the_first_night_and_moved_nights_get_a_page_and_quiet_ones_none(
    scored: Workspace, pages: list[Path]
) -> None:
    result = monitor(scored, CASE, NIGHTS)
    with scored.warehouse.reading() as connection:
        judged = verdicts(connection, CASE, NIGHTS.days)
    worth = {verdict.data_day for verdict in judged if verdict.notable} | {NIGHTS.start}

    assert {path.stem for path in pages} == {str(day) for day in worth}
    assert f"{len(worth)} report(s)" in result.notes[-1]


def test_a_backfill_writes_a_bounded_number_of_pages(
    scored: Workspace, pages: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "MOST_REPORTS", 2)
    monkeypatch.setattr(stage, "MOST_NOTES", 2)
    rows = frames()
    shifted = {n: rows[n] + 1000 for n in rows.columns if "__" in n}
    wire(monkeypatch, rows.assign(**shifted))
    land(scored, NIGHTS.days, content="landed again")
    score(scored, CASE, NIGHTS)
    result = monitor(scored, CASE, NIGHTS)

    assert [path.stem for path in pages] == [str(day) for day in NIGHTS.days[-2:]]
    assert result.notes[0] == f"{len(NIGHTS)} of {len(NIGHTS)} nights drifted"


def test_a_page_that_fails_is_noted_and_the_numbers_are_kept(
    scored: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(report, "write", die)
    result = monitor(scored, CASE, NIGHTS)
    assert f"the report of {NIGHTS.start} could not be written: disk full" in result.notes
    assert set(_states(scored).values()) == {"done"}
    assert len(_read(scored)) == len(NIGHTS) * _measures()


def test_verdicts_are_read_from_the_warehouse_as_they_were_said(scored: Workspace) -> None:
    result = monitor(scored, CASE, NIGHTS)
    with scored.warehouse.reading() as connection:
        found = verdicts(connection, CASE, NIGHTS.days)
        assert verdicts(connection, CASE, []) == []
        versions = connection.execute(sa.select(drift_verdicts.c.model_version)).scalars()
        assert set(versions) == {"1"}
    assert list(result.notes[: len(NIGHTS)]) == [f"{it.data_day}: {it.words}" for it in found]
    moved = _read(scored).query("kind in ('feature', 'missing', 'categories') and drifted == True")
    for verdict in found:
        mine = moved[moved["data_day"] == verdict.data_day]
        assert verdict.moved == mine["column_name"].nunique()
        told = mine.drop_duplicates("column_name")["importance"].sum()
        assert verdict.weight == pytest.approx(told / _importance_watched())
        assert mine["words"].notna().all()


def _importance_watched() -> float:
    watched = [it.name for it in fitted().reference.columns if it.kind == "feature"]
    return sum(fitted().model.facts.importance[name] for name in watched)


def test_a_verdict_is_replaced_with_its_night(
    scored: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monitor(scored, CASE, NIGHTS)
    rows = frames()
    shifted = {n: rows[n] + 1000 for n in rows.columns if "__" in n}
    wire(monkeypatch, rows.assign(**shifted))
    day = NIGHTS.days[2]
    land(scored, [day], content="landed again")
    score(scored, CASE, Window.night(day))
    monitor(scored, CASE, NIGHTS)
    with scored.warehouse.reading() as connection:
        found = verdicts(connection, CASE, NIGHTS.days)
    assert [it.data_day for it in found if it.drifted] == [day]


def _mature(workspace: Workspace, day: date, content: str = "first", late: float = 0.0) -> None:
    """Write the outcomes of a data day's target date, and that they are done."""
    target = day + timedelta(days=1)
    table = use_case_tables(CASE).outcomes
    planned = frames()[frames()["target_date"] == target]
    rows = [
        {
            "target_date": target,
            **{name: row[name] for name in CASE.key_names},
            "label": late,
            "matured_at": workspace.now,
            "run_id": "a run",
        }
        for row in planned.to_dict("records")
    ]
    state = DayState(target, "done", "a run", "in", content, workspace.now)
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.delete(table).where(table.c.target_date == target))
        connection.execute(sa.insert(table), rows)
        write_days(connection, "outcomes", CASE.name, [state])


def test_a_night_is_measured_again_once_its_labels_are_mature(scored: Workspace) -> None:
    monitor(scored, CASE, NIGHTS)
    before, day = _read(scored), NIGHTS.days[1]
    _mature(scored, day, late=1.0)
    assert monitor(scored, CASE, NIGHTS).done == (day,)
    found = _read(scored)

    (label,) = found[found["kind"] == "label"].to_dict("records")
    assert (label["data_day"], label["column_name"]) == (day, "label")
    assert label["drifted"] and label["words"].startswith("100% instead of")
    pd.testing.assert_frame_equal(
        found[found["kind"] != "label"][VALUES].reset_index(drop=True), before[VALUES]
    )
    with scored.warehouse.reading() as connection:
        (verdict,) = verdicts(connection, CASE, [day])
    assert "; labels 100% instead of" in verdict.words
    assert not monitor(scored, CASE, NIGHTS).changed


def test_restated_outcomes_are_measured_again(scored: Workspace) -> None:
    day = NIGHTS.days[1]
    _mature(scored, day, late=1.0)
    monitor(scored, CASE, NIGHTS)
    _mature(scored, day, content="restated", late=0.0)
    assert monitor(scored, CASE, NIGHTS).done == (day,)
    found = _read(scored)
    (label,) = found[found["kind"] == "label"].to_dict("records")
    assert label["words"] is None or label["words"].startswith("0% instead of")


def test_labels_in_a_window_are_those_of_its_nights(scored: Workspace) -> None:
    for place, day in enumerate(NIGHTS.days[:3]):
        _mature(scored, day, late=place % 2)
    for day in NIGHTS:
        monitor(scored, CASE, Window.night(day))
    by_night = _read(scored)[VALUES]
    with scored.warehouse.transaction() as connection:
        connection.exec_driver_sql("DELETE FROM stage_days WHERE stage = 'monitor'")
    monitor(scored, CASE, NIGHTS)
    pd.testing.assert_frame_equal(_read(scored)[VALUES], by_night, check_exact=True)
    assert (by_night["kind"] == "label").sum() == 3


def test_a_scored_night_without_rows_is_done_without_numbers(scored: Workspace) -> None:
    empty = date(2013, 5, 20)
    land(scored, [empty])
    score(scored, CASE, Window.night(empty))
    assert monitor(scored, CASE, Window.night(empty)).done == (empty,)
    assert len(_read(scored)) == 0
