"""`origin_hour_delay` as it ships: trained, judged, scored and measured beside its own baseline."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from rich.console import Console

from include.features.build import build_features
from include.ingestion.landing import ingest
from include.monitoring.monitor import monitor
from include.monitoring.outcomes import write_outcomes
from include.monitoring.performance import measure_performance
from include.monitoring.standing import standings
from include.orchestration.local import summary
from include.scoring.score import score
from include.training import registry
from include.training.train import TrainingResult, train
from include.use_cases.origin_hour_delay.declaration import USE_CASE
from include.warehouse.monitoring_tables import model_performance
from include.warehouse.use_cases import apply, use_case_tables
from include.window import Window
from include.workspace import Workspace
from tests.copied import copy_of
from tests.history import HISTORY, opened
from tests.planted import PLANTED, Faults

CASE = replace(USE_CASE, dataset=PLANTED)
LATER = Window(date(2013, 10, 1), date(2013, 10, 5))
TARGETS = [date(2013, 10, 1), date(2013, 10, 2), date(2013, 10, 3)]
"""Of the nights from the last of the history on, those whose outcomes are mature."""
RULE = "same_weekday_hour"


@pytest.fixture(scope="module")
def trained(
    history: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Workspace, TrainingResult]]:
    """The history with a champion of the use case and the scores of five nights."""
    home = copy_of(history, tmp_path_factory.mktemp("hours") / "home")
    with opened(home) as workspace:
        apply(workspace.warehouse, CASE)
        registry.init(workspace.settings, [CASE.name])
        result = train(workspace, CASE, HISTORY.end, promote=True, actor="test")
        ingest(workspace, PLANTED, LATER)
        build_features(workspace, PLANTED, LATER)
        nights = Window(HISTORY.end, LATER.end)
        score(workspace, CASE, nights)
        write_outcomes(workspace, CASE, nights)
        measure_performance(workspace, CASE, nights)
        monitor(workspace, CASE, LATER)
        yield workspace, result


def flights_of(workspace: Workspace, target: date) -> pd.DataFrame:
    """Return what flew on the days that the rule looks at for a target date."""
    days = [target - timedelta(days=7 * week) for week in range(1, 5)]
    flights = workspace.lake.read("nyc_flights/flights", days).to_pandas()
    cutoff = pd.Timestamp(PLANTED.cutoff(target - timedelta(days=1)))
    return flights[(flights["known_at"] <= cutoff) & flights["departure_delay"].notna()]


def rule(workspace: Workspace, target: date) -> pd.Series[Any]:
    flights = flights_of(workspace, target)
    return flights.groupby(["origin", "departure_hour"])["departure_delay"].mean()


def truth(workspace: Workspace, target: date) -> pd.Series[Any]:
    flights = workspace.lake.read("nyc_flights/flights", [target]).to_pandas()
    flown = flights[flights["departure_delay"].notna()]
    return flown.groupby(["origin", "departure_hour"])["departure_delay"].mean()


def test_the_model_is_promoted_because_it_beats_the_mean_of_the_same_hours(
    trained: tuple[Workspace, TrainingResult],
) -> None:
    workspace, result = trained
    assert result.verdict == "promoted", result.decision.reason
    evidence = result.registered.evidence
    theirs = evidence["baselines"][RULE]
    assert theirs["rows"] == evidence["model"]["rows"] > 1400
    assert evidence["declared_baseline"]["gain"]["lower"] > 0
    rails = {it["name"]: it for it in result.decision.evidence["guardrails"]}
    assert rails["baseline"]["passed"]
    assert f"it beats {USE_CASE.baseline and USE_CASE.baseline.meaning}" in result.registered.reason

    first, last = (date.fromisoformat(it) for it in evidence["spans"]["test"])
    errors = []
    for target in Window(first, last):
        found = truth(workspace, target)
        said = rule(workspace, target).reindex(found.index)
        errors += (found - said.fillna(evidence["constant"]["value"])).abs().tolist()
    assert theirs["metrics"]["mae"]["value"] == pytest.approx(np.mean(errors))


def test_every_planned_hour_has_an_amount_within_its_interval(
    trained: tuple[Workspace, TrainingResult],
) -> None:
    workspace, _ = trained
    scores = use_case_tables(CASE).scores
    with workspace.warehouse.reading() as connection:
        rows = pd.DataFrame(connection.execute(sa.select(scores)).mappings().all())
    plan = workspace.lake.read("nyc_flights/schedule", [HISTORY.end, *LATER]).to_pandas()
    planned = plan.groupby(["data_day", "origin", "departure_hour"]).size()
    assert rows.set_index(planned.index.names)["planned_flights"].to_dict() == planned.to_dict()
    assert rows["decision"].isna().all() and rows["threshold"].isna().all()
    assert (rows["prediction_q10"] <= rows["prediction"]).all()
    assert (rows["prediction"] <= rows["prediction_q90"]).all()
    assert rows["reason_1"].str.contains(" the prediction").all()


def test_scores_are_measured_beside_the_same_rule(
    trained: tuple[Workspace, TrainingResult],
) -> None:
    workspace, _ = trained
    figures = read(workspace)
    assert sorted(figures.index.unique(0)) == TARGETS
    for target in TARGETS:
        found = truth(workspace, target)
        error = (found - rule(workspace, target).reindex(found.index)).abs()
        assert error.notna().all()
        assert figures[target, f"mae_{RULE}"] == pytest.approx(error.mean())
        assert not any(
            name.startswith("pinball") and RULE in name for name in figures[target].index
        )
    (standing,) = standings(workspace, CASE)
    assert standing.dates == len(TARGETS) and set(standing.baselines) >= {f"mae_{RULE}"}
    weights = [len(truth(workspace, target)) for target in TARGETS]
    by_date = [figures[target, f"mae_{RULE}"] for target in TARGETS]
    assert standing.baselines[f"mae_{RULE}"].value == pytest.approx(
        np.average(by_date, weights=weights)
    )


def test_the_summary_of_a_demo_speaks_of_minutes(
    trained: tuple[Workspace, TrainingResult],
) -> None:
    workspace, _ = trained
    console = Console(record=True, width=80)
    summary.show(workspace.settings, PLANTED, [CASE], HISTORY, LATER.days, console)
    text = console.export_text()
    assert "The nights of origin_hour_delay" in text and "highest" in text
    assert "same" in text and "weekday" in text and "MAE (lower)" in text
    assert "pinball 0.9" in text and "…]" not in text
    assert "AUC" not in text and "called" not in text
    query = text[text.index("SELECT") : text.index(";", text.index("SELECT"))]
    with workspace.warehouse.reading() as connection:
        rows = connection.execute(sa.text(query)).mappings().all()
    assert len(rows) == 5
    assert all(row["q10"] <= row["prediction"] <= row["q90"] for row in rows)


def test_a_day_that_lands_again_is_measured_again(
    trained: tuple[Workspace, TrainingResult], faults: Faults
) -> None:
    workspace, _ = trained
    nights, restated = Window(HISTORY.end, LATER.end), TARGETS[1] - timedelta(days=7)
    before = read(workspace)
    assert not measure_performance(workspace, CASE, nights).changed
    faults.change("flights", restated, partial(_delay, 30))
    ingest(workspace, PLANTED, Window.night(restated))

    assert TARGETS[1] in measure_performance(workspace, CASE, nights).done
    after = read(workspace)
    changed = before[before != after].index
    assert {metric for _, metric in changed} <= {f"mae_{RULE}", f"rmse_{RULE}"}
    assert {target for target, _ in changed} == {TARGETS[1]}


def _delay(minutes: int, flights: pd.DataFrame) -> pd.DataFrame:
    return flights.assign(departure_delay=flights["departure_delay"] + minutes)


def read(workspace: Workspace) -> pd.Series[float]:
    """Return target date, metric → value of all rows."""
    figures = model_performance.c
    query = sa.select(figures.target_date, figures.metric, figures.value).where(
        figures.use_case == CASE.name, figures.slice == "all"
    )
    with workspace.warehouse.reading() as connection:
        found = pd.DataFrame(connection.execute(query).all(), columns=["date", "metric", "value"])
    return found.set_index(["date", "metric"])["value"].sort_index()
