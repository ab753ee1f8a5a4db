"""Availability: values that change when rows known after the cut-off are removed are found."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from include.declare import UseCase
from include.declare_model import Baseline
from include.errors import LeakFound
from include.features import build
from include.features.build import build_features
from include.features.store import apply_definitions
from include.ingestion.landing import ingest
from include.settings import Settings
from include.training import availability, leakage, separation
from include.training.availability import Change, find_changes
from include.training.frame import TrainingFrame, labelled_frame
from include.warehouse import migrate
from include.window import Window
from include.workspace import Workspace, open_workspace
from tests.elsewhere import with_sql_in
from tests.planted import NOW, PLANTED, PLANTED_USE_CASE, Faults

LANDED = Window(date(2013, 2, 3), date(2013, 2, 10))
CASE = replace(
    PLANTED_USE_CASE,
    training=replace(PLANTED_USE_CASE.training, history_days=4, min_rows=1000),
)

NEXT_DAY = (
    "weather.data_day <= days.data_day\n    AND weather.known_at <= cutoffs.cutoff\n",
    "weather.known_at <= cutoffs.cutoff + INTERVAL 24 HOURS\n",
)
BY_DAY = (
    "ASOF JOIN cutoffs ON flights.known_at <= cutoffs.cutoff",
    "JOIN cutoffs ON cutoffs.data_day = flights.data_day",
)
DELAY = timedelta(minutes=1)
ACTUAL = """
SELECT plan.* EXCLUDE ({column}), coalesce({value}, plan.{column}) AS {column}
FROM ({honest}) AS plan
LEFT JOIN flights ON flights.data_day = plan.target_date
    AND flights.time_hour = plan.time_hour
    AND flights.carrier = plan.carrier AND flights.flight = plan.flight
"""


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with eight days of flights and their features."""
    home = tmp_path_factory.mktemp("landed") / "home"
    home.mkdir()
    with opened(home) as workspace:
        migrate.upgrade(workspace.warehouse)
        apply_definitions(workspace.settings)
        ingest(workspace, PLANTED, LANDED)
        build_features(workspace, PLANTED, LANDED)
    return home


def opened(home: Path):
    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    return open_workspace(settings, now=NOW)


@pytest.fixture
def workspace(landed: Path, tmp_path: Path) -> Iterator[Workspace]:
    with opened(shutil.copytree(landed, tmp_path / "copy")) as workspace:
        yield workspace


def plant(monkeypatch: pytest.MonkeyPatch, workspace: Workspace, leak: tuple[str, str]) -> None:
    """Change the SQL of features and build them again."""
    honest, (before, after) = build.sql_of, leak
    texts = [honest(PLANTED, name) for name in ("origin_weather", "recent_flights")]
    assert sum(before in text for text in texts) == 1
    monkeypatch.setattr(build, "sql_of", lambda *of: honest(*of).replace(before, after))
    assert build_features(workspace, PLANTED, LANDED).changed


def elsewhere(folder: Path, change: Callable[[str], str]) -> UseCase:
    """Return the use case with another `entities.sql`."""
    sql = Path(shutil.copytree(CASE.folder, folder / "sql"))
    honest = (sql / "entities.sql").read_text()
    (sql / "entities.sql").write_text(change(honest))
    assert change(honest) != honest
    return with_sql_in(sql, CASE)


def checked(workspace: Workspace, case: UseCase = CASE) -> tuple[TrainingFrame, dict[str, Change]]:
    data = labelled_frame(workspace, case, LANDED.end)
    return data, {it.feature: it for it in find_changes(workspace, case, data, LANDED.end)}


def test_honest_features_do_not_change(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger=availability.__name__):
        data, found = checked(workspace)
    assert len(data.frame) > 3000 and not found
    assert "nothing changed" in caplog.text and str(max(data.frame["data_day"])) in caplog.text


def test_the_weather_of_the_target_date_is_found(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, workspace, NEXT_DAY)
    data, found = checked(workspace)

    limit = CASE.gate.leak_auc
    target = separation.target_of(data, "binary")
    assert max(separation.separate_alone(data, target).values()) < limit
    weather = {name for name in data.features if name.startswith("origin_weather__")}
    assert found.keys() <= weather and "origin_weather__temp" in found
    temp = found["origin_weather__temp"]
    assert (temp.source, temp.day) == ("origin_weather", max(data.frame["data_day"]))
    assert temp.key.keys() == {"origin"} and temp.changed == temp.rows == 3
    raw = workspace.lake.read("nyc_flights/weather").to_pandas().sort_values("known_at")
    seen = raw[(raw["origin"] == temp.key["origin"])]
    cutoff = PLANTED.cutoff(temp.day)
    assert temp.used == seen[seen["known_at"] <= cutoff + timedelta(days=1)]["temp"].iloc[-1]
    known = seen[(seen["known_at"] <= cutoff) & (seen["data_day"] <= temp.day)]
    assert temp.known == known["temp"].iloc[-1] != temp.used
    with pytest.raises(LeakFound, match=rf"it is {temp.used} in the .* and {temp.known} from what"):
        leakage.refuse(workspace, CASE, data, LANDED.end)


