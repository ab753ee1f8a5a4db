"""The commands about published scores, called in this process: what they print and refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sklearn.metrics import roc_auc_score

from include import catalog
from include.declare_model import Sanity
from include.errors import ConfigurationError, DaysStopped, UsageError
from include.monitoring.outcomes import write_outcomes
from include.monitoring.performance import measure_performance
from include.scoring.score import score
from include.settings import Settings
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.migrate import upgrade
from include.workspace import open_workspace
from tests.commands.conftest import Run
from tests.model_nights import CASE, NIGHTS, crown, fitted, frames, prepare, serve, wire
from tests.planted import NOW

STRICT = replace(CASE, scoring=replace(CASE.scoring, sanity=Sanity(least_nights=1)))
DAY = NIGHTS.end


@pytest.fixture
def held(settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation in which a night with a third of its flights is held."""
    rows = frames()
    wire(monkeypatch, rows[~(rows["data_day"].eq(DAY) & (rows["flight"] % 3 > 0))])
    monkeypatch.setattr(catalog, "use_case", lambda _name: STRICT)
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        prepare(workspace)
        crown(workspace, fitted())
        with pytest.raises(DaysStopped, match="held"):
            score(workspace, STRICT, NIGHTS)
    return settings


def test_a_held_night_is_shown_and_released(held: Settings, run: Run) -> None:
    day = str(DAY)
    shown = run("readiness", CASE.name)
    assert "late" in shown and "nyc_flights has not run for it" in shown
    said = run("release", CASE.name, day, "--reason", "an air traffic strike")
    assert f"score flight_delay {day}: 1 day done ({day})" in said
    with pytest.raises(UsageError, match=r"was released by ada .*\(an air traffic strike\)"):
        run("release", CASE.name, day, "--reason", "again")


def test_a_release_wants_a_day_that_is_held_and_a_reason(held: Settings, run: Run) -> None:
    with pytest.raises(UsageError, match=f"nothing is held of 2013-04-21; held days: {DAY}"):
        run("release", CASE.name, "2013-04-21", "--reason", "why not")
    with pytest.raises(UsageError, match="is not a day"):
        run("release", CASE.name, "yesterday", "--reason", "why not")
    with pytest.raises(UsageError, match="say why"):
        run("release", CASE.name, str(DAY), "--reason", " ")


def test_the_last_seven_mornings_are_shown(settings: Settings, run: Run) -> None:
    with pytest.raises(ConfigurationError, match="nightshift init"):
        run("readiness")
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        assert run("readiness") == "nothing is in service, so no scores are due"
        crown(workspace, fitted())
    shown = run("readiness")
    newest = USE_CASE.dataset.newest_ended_day(datetime.now(UTC))
    targets = [date.fromordinal(newest.toordinal() + 1 - age) for age in range(8)]
    assert [str(it) in shown for it in targets] == [True] * 7 + [False]
    with pytest.raises(UsageError, match="there is no use case called 'nyc_flights'"):
        run("readiness", "nyc_flights")


def test_performance_takes_dates_together_beside_what_the_gate_measured(
    settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "use_case", lambda _name: CASE)
    wire(monkeypatch)
    serve(monkeypatch, frames())
    with pytest.raises(ConfigurationError, match="nightshift init"):
        run("performance", CASE.name)
    with open_workspace(settings, now=NOW) as workspace:
        upgrade(workspace.warehouse)
        prepare(workspace)
        assert "no scores have mature outcomes" in run("performance", CASE.name)
        crown(workspace, fitted())
        score(workspace, CASE, NIGHTS)
        write_outcomes(workspace, CASE, NIGHTS)
        measure_performance(workspace, CASE, NIGHTS)

    shown = run("performance", CASE.name, "--dates", "5")

    known = frames()[
        frames()["target_date"].isin([DAY - timedelta(days=it) for it in range(-1, 4)])
    ]
    known = known[known["late"].notna()]
    auc = roc_auc_score(known["late"], fitted().model.predict(known))
    promised = fitted().evidence["model"]["metrics"]["auc"]["value"]
    assert f"version 1: 5 target dates, 2013-04-23 to 2013-04-27, {len(known):,} scores" in shown
    assert f"auc │ {auc:.4f} [" in shown and f"│ {promised:.4f} [" in shown
    assert f"cost_never │ {3 * known['late'].mean():.4f} [" in shown


def test_a_model_that_knew_the_dates_is_not_judged_by_them(
    settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "use_case", lambda _name: CASE)
    wire(monkeypatch)
    serve(monkeypatch, frames())
    with open_workspace(settings, now=NOW) as workspace:
        upgrade(workspace.warehouse)
        prepare(workspace)
        crown(workspace, fitted(), as_of=NIGHTS.end)
        score(workspace, CASE, NIGHTS)
        write_outcomes(workspace, CASE, NIGHTS)
        measure_performance(workspace, CASE, NIGHTS)
    through = NIGHTS.end - timedelta(days=CASE.label.mature_after)
    assert f"{(NIGHTS.end + timedelta(days=1) - through).days} target dates" in run(
        "performance", CASE.name
    )
