"""The developer's command: one day in a scratch home, everything else left alone."""

from __future__ import annotations

import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include import catalog
from include.commands.app import app
from include.commands.dev import WIDTH
from include.errors import ConfigurationError, DaysStopped, NightshiftError, SchemaBreak, UsageError
from include.features import build, retrieval, store
from include.rehearsal.session import session
from include.window import parse_day
from tests.planted import PLANTED_USE_CASE, Faults

DAY, AFTER = "2013-03-08", "2013-03-09"
QUICK = ("--lookback", "2", "--rows", "2")
NIGHT = ("dev", "flight_delay", "--day", DAY, "--days", "4", *QUICK)
Run = Callable[..., str]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which every test of this file rehearses; nothing but that may appear in it."""
    home = tmp_path_factory.mktemp("dev")
    yield home
    assert [it.name for it in home.iterdir()] == ["dev"]


@pytest.fixture
def run(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command; returns what it printed, or raises."""
    monkeypatch.setenv("NIGHTSHIFT_HOME", str(shared))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgres://ada:secret@127.0.0.1:1/night")
    monkeypatch.setenv("NIGHTSHIFT_LAKE", "s3://nobody/lake")

    def command(*arguments: str) -> str:
        done = CliRunner().invoke(app, list(arguments), catch_exceptions=True)
        if isinstance(done.exception, NightshiftError):
            done.exception.add_note(done.stdout)
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return command


@pytest.fixture
def first(run: Run, shared: Path) -> str:
    """What the first rehearsal of the file printed."""
    kept = shared / "dev" / "printed.txt"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(run(*NIGHT))
    return kept.read_text()


