"""Seven nights, in any order and as one window, give the same tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.errors import DaysStopped
from include.training import ledger
from include.warehouse import tables
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from tests.copied import copy_of
from tests.faults.matrix import Fault, meets
from tests.history import opened
from tests.night.nights import DAYS, STAGES, night, visible
from tests.night.stages import without_pages
from tests.planted import PLANTED, PLANTED_USE_CASE, Faults


@pytest.fixture(scope="module", autouse=True)
def no_pages() -> Iterator[None]:
    with without_pages():
        yield


@pytest.fixture(scope="module")
def in_order(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home after seven nights in order."""
    home = copy_of(history, tmp_path_factory.mktemp("in_order") / "home")
    with opened(home) as workspace:
        for day in DAYS:
            night(workspace, day)
    return home


@pytest.fixture(scope="module")
def expected(in_order: Path) -> dict[str, object]:
    """What a reader sees after seven nights in order."""
    with opened(in_order) as workspace:
        return visible(workspace)


def assert_same(found: dict[str, object], expected: dict[str, object]) -> None:
    differing = [name for name in expected if found[name] != expected[name]]
    assert differing == []


def test_the_champion_is_reported_beside_its_baselines_and_is_not_a_leak(history: Path) -> None:
    with opened(history) as workspace, workspace.warehouse.reading() as connection:
        champion = ledger.champion(connection, PLANTED_USE_CASE.name)
        evidence = ledger.registration(connection, champion.use_case, "1").evidence
    assert champion.event == "promoted"
    auc = {"model": evidence["model"]["metrics"]["auc"]}
    auc |= {name: found["metrics"]["auc"] for name, found in evidence["baselines"].items()}
    assert len(auc) == 3
    for name, estimate in auc.items():
        assert estimate["lower"] <= estimate["value"] <= estimate["upper"], name
        assert estimate["value"] <= 0.70, f"{name}: much above 0.70 is a leak"
    assert auc["model"]["value"] > 0.60


def test_scores_are_exactly_the_planned_flights_each_once(in_order: Path) -> None:
    scores = use_case_tables(PLANTED_USE_CASE).scores
    with opened(in_order) as workspace:
        for day in DAYS:
            target = day + timedelta(days=1)
            planned = workspace.lake.read("nyc_flights/schedule", [day]).to_pandas()
            flown = workspace_flights(target)
            keys = {tuple(key) for key in planned[["time_hour", "carrier", "flight"]].values}
            assert len(keys) == len(planned) == len(flown)
            query = sa.select(scores.c.time_hour, scores.c.carrier, scores.c.flight)
            with workspace.warehouse.reading() as connection:
                found = connection.execute(query.where(scores.c.target_date == target)).all()
            assert len(found) == len(planned)
            assert {tuple(row) for row in found} == keys


def workspace_flights(day: date):
    from include.datasets.nyc_flights.source import ReplayedFlights

    return ReplayedFlights(PLANTED).read(PLANTED.table("flights"), [day])


def test_one_join_gives_every_score_its_lineage(in_order: Path) -> None:
    scores, runs = use_case_tables(PLANTED_USE_CASE).scores, tables.score_runs
    wanted = (
        runs.c.model_sha256,
        runs.c.feature_service,
        runs.c.lake_versions,
        runs.c.code_revision,
    )
    with opened(in_order) as workspace, workspace.warehouse.reading() as connection:
        total = connection.execute(sa.select(sa.func.count()).select_from(scores)).scalar_one()
        joined = connection.execute(
            sa.select(scores.c.reason_1, scores.c.reason_3, *wanted).join(
                runs,
                (scores.c.run_id == runs.c.run_id)
                & (scores.c.model_version == runs.c.model_version),
            )
        ).all()
    assert total == len(joined) > 6000
    assert all(value for row in joined for value in row)


def test_nothing_this_version_fills_is_empty(in_order: Path) -> None:
    filled = ["stage_days", "stage_runs", "score_runs", "model_ledger", "model_performance"]
    filled += ["drift_metrics", "drift_verdicts", "validation_results", "quarantine"]
    filled += ["data_quality"]
    with opened(in_order) as workspace, workspace.warehouse.reading() as connection:
        for name in filled:
            table = tables.metadata.tables[name]
            count = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            assert count > 0, name


def test_out_of_order(night_home: Path, expected: dict[str, object]) -> None:
    order = [DAYS.days[position] for position in (2, 0, 4, 1, 6, 3, 5)]
    with opened(night_home) as workspace:
        for day in order:
            night(workspace, day)
        assert_same(visible(workspace), expected)


def test_one_landed_late(night_home: Path, expected: dict[str, object], faults: Faults) -> None:
    late = DAYS.days[3]
    with opened(night_home) as workspace:
        for day in DAYS:
            faults.absent = {late} if day < DAYS.days[5] else set()
            if day == late:
                with pytest.raises(DaysStopped, match=f"{late}: absent"):
                    night(workspace, day)
            else:
                night(workspace, day)
        assert_same(visible(workspace), expected)
        revisions = use_case_tables(PLANTED_USE_CASE).revisions
        with workspace.warehouse.reading() as connection:
            restated = connection.execute(sa.select(revisions.c.data_day).distinct()).scalars()
            assert set(restated) == {DAYS.days[4]}


def test_as_one_window(night_home: Path, expected: dict[str, object]) -> None:
    with opened(night_home) as workspace:
        for stage in STAGES.values():
            stage(workspace, DAYS, 0)
        assert_same(visible(workspace), expected)


@meets(
    Fault(
        "The source",
        "features are stale: a day they look back on has landed again",
        "score: what each day's features were computed from",
        "the day is not scored and the command that builds them is named; once built it is",
    )
)
def test_stale_features_are_not_scored(night_home: Path, faults: Faults) -> None:
    first, second = DAYS.days[:2]
    both = Window(first, second)
    scores = use_case_tables(PLANTED_USE_CASE).scores
    with opened(night_home) as workspace:
        faults.change("flights", first, lambda rows: rows.assign(arrival_delay=90))
        for stage in ("ingest", "features"):
            STAGES[stage](workspace, both, 0)
        faults.heal()
        assert STAGES["ingest"](workspace, both, 0).done == (first,)
        with pytest.raises(DaysStopped, match="features are older than what they are") as stale:
            STAGES["score"](workspace, both, 0)
        assert set(stale.value.reasons) == {first, second}
        assert f"./nightshift features nyc_flights --from {second}" in stale.value.reasons[second]
        with workspace.warehouse.reading() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(scores)) == 0
        STAGES["features"](workspace, both, 0)
        assert STAGES["score"](workspace, both, 0).done == (first, second)
