"""Realised performance: measured as labels mature, the same in any window, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from sklearn.metrics import log_loss, precision_score, recall_score, roc_auc_score

from include.declare import UseCase
from include.declare_model import Slice
from include.errors import UsageError
from include.monitoring import matured, performance
from include.monitoring.outcomes import write_outcomes
from include.monitoring.performance import STAGE, measure_performance
from include.monitoring.realised import LEAST_ROWS
from include.scoring.score import score
from include.settings import Settings
from include.training.constant import Constant
from include.warehouse.days import DayState, day_states, write_days
from include.warehouse.monitoring_tables import model_performance
from include.warehouse.tables import stage_runs
from include.warehouse.use_cases import apply, use_case_tables
from include.window import Window
from include.workspace import Workspace
from tests.made_once import copy_made, made_once
from tests.model_nights import (
    AS_OF,
    CASE,
    NIGHTS,
    crown,
    fitted,
    frames,
    land,
    prepare,
    serve,
    wire,
)
from tests.scoring import models

DATES = [day + timedelta(days=1) for day in NIGHTS]
CHANGED = DATES[2]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Six real nights on each database that are scored, and whose outcomes are written."""

    def make(workspace: Workspace) -> None:
        prepare(workspace)
        crown(workspace, fitted())
        score(workspace, CASE, NIGHTS)
        write_outcomes(workspace, CASE, NIGHTS)

    with pytest.MonkeyPatch.context() as patch:
        wire(patch)
        serve(patch, frames())
        with made_once(request, tmp_path_factory.mktemp("nights"), make) as settings:
            yield settings


@pytest.fixture
def scored(
    request: pytest.FixtureRequest, made: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Workspace]:
    """Such nights, for one test."""
    wire(monkeypatch)
    serve(monkeypatch, frames())
    with copy_made(request, made, tmp_path / "home") as workspace:
        yield workspace


def forget_figures(workspace: Workspace) -> None:
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.delete(model_performance))
        connection.exec_driver_sql("DELETE FROM stage_days WHERE stage = 'performance'")


def read(workspace: Workspace, case: UseCase = CASE) -> pd.DataFrame:
    """Return what is stored, by the table's key."""
    key = ["target_date", "model_version", "slice", "metric"]
    query = sa.select(model_performance).where(model_performance.c.use_case == case.name)
    with workspace.warehouse.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return pd.DataFrame(rows, columns=model_performance.columns.keys()).set_index(key).sort_index()


def values(workspace: Workspace) -> pd.DataFrame:
    return read(workspace).drop(columns="run_id")


def states(workspace: Workspace) -> dict[date, DayState]:
    with workspace.warehouse.reading() as connection:
        return day_states(connection, STAGE, CASE.name)


def test_figures_are_those_of_the_scores_and_what_became_of_them(scored: Workspace) -> None:
    result = measure_performance(scored, CASE, NIGHTS)

    assert list(result.done) == DATES
    stored, constant = read(scored), fitted().evidence["constant"]["value"]
    assert result.rows_out == len(stored)
    for target in DATES:
        rows = frames()[frames()["target_date"] == target]
        known = rows[rows["late"].notna()]
        said, late = fitted().model.predict(known), known["late"].to_numpy()
        acted = said >= CASE.costs.threshold
        found = stored.loc[target, "1", "all"]
        expected = {
            "auc": roc_auc_score(late, said),
            "log_loss": log_loss(late, said),
            "brier": np.mean((said - late) ** 2),
            "precision": precision_score(late, acted, zero_division=np.nan),
            "recall": recall_score(late, acted),
            "flagged": acted.mean(),
            "cost": np.mean(acted * (1 - late) + 3 * ~acted * late),
            "cost_never": 3 * late.mean(),
            "cost_always": 1 - late.mean(),
            "brier_constant_rate": np.mean((constant - late) ** 2),
            "log_loss_constant_rate": log_loss(late, np.full(len(late), constant)),
            "label_mean": late.mean(),
            "prediction_mean": said.mean(),
        }
        assert found.drop("ece")["value"].to_dict() == pytest.approx(expected, nan_ok=True)
        assert 0 <= found.loc["ece", "value"] < 0.5
        assert set(found["n"]) == {len(known)}
        assert found["label_coverage"].iloc[0] == pytest.approx(len(known) / len(rows))
        defined = found[found["value"].notna()]
        assert (defined["lower"] <= defined["value"]).all()
        assert (defined["value"] <= defined["upper"]).all()
        for origin, part in known.groupby("origin"):
            value = stored.loc[(target, "1", f"origin={origin}", "brier"), "value"]
            of_part = np.mean((fitted().model.predict(part) - part["late"]) ** 2)
            enough = len(part) >= LEAST_ROWS
            assert value == pytest.approx(of_part if enough else np.nan, nan_ok=True)
    assert stored["out_of_time"].all()