def rows(shared: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(shared / "dev" / "flight_delay" / "warehouse.db") as connection:
        return connection.execute(query).fetchall()


def test_every_table_of_the_night_is_printed_and_fits(first: str, shared: Path) -> None:
    for words in (
        f"nyc_flights {DAY}: what landed",
        "rules that failed",
        "carrier_delays: ",
        "plane: ",
        "entities due",
        "flight_delay_v1: features joined to the entities",
        "labels mature as of 2013-03-07",
        "scores, mean prediction",
        "reason_1",
        f"what moved on {DAY}",
        "looks back on 2 day(s) instead of 30",
        "a stand-in fitted on",
        f"rm -r {shared}/dev/flight_delay",
    ):
        assert words in first
    head = first.partition("\nnote: ")[0].splitlines()[1:]
    assert max(map(len, head)) <= WIDTH


def test_the_queries_it_prints_run(first: str, shared: Path, run: Run) -> None:
    (query,) = re.findall(r'warehouse\.db "([^"]+)"', first)
    assert len(rows(shared, query)) == 5
    (code,) = re.findall(r'-i -c "([^"]+)"', first)
    names: dict[str, object] = {}
    exec(code, names)
    assert names["duck"] is not None


def test_again_it_does_nothing_twice_and_says_the_same(first: str, shared: Path, run: Run) -> None:
    hashed = "SELECT content_hash FROM score_runs"
    before = rows(shared, hashed)
    again = run(*NIGHT)
    assert _tables(again) == _tables(first)
    assert rows(shared, hashed) == before and len(before) == 1
    (status,) = rows(
        shared, "SELECT status FROM stage_runs WHERE stage = 'ingest' ORDER BY started_at DESC"
    )[0]
    assert status == "unchanged"


def _tables(printed: str) -> str:
    return re.sub(r"· [\d.]+ s", "", printed)


def test_without_labels_there_are_entities_and_no_scores(first: str, run: Run) -> None:
    told = run("dev", "flight_delay", "--day", DAY, "--days", "0", *QUICK)
    assert "entities due" in told and "scores," not in told and "mature" not in told
    assert "--days 0 asks for no labels" in told


def test_a_regression_with_a_baseline_is_rehearsed_in_a_home_of_its_own(
    run: Run, shared: Path
) -> None:
    told = run("dev", "origin_hour_delay", "--day", DAY, "--days", "4", *QUICK)
    for words in (
        "origin_hour_delay: the baseline speaks of ",
        "origin_hour_delay_v1: features joined to the entities",
        "prediction_q10",
        f"what moved on {DAY}",
        "looks back on 2 day(s) instead of 30",
        f"rm -r {shared}/dev/origin_hour_delay",
    ):
        assert words in told
    assert "decision" not in told


def test_wrong_feature_sql_has_file_line_and_caret(
    first: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = build.sql_of
    monkeypatch.setattr(
        build,
        "sql_of",
        lambda dataset, name: honest(dataset, name).replace("planes.seats", "planes.seets"),
    )
    with pytest.raises(ConfigurationError, match=r"features/plane\.sql:6: Binder") as raised:
        run(*NIGHT)
    assert str(raised.value).endswith("\n    6 |     planes.seets\n      |     ^^^^^^^^^^^^")


def test_a_field_that_no_column_has_names_both_files(
    first: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(store.FEATURE_REPO, tmp_path / "feature_repo"))
    definitions = folder / "nyc_flights.py"
    definitions.write_text(definitions.read_text().replace('"age_years"', '"age_yaers"'))
    monkeypatch.setattr(store, "FEATURE_REPO", folder)
    monkeypatch.setattr(retrieval, "FEATURE_REPO", folder)
    for module in ("nyc_flights", "flight_delay"):  # so that they are read from the copy
        monkeypatch.delitem(sys.modules, module)
    with pytest.raises(SchemaBreak, match=r"'plane'.* has no column 'age_yaers'") as raised:
        run(*NIGHT)
    told = str(raised.value)
    assert f"Declared in {definitions}, computed by" in told
    assert told.endswith("include/datasets/nyc_flights/features/plane.sql")


def test_a_day_that_stops_shows_its_rules(
    first: str, run: Run, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "use_case", lambda _: PLANTED_USE_CASE)
    faults.change("flights", parse_day(AFTER), lambda found: found.assign(distance=-1))
    with pytest.raises(DaysStopped, match="distance") as raised:
        run("dev", "flight_delay", "--day", AFTER, "--days", "0", *QUICK)
    (printed,) = raised.value.__notes__
    assert re.search(r"flights +events +0 +0 +distance_\w+: \d+ of \d+ ", printed)


def test_a_session_sees_what_feature_sql_sees(first: str, run: Run) -> None:
    duck = session("flight_delay", DAY)
    assert duck.sql("SELECT data_day::TEXT FROM days").fetchall() == [(DAY,)]
    ((count, newest),) = duck.sql("SELECT count(*), max(data_day)::TEXT FROM flights").fetchall()
    assert count > 1000 and newest == DAY
    assert duck.sql("FROM recent_flights").limit(1).fetchall()


def test_wrong_requests_are_refused_and_remove_nothing(first: str, run: Run, shared: Path) -> None:
    with pytest.raises(UsageError, match="has not ended"):
        run("dev", "flight_delay", "--day", "2099-01-01", "--fresh")
    with pytest.raises(UsageError, match="before the first day 2013-01-01"):
        run("dev", "flight_delay", "--day", "2012-12-31", "--fresh")
    with pytest.raises(UsageError, match="there is no use case called 'flight_dealy'"):
        run("dev", "flight_dealy", "--day", DAY)
    with pytest.raises(UsageError, match="YYYY-MM-DD"):
        run("dev", "flight_delay", "--day", "soon")
    assert rows(shared, "SELECT count(*) > 0 FROM flight_delay_scores") == [(1,)]


def test_fresh_begins_anew_and_without_mature_labels_there_is_no_model(
    first: str, run: Run, shared: Path
) -> None:
    early = run("dev", "flight_delay", "--day", "2013-01-02", "--days", "4", "--fresh", *QUICK)
    assert "no label is mature as of 2013-01-01" in early
    assert "no scores, for no model could be fitted: " in early
    assert rows(shared, "SELECT count(*) FROM flight_delay_scores") == [(0,)]
    shutil.rmtree(shared / "dev" / "flight_delay")
    with pytest.raises(UsageError, match="there is no scratch home; run"):
        session("flight_delay", DAY)