def test_flights_counted_before_they_landed_are_found(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch, workspace, BY_DAY)
    _, found = checked(workspace)
    change = found["carrier_delays__flights_7d"]
    assert change.used > change.known and 0 < change.changed <= change.rows
    assert not any(name.startswith("origin_weather__") for name in found)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("departure_minute", "plan.departure_minute + flights.arrival_delay"),  # a feature
        ("tailnum", "flights.tailnum || '*'"),  # a key that leads to features
    ],
)
def test_entities_that_know_the_flight_are_found(
    workspace: Workspace, tmp_path: Path, column: str, value: str
) -> None:
    case = elsewhere(
        tmp_path,
        lambda sql: ACTUAL.format(column=column, value=value, honest=sql.strip().rstrip(";")),
    )
    _, found = checked(workspace, case)
    assert found.keys() == {column}
    change = found[column]
    assert change.source == "entities.sql" and change.used != change.known
    assert change.key.keys() == {"target_date", "time_hour", "carrier", "flight"}
    assert change.rows * 0.3 < change.changed <= change.rows


def test_plans_published_after_the_cutoff_are_rows_that_are_not_there(
    workspace: Workspace, tmp_path: Path, faults: Faults
) -> None:
    late = date(2013, 2, 7)
    faults.change(
        "schedule",
        late,
        lambda plan: plan.assign(
            known_at=plan["known_at"].mask(plan["carrier"] == "AA", PLANTED.cutoff(late) + DELAY)
        ),
    )
    ingest(workspace, PLANTED, Window.night(late))
    build_features(workspace, PLANTED, LANDED)
    filtered = "WHERE schedule.known_at <= cutoffs.cutoff"
    _, found = checked(workspace, elsewhere(tmp_path, lambda sql: sql.replace(filtered, "")))
    assert set(CASE.training.schedule_features) <= found.keys()
    assert found["carrier"].used == "AA" and found["carrier"].known is None


def test_days_that_landed_again_are_no_evidence(
    workspace: Workspace,
    faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    again = date(2013, 2, 5)
    faults.change("flights", again, lambda f: f.assign(arrival_delay=f["arrival_delay"] + 90))
    ingest(workspace, PLANTED, Window.night(again))
    data, found = checked(workspace)
    assert not found
    assert "3 of 4 day(s)" in caplog.text
    assert "2013-02-05, 2013-02-06, 2013-02-07" in caplog.text

    monkeypatch.setattr(availability, "current_days", lambda _w, _d, days: list(days))
    found = find_changes(workspace, CASE, data, LANDED.end)
    assert "carrier_delays__late_rate_7d" in {it.feature for it in found}, (
        "they would have been blamed"
    )


def test_without_any_current_day_nothing_is_blamed(
    workspace: Workspace, faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    faults.change("flights", LANDED.start, lambda f: f.assign(arrival_delay=f["arrival_delay"] + 1))
    ingest(workspace, PLANTED, Window.night(LANDED.start))
    assert not checked(workspace)[1]
    assert "4 of 4 day(s)" in caplog.text


def test_what_lands_after_the_frame_was_read_changes_nothing(
    workspace: Workspace, faults: Faults
) -> None:
    data = labelled_frame(workspace, CASE, LANDED.end)
    faults.change("flights", LANDED.start, lambda f: f.assign(arrival_delay=f["arrival_delay"] + 9))
    ingest(workspace, PLANTED, Window.night(LANDED.start))
    build_features(workspace, PLANTED, LANDED)
    assert not find_changes(workspace, CASE, data, LANDED.end)


RATES = """
SELECT days.data_day, days.data_day + 1 AS target_date, time_hour, carrier, flight,
    avg((arrival_delay >= 15)::INTEGER) OVER (PARTITION BY days.data_day, carrier) AS baseline
FROM days JOIN cutoffs USING (data_day)
JOIN flights ON flights.data_day = days.data_day {known}
"""


@pytest.mark.parametrize("known", ["AND flights.known_at <= cutoffs.cutoff", ""])
def test_a_baseline_that_looks_ahead_is_found(
    workspace: Workspace, tmp_path: Path, known: str
) -> None:
    sql = Path(shutil.copytree(CASE.folder, tmp_path / "sql"))
    (sql / "baseline.sql").write_text(RATES.format(known=known))
    rule = Baseline("airline_day", "the airline's share of the day", 1)
    case = with_sql_in(sql, replace(CASE, baseline=rule))
    data, found = checked(workspace, case)
    if known:
        assert not found
        return
    assert found.keys() == {"baseline"} and found["baseline"].source == "baseline.sql"
    with pytest.raises(LeakFound, match=r"baseline \(baseline\.sql\) of data day .* changes when"):
        leakage.refuse(workspace, case, data, LANDED.end)