def test_the_result_says_in_words_what_came_out(scored: Workspace) -> None:
    result = measure_performance(scored, CASE, NIGHTS)
    found = read(scored).loc[(DATES[-1], "1", "all", "auc")]
    assert result.notes[-1] == (
        f"{DATES[-1]}: auc {found.value:.2f} [{found.lower:.2f}, {found.upper:.2f}] on {found.n} "
        f"rows, {found.label_coverage:.1%} labelled"
    )


def test_nights_in_any_order_and_one_window_say_the_same(scored: Workspace) -> None:
    measure_performance(scored, CASE, NIGHTS)
    whole = values(scored)
    forget_figures(scored)
    for place in (3, 0, 5, 1, 4, 2):
        measure_performance(scored, CASE, Window.night(NIGHTS.days[place]))
    pd.testing.assert_frame_equal(values(scored), whole)


def test_unchanged_inputs_write_a_run_and_nothing_else(scored: Workspace) -> None:
    measure_performance(scored, CASE, NIGHTS)
    before, known = read(scored), states(scored)
    again = measure_performance(scored, CASE, NIGHTS)
    assert (again.status, again.changed, again.notes) == ("unchanged", False, ())
    pd.testing.assert_frame_equal(read(scored), before)
    assert states(scored) == known


def test_a_restated_outcome_measures_its_date_again_and_no_other(
    scored: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_performance(scored, CASE, NIGHTS)
    before = read(scored)
    rows = frames()
    serve(monkeypatch, rows.assign(late=rows["late"].where(rows["target_date"] != CHANGED, 1.0)))
    land(scored, [CHANGED], content="landed again")
    write_outcomes(scored, CASE, NIGHTS)

    result = measure_performance(scored, CASE, NIGHTS)

    after = read(scored)
    assert result.done == (CHANGED,)
    assert set(after.index[after["run_id"] == result.run_id].get_level_values(0)) == {CHANGED}
    assert after.loc[(CHANGED, "1", "all", "label_mean"), "value"] == 1
    assert np.isnan(after.loc[(CHANGED, "1", "all", "auc"), "value"])
    others = [day for day in DATES if day != CHANGED]
    pd.testing.assert_frame_equal(after.loc[others], before.loc[others])


def test_a_night_scored_by_another_model_is_measured_again(
    scored: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_performance(scored, CASE, NIGHTS)
    crown(scored, models.stump(), version="2", as_of=CHANGED)
    score(scored, CASE, Window.night(CHANGED - timedelta(days=1)))

    result = measure_performance(scored, CASE, NIGHTS)

    found = read(scored)
    assert result.done == (CHANGED,)
    assert set(found.loc[CHANGED].index.get_level_values(0)) == {"2"}
    assert set(found.drop(CHANGED, level=0).index.get_level_values(1)) == {"1"}
    # As of the date itself, the labels of the two days before it were not mature yet.
    assert found.loc[CHANGED, "out_of_time"].all()


def test_a_date_that_the_model_learnt_from_is_marked(scored: Workspace) -> None:
    crown(scored, models.stump(), version="2", as_of=NIGHTS.end)
    score(scored, CASE, NIGHTS)
    result = measure_performance(scored, CASE, NIGHTS)

    through = NIGHTS.end - timedelta(days=CASE.label.mature_after)
    marked = read(scored)["out_of_time"].groupby(level=0).first()
    assert marked.to_dict() == {day: day > through for day in DATES}
    learnt = [note for note in result.notes if note.endswith(", which its model was made with")]
    assert [note[:10] for note in learnt] == [str(day) for day in DATES if day <= through]


def test_scores_of_two_horizons_and_models_are_kept_apart(scored: Workspace) -> None:
    """Given that every score was also made a day earlier, by an older model."""
    two_days = replace(CASE, horizons=(1, 2))
    table = use_case_tables(CASE).scores
    earlier = timedelta(days=1)
    with scored.warehouse.transaction() as connection:
        rows = connection.execute(sa.select(table)).mappings().all()
        older = [
            {**row, "data_day": row["data_day"] - earlier, "model_version": "0", "prediction": 0.3}
            for row in rows
        ]
        connection.execute(sa.insert(table), older)
        first = DayState(NIGHTS.start - earlier, "done", "a run", "in", "out", scored.now)
        write_days(connection, "score", CASE.name, [first])

    measure_performance(scored, two_days, NIGHTS)

    found = read(scored)["value"]
    one_day = found.xs("horizon=1", level="slice").xs("1", level="model_version")
    for day in DATES:
        assert found[day, "0", "all", "auc"] == found[day, "0", "horizon=2", "auc"] == 0.5
        assert found[day, "1", "all", "auc"] == one_day[day, "auc"] != 0.5


def test_a_data_day_that_is_being_written_is_not_read(scored: Workspace) -> None:
    day = CHANGED - timedelta(days=1)
    with scored.warehouse.transaction() as connection:
        known = day_states(connection, "score", CASE.name)[day]
        write_days(connection, "score", CASE.name, [replace(known, state="writing")])
    assert measure_performance(scored, CASE, NIGHTS).done == tuple(
        date for date in DATES if date != CHANGED
    )


def test_a_regression_is_measured_beside_the_median(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = replace(models.REGRESSION, gate=replace(models.REGRESSION.gate, metric="mae"))
    rows = frames()
    minutes = (rows["arrival_minute"] - rows["departure_minute"]) % 1440.0
    rows = rows.assign(minutes=minutes + rows["late"].fillna(0) * 20)
    wire(monkeypatch)
    serve(monkeypatch, rows, "minutes")
    prepare(workspace)
    apply(workspace.warehouse, case)
    constant = Constant.of(case, rows.loc[rows["target_date"] <= AS_OF, "minutes"].to_numpy())
    evidence = {**fitted().evidence, "constant": constant.plain()}
    crown(workspace, replace(models.regression(), evidence=evidence))
    score(workspace, case, NIGHTS)
    write_outcomes(workspace, case, NIGHTS)

    result = measure_performance(workspace, case, NIGHTS)

    own = rows[rows["target_date"] == DATES[0]]
    said = models.regression().model.predictions(own)
    found = read(workspace).loc[DATES[0], "1", "all"]["value"]
    truth_of = own["minutes"].to_numpy()
    inside = (said.quantiles[0.1] <= truth_of) & (truth_of <= said.quantiles[0.9])
    assert found["mae"] == pytest.approx(np.abs(said.values - truth_of).mean())
    assert found["coverage"] == pytest.approx(inside.mean())
    assert found["mae_constant_median"] == pytest.approx(np.abs(constant.value - truth_of).mean())
    assert found["mae"] < found["mae_constant_median"]
    assert {"rmse", "pinball_0.1", "pinball_0.9", "pinball_0.1_constant_median"} <= set(found.index)
    assert result.notes[0].startswith(f"{DATES[0]}: mae ")


def test_slices_that_the_scores_do_not_have_are_said(scored: Workspace) -> None:
    slices = (Slice("origin"), Slice("distance"))
    case = replace(CASE, gate=replace(CASE.gate, slices=slices))
    told = measure_performance(scored, case, NIGHTS).notes[-1]
    assert told.startswith("slices by distance are not measured: ")
    assert "score_columns" in told


def test_a_long_window_is_summed_up(scored: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.monitoring.performance.MOST_NOTES", 3)
    (note,) = measure_performance(scored, CASE, NIGHTS).notes
    found = read(scored).xs("auc", level="metric").xs("all", level="slice")["value"]
    assert note == (
        f"6 dates measured: auc from {found.min():.2f} ({found.idxmin()[0]}) to "
        f"{found.max():.2f} ({found.idxmax()[0]}), median {found.median():.2f}"
    )


@pytest.mark.parametrize(
    ("bound", "most", "parts"),
    [("MOST_DATES", 4, [4, 2]), ("MOST_ROWS", 300, [2, 2, 2]), ("MOST_ROWS", 1, [1] * 6)],
)
def test_dates_are_read_in_chunks(
    scored: Workspace, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, parts: list[int]
) -> None:
    measure_performance(scored, CASE, NIGHTS)
    whole = values(scored)
    forget_figures(scored)
    read_whole, asked = matured.read, []

    def watched(connection: sa.Connection, case: UseCase, targets: Any, days: Any) -> pd.DataFrame:
        asked.append(len(targets))
        return read_whole(connection, case, targets, days)

    monkeypatch.setattr(matured, "read", watched)
    monkeypatch.setattr(performance, bound, most)
    measure_performance(scored, CASE, NIGHTS)
    assert asked == parts
    pd.testing.assert_frame_equal(values(scored), whole)


def test_a_window_outside_the_dataset_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="has not ended"):
        measure_performance(workspace, CASE, Window.night(date(2099, 1, 1)))


def test_before_anything_is_mature_there_is_nothing_to_do(workspace: Workspace) -> None:
    apply(workspace.warehouse, CASE)
    result = measure_performance(workspace, CASE, NIGHTS)
    assert (result.status, result.done, result.notes) == ("unchanged", (), ())
    query: sa.Select[Any] = sa.select(stage_runs.c.stage)
    with workspace.warehouse.reading() as connection:
        assert connection.execute(query).scalars().all() == [STAGE]
