"""A use case with two target dates per data day: trained, scored, published, monitored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.declare_model import Baseline
from include.features.build import build_features
from include.ingestion.landing import ingest
from include.monitoring.monitor import monitor
from include.scoring.score import score
from include.training import ledger, registry
from include.training.train import train
from include.warehouse.tables import readiness
from include.warehouse.use_cases import UseCaseTables, apply, use_case_tables
from include.window import Window
from include.workspace import Workspace
from tests.copied import copy_of
from tests.history import HISTORY, opened
from tests.night.stages import without_pages
from tests.planted import PLANTED, PLANTED_USE_CASE

FIRST, SECOND = date(2013, 10, 1), date(2013, 10, 2)


@dataclass(frozen=True)
class TwoDays(UseCase):
    """A use case whose files are beside this test."""

    @property
    def folder(self) -> Path:
        return Path(__file__).parent / "two_days"


SHORT = replace(
    PLANTED_USE_CASE.training,
    history_days=60,
    validation_days=10,
    test_days=14,
    rounds=20,
    refit=False,
    min_rows=500,
)
TWO_DAYS = TwoDays(
    **{
        **vars(PLANTED_USE_CASE),
        "name": "two_days",
        "horizons": (1, 2),
        "baseline": Baseline("airline_week", "the airline's share of late flights of a week", 7),
        "training": SHORT,
        "gate": replace(PLANTED_USE_CASE.gate, worst=0.5, too_good=0.9, slices=()),
    }
)
TABLES = use_case_tables(TWO_DAYS)


@pytest.fixture(scope="module")
def two_nights(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """Two nights, one after the other, with a model of the use case's own."""
    home = copy_of(history, tmp_path_factory.mktemp("horizons") / "home")
    with without_pages(), opened(home) as workspace:
        apply(workspace.warehouse, TWO_DAYS)
        registry.init(workspace.settings, [TWO_DAYS.name])
        train(workspace, TWO_DAYS, HISTORY.end, promote=True, actor="test")
        for day in (FIRST, SECOND):
            night = Window.night(day)
            ingest(workspace, PLANTED, night)
            build_features(workspace, PLANTED, night)
            score(workspace, TWO_DAYS, night, PLANTED.heal_days)
            monitor(workspace, TWO_DAYS, night, PLANTED.heal_days)
        yield workspace


def ask(workspace: Workspace, query: sa.Select[tuple[object, ...]]) -> list[tuple[object, ...]]:
    with workspace.warehouse.reading() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_the_model_is_measured_beside_the_declared_baseline(two_nights: Workspace) -> None:
    with two_nights.warehouse.reading() as connection:
        serving = ledger.champion(connection, TWO_DAYS.name)
        assert serving is not None
        entry = ledger.registration(connection, TWO_DAYS.name, serving.model_version)
    assert entry is not None
    evidence = entry.evidence
    theirs = evidence["baselines"]["airline_week"]
    assert theirs["rows"] == evidence["model"]["rows"]
    assert 0.4 < theirs["metrics"]["auc"]["value"] < 0.6
    told = evidence["declared_baseline"]
    gain = evidence["model"]["metrics"]["auc"]["value"] - theirs["metrics"]["auc"]["value"]
    assert told["gain"]["value"] == pytest.approx(gain) and told["silent"] < 0.01 * theirs["rows"]
    card = (Path(urlsplit(serving.artifact_uri).path) / "card.md").read_text(encoding="utf-8")
    assert "the airline's share of late flights of a week" in card
    assert "Airline week" in card


def test_each_night_scores_each_target_date_once(two_nights: Workspace) -> None:
    scores = TABLES.scores.c
    found = ask(
        two_nights,
        sa.select(scores.data_day, scores.target_date, sa.func.count())
        .group_by(scores.data_day, scores.target_date)
        .order_by(scores.data_day, scores.target_date),
    )
    counted = {(day, target): rows for day, target, rows in found}
    assert set(counted) == {
        (day, day + timedelta(days=ahead)) for day in (FIRST, SECOND) for ahead in (1, 2)
    }
    for day in (FIRST, SECOND):
        assert counted[day, day + timedelta(days=1)] == counted[day, day + timedelta(days=2)] > 900


def test_the_latest_score_of_a_target_date_is_that_of_the_newest_data_day(
    two_nights: Workspace,
) -> None:
    view = sa.table(f"{TABLES.scores.name}_latest", sa.column("target_date"), sa.column("data_day"))
    target = SECOND + timedelta(days=1)
    found = ask(
        two_nights,
        sa.select(sa.column("data_day"), sa.func.count())
        .select_from(view)
        .where(view.c.target_date == sa.literal(target, sa.Date))
        .group_by(sa.column("data_day")),
    )
    days = {str(day) for day, _ in found}
    # Flights that are planned on one day and were not the day before keep their older score.
    assert str(SECOND) in days
    scored = ask(
        two_nights,
        sa.select(sa.func.count()).where(
            TABLES.scores.c.target_date == target, TABLES.scores.c.data_day == SECOND
        ),
    )
    assert dict((str(day), rows) for day, rows in found)[str(SECOND)] == scored[0][0]


def test_exact_reasons_are_given_per_target_date(two_nights: Workspace) -> None:
    scores = TABLES.scores.c
    found = ask(
        two_nights,
        sa.select(scores.data_day, scores.target_date, sa.func.count())
        .where(scores.reason_method == "exact")
        .group_by(scores.data_day, scores.target_date),
    )
    assert [rows for _, _, rows in found] == [TWO_DAYS.scoring.exact_reasons] * 4


def test_a_morning_is_ready_when_the_newest_data_day_for_it_is_scored(
    two_nights: Workspace,
) -> None:
    found = ask(
        two_nights,
        sa.select(readiness.c.target_date, readiness.c.data_day, readiness.c.state)
        .where(
            readiness.c.use_case == TWO_DAYS.name,
            readiness.c.target_date.between(FIRST, SECOND + timedelta(days=1)),
            readiness.c.state == "ready",
        )
        .order_by(readiness.c.target_date),
    )
    assert found == [(day + timedelta(days=1), day, "ready") for day in (FIRST, SECOND)]


def test_a_window_gives_what_its_nights_gave(
    two_nights: Workspace, history: Path, tmp_path: Path
) -> None:
    def told(workspace: Workspace, tables: UseCaseTables) -> list[tuple[object, ...]]:
        names = [*tables.key, *tables.content]
        return ask(
            workspace, sa.select(*(tables.scores.c[name] for name in names)).order_by(*tables.key)
        )

    before = told(two_nights, TABLES)
    window = Window(FIRST, SECOND)
    with two_nights.warehouse.transaction() as connection:
        connection.execute(sa.delete(TABLES.scores))
        days = sa.table("stage_days", sa.column("stage"), sa.column("subject"))
        connection.execute(
            sa.delete(days).where(days.c.stage == "score", days.c.subject == TWO_DAYS.name)
        )
    score(two_nights, TWO_DAYS, window)
    assert told(two_nights, TABLES) == before
