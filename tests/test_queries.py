"""The analysts' queries: each answers its question from scores that were really published."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from include.monitoring import report
from include.monitoring.monitor import monitor
from include.monitoring.outcomes import write_outcomes
from include.monitoring.performance import measure_performance
from include.scoring import restatements
from include.scoring.score import score
from include.settings import REPOSITORY, Settings
from include.warehouse.monitoring_tables import model_performance
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.conftest import TEMPLATE, fresh_database, postgres_settings
from tests.model_nights import CASE, NIGHTS, crown, fitted, frames, land, prepare, serve, wire
from tests.planted import NOW

FOLDER = REPOSITORY / "docs" / "queries"
FILES = sorted(FOLDER.glob("*.sql"))
RESTATED = NIGHTS.days[2]


@dataclass(frozen=True)
class Published:
    """A warehouse with scored, restated and monitored nights, and what to ask it about."""

    workspace: Workspace
    values: dict[str, Any]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Published]:
    """Six real nights on each database, one of them restated."""
    home = tmp_path_factory.mktemp("queries")
    if request.param == "sqlite":
        yield from _publish(Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test"))
        return
    server = request.getfixturevalue("postgres_server")
    for address in fresh_database(server, TEMPLATE):
        yield from _publish(postgres_settings(home, address))


def _publish(settings: Settings) -> Iterator[Published]:
    from include.warehouse.migrate import upgrade

    with pytest.MonkeyPatch.context() as patch, open_workspace(settings, now=NOW) as workspace:
        upgrade(workspace.warehouse)
        patch.setattr(report, "write", lambda *_: None)
        wire(patch)
        serve(patch, frames())
        prepare(workspace)
        crown(workspace, fitted())
        score(workspace, CASE, NIGHTS)
        rows = frames()
        struck = rows["data_day"] == RESTATED
        wire(patch, rows.assign(distance=rows["distance"].where(~struck, 5000)))
        land(workspace, [RESTATED], content="landed again")
        score(workspace, CASE, Window.night(RESTATED))
        write_outcomes(workspace, CASE, NIGHTS)
        measure_performance(workspace, CASE, NIGHTS)
        monitor(workspace, CASE, NIGHTS)
        with workspace.warehouse.reading() as connection:
            (restated,) = restatements.listed(connection, CASE)
            (moved,) = restatements.largest(connection, CASE, restated.run_id, limit=1)
        yield Published(
            workspace,
            {
                "target_date": str(RESTATED + timedelta(days=1)),
                "first_date": str(NIGHTS.start + timedelta(days=1)),
                "last_date": str(NIGHTS.end + timedelta(days=1)),
                "carrier": moved.key["carrier"],
                "flight": moved.key["flight"],
                "instant": "2099-01-01 00:00:00",
                "since": "2013-01-01 00:00:00",
                "dates": 4,
            },
        )


def ask(published: Published, file: str, **values: Any) -> list[dict[str, Any]]:
    """Run a query as an analyst does: the text of the file, parameters by name."""
    text = next(it for it in FILES if it.name.startswith(file)).read_text(encoding="utf-8")
    query = sa.text(text.rstrip().rstrip(";"))
    wanted = {name: (published.values | values)[name] for name in query._bindparams}
    with published.workspace.warehouse.reading() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL TIME ZONE 'UTC'")
        return [dict(row) for row in connection.execute(query, wanted).mappings()]


@pytest.mark.parametrize("file", FILES, ids=lambda it: it.stem)
def test_every_query_answers_its_question(published: Published, file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("-- ") and "?" in lines[0], "the first line is the question"
    rows = ask(published, file.name)
    assert rows
    assert all(any(value is not None for value in row.values()) for row in rows)


def test_every_parameter_is_explained_with_an_example() -> None:
    assert len(FILES) == 11
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        explained = set(re.findall(r"^-- (\w+): .*for example \S+", text, re.MULTILINE))
        assert explained == set(sa.text(text)._bindparams), file.name


def test_the_riskiest_come_first_with_reasons(published: Published) -> None:
    rows = ask(published, "01")
    chances = [float(row["chance_of_delay"]) for row in rows]
    assert len(rows) == 10
    assert chances == sorted(chances, reverse=True)
    assert all(row["reason_1"] and row["called_late"] in (True, False) for row in rows)


def test_decisions_are_counted_as_they_came_out(published: Published) -> None:
    rows, planned = ask(published, "03"), frames()
    assert [str(row["target_date"]) for row in rows] == [
        str(day + timedelta(days=1)) for day in NIGHTS
    ]
    for row in rows:
        truth = planned.loc[planned["target_date"].astype(str) == str(row["target_date"]), "late"]
        assert row["flights"] == len(truth)
        assert row["without_label"] == truth.isna().sum()
        assert row["were_late"] == (truth == 1).sum()
        assert row["rightly_called"] <= min(row["called_late"], row["were_late"])
        found = row["rightly_called"] / row["were_late"]
        assert float(row["share_found"]) == pytest.approx(found, abs=0.001)
    assert sum(row["rightly_called"] for row in rows) > 0


def test_tenths_hold_every_labelled_flight_in_order(published: Published) -> None:
    rows = ask(published, "04")
    predicted = [float(row["predicted"]) for row in rows]
    assert [row["tenth"] for row in rows] == list(range(1, 11))
    assert predicted == sorted(predicted)
    nights = frames()[frames()["data_day"].isin(set(NIGHTS.days))]
    assert sum(row["flights"] for row in rows) == nights["late"].notna().sum()
    assert float(rows[-1]["came_late"]) > float(rows[0]["came_late"])


def test_what_was_said_before_a_restatement_is_told(published: Published) -> None:
    (now,) = ask(published, "06")
    before = ask(published, "06", instant=str(now["valid_from"])[:10] + " 00:00:00")
    (restated,) = ask(published, "07")
    assert before == [], "nothing was said before the first publication"
    assert now["valid_to"] is None
    assert restated["updated"] > 0
    moment = str(restated["changed_at"])[:26]
    earlier = _a_moment_before(moment)
    (then,) = ask(published, "06", instant=earlier)
    assert str(then["valid_to"])[:26] == moment
    assert (then["prediction"], then["valid_from"]) != (now["prediction"], now["valid_from"])


def _a_moment_before(moment: str) -> str:
    return str(datetime.fromisoformat(moment) - timedelta(microseconds=1))


def test_carriers_models_lineage_and_drift_agree_with_what_was_published(
    published: Published,
) -> None:
    nights = frames()[frames()["data_day"].isin(set(NIGHTS.days))]
    carriers = ask(published, "05")
    assert {row["carrier"]: row["flights"] for row in carriers} == dict(
        nights["carrier"].value_counts()
    )
    (model,) = ask(published, "08")
    assert (model["model_version"], model["scores"]) == ("1", len(nights))
    assert (model["into_service"], model["into_service_reason"]) == ("promoted", "for a test")
    (lineage,) = ask(published, "09")
    assert lineage["model_sha256"] == fitted().model.sha256
    assert "nyc_flights/flights" in lineage["lake_versions"]
    drift = ask(published, "10")
    assert [str(row["data_day"]) for row in drift] == [str(day) for day in NIGHTS.days[::-1]]
    assert all(row["features_compared"] > 10 for row in drift)


def figures_of(workspace: Workspace, metric: str) -> list[Any]:
    """Return one metric of the four newest target dates, oldest first."""
    table = model_performance.c
    query = sa.select(model_performance).where(table.slice == "all", table.metric == metric)
    with workspace.warehouse.reading() as connection:
        return connection.execute(query.order_by(table.target_date.desc()).limit(4)).all()[::-1]


def test_models_are_judged_by_their_newest_dates(published: Published) -> None:
    (model,) = ask(published, "11")
    auc, cost, never = (
        figures_of(published.workspace, metric) for metric in ("auc", "cost", "cost_never")
    )
    flights = [it.n for it in auc]
    assert (str(model["first_date"]), model["flights"]) == (str(auc[0].target_date), sum(flights))
    for name, figures in (("mean_auc", auc), ("cost", cost), ("cost_of_never_calling", never)):
        mean = sum(it.value * it.n for it in figures) / sum(flights)
        assert float(model[name]) == pytest.approx(mean, abs=0.0006)
    assert float(model["cost"]) <= float(model["cost_of_never_calling"])


def test_a_notebook_reads_a_sqlite_warehouse_and_cannot_write(published: Published) -> None:
    """As the guide says, through pandas and a read-only address."""
    warehouse = published.workspace.warehouse
    if not warehouse.is_sqlite:
        pytest.skip("the address is SQLite's")
    engine = sa.create_engine(f"sqlite:///file:{warehouse.address.database}?mode=ro&uri=true")
    query = sa.text(FILES[0].read_text(encoding="utf-8"))
    parameters = {"target_date": published.values["target_date"]}
    assert len(pd.read_sql(query, engine, params=parameters)) == 10
    with pytest.raises(sa.exc.OperationalError, match="readonly"), engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM flight_delay_scores")
    engine.dispose()


def test_the_guide_shows_exactly_these_queries() -> None:
    guide = (REPOSITORY / "docs" / "analysts.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\(queries/(\S+\.sql)\)", guide) == [file.name for file in FILES]
    for file in FILES:
        question = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("-- ")
        assert question in guide, file.name
