"""Held nights: recorded once, released for exactly what was predicted, and through the stage."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.declare_model import Sanity
from include.errors import DaysStopped, UsageError
from include.features import build
from include.scoring import holds
from include.scoring.holds import Hold
from include.scoring.release import release
from include.scoring.score import score
from include.warehouse.tables import readiness
from include.window import Window
from include.workspace import Workspace
from tests.model_nights import CASE, NIGHTS, crown, frames, land, wire
from tests.scoring.models import TABLES, other_model, read, states

DAY, OTHER = date(2013, 4, 22), date(2013, 4, 23)
FINDINGS = ("all 900 predictions are the same (0.2)", "too few")


def hold(workspace: Workspace, day: date = DAY, **more: Any) -> None:
    said = {"model_version": "1", "input_hash": "in", "findings": FINDINGS, "run_id": "r1"}
    with workspace.warehouse.transaction() as connection:
        holds.hold(connection, CASE, day, **{**said, "at": workspace.now, **more})


def found(workspace: Workspace, day: date = DAY) -> Hold | None:
    with workspace.warehouse.reading() as connection:
        return holds.find(connection, CASE.name, day)


def is_released(workspace: Workspace, input_hash: str = "in", version: str = "1") -> bool:
    with workspace.warehouse.reading() as connection:
        return holds.released(connection, CASE, DAY, input_hash, version)


def test_a_hold_says_what_was_found(workspace: Workspace) -> None:
    hold(workspace)
    assert found(workspace) == Hold(CASE.name, DAY, "1", "in", FINDINGS, "r1", workspace.now)
    assert not is_released(workspace)


def test_held_again_for_the_same_keeps_its_row_and_for_other_reasons_does_not(
    workspace: Workspace,
) -> None:
    hold(workspace)
    hold(workspace, run_id="r2")
    assert found(workspace).run_id == "r1"
    hold(workspace, run_id="r3", findings=FINDINGS[:1])
    assert found(workspace).findings == FINDINGS[:1]
    hold(workspace, run_id="r4", input_hash="landed again")
    assert (found(workspace).run_id, found(workspace).input_hash) == ("r4", "landed again")


def test_a_release_is_for_one_model_and_one_input(workspace: Workspace) -> None:
    hold(workspace)
    said = holds.release(workspace, CASE, DAY, actor="ada", reason=" Thanksgiving ")
    assert said == found(workspace)
    assert (said.released_by, said.released_reason) == ("ada", "Thanksgiving")
    assert is_released(workspace)
    assert not is_released(workspace, input_hash="landed again")
    assert not is_released(workspace, version="2")


def test_a_run_that_began_before_a_release_does_not_take_it_back(workspace: Workspace) -> None:
    hold(workspace)
    holds.release(workspace, CASE, DAY, actor="ada", reason="a strike")
    hold(workspace, run_id="r2", findings=("something else",))
    assert is_released(workspace)
    hold(workspace, run_id="r3", model_version="2")
    assert found(workspace).released_at is None, "another model's predictions nobody has seen"


def test_what_is_published_is_no_longer_held_and_a_release_stays_on_record(
    workspace: Workspace,
) -> None:
    hold(workspace)
    hold(workspace, OTHER)
    holds.release(workspace, CASE, DAY, actor="ada", reason="a strike")
    with workspace.warehouse.transaction() as connection:
        holds.forget(connection, replace(CASE, name="another"), [DAY, OTHER])
        holds.forget(connection, CASE, [])
    assert found(workspace, OTHER) is not None
    with workspace.warehouse.transaction() as connection:
        holds.forget(connection, CASE, [DAY, OTHER])
    assert found(workspace, OTHER) is None
    assert found(workspace).released_by == "ada"


def test_a_hold_goes_when_its_input_is_no_longer_there(workspace: Workspace) -> None:
    hold(workspace)
    hold(workspace, OTHER)
    with workspace.warehouse.transaction() as connection:
        holds.forget_outdated(connection, CASE, {DAY: "in", OTHER: "landed again"})
        assert list(holds.of(connection, CASE.name)) == [DAY]
    holds.release(workspace, CASE, DAY, actor="ada", reason="a strike")
    with workspace.warehouse.transaction() as connection:
        holds.forget_outdated(connection, CASE, {DAY: "landed again"})
        assert holds.of(connection, CASE.name)[DAY].is_released, "decisions stay on record"


@pytest.mark.parametrize(
    ("day", "reason", "said"),
    [
        (OTHER, "why not", "nothing is held of 2013-04-23; held days: 2013-04-22"),
        (DAY, "  ", "say why the scores of 2013-04-22 may be published"),
    ],
)
def test_a_release_needs_a_hold_and_a_reason(
    workspace: Workspace, day: date, reason: str, said: str
) -> None:
    hold(workspace)
    with pytest.raises(UsageError, match=said):
        holds.release(workspace, CASE, day, actor="ada", reason=reason)
    assert found(workspace).released_at is None


def test_what_is_released_cannot_be_released_again(workspace: Workspace) -> None:
    hold(workspace)
    holds.release(workspace, CASE, DAY, actor="ada", reason="a strike")
    with pytest.raises(UsageError, match=r"was released by ada at 2014-06-01 .*\(a strike\)"):
        holds.release(workspace, CASE, DAY, actor="bob", reason="me too")
    assert found(workspace).released_by == "ada"


# Through the score stage, with real flights.

STRICT: UseCase = replace(CASE, scoring=replace(CASE.scoring, sanity=Sanity(least_nights=1)))
LAST = NIGHTS.end
EARLIER = Window(NIGHTS.start, NIGHTS.days[-2])
NIGHT = Window.night(LAST)


def thin(service: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a third of the last night's flights be planned."""
    rows = frames()
    gone = rows["data_day"].eq(LAST) & (rows["flight"] % 3 > 0)
    wire(monkeypatch, rows[~gone])
    land(service, [LAST], content="a third")


def said(service: Workspace) -> tuple[str, str | None]:
    with service.warehouse.reading() as connection:
        mine = readiness.c.data_day == LAST
        return tuple(
            connection.execute(sa.select(readiness.c.state, readiness.c.reason).where(mine)).one()
        )


def test_a_night_out_of_bounds_is_held_and_a_person_publishes_it(
    service: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(service, STRICT, EARLIER)
    thin(service, monkeypatch)
    with pytest.raises(DaysStopped, match=r"2013-04-26: held: there are .* below 40%"):
        score(service, STRICT, NIGHT, heal_days=35)
    assert states(service, "score")[LAST] == "stopped"
    assert LAST not in set(read(service)["data_day"])
    state, reason = said(service)
    assert state == "held"
    assert reason.endswith("./nightshift release flight_delay 2013-04-26 --reason TEXT")
    assert "stand" not in reason, "there is nothing from before"

    first = found(service, LAST)
    with pytest.raises(DaysStopped):
        score(service, STRICT, NIGHT, heal_days=35)
    assert found(service, LAST) == first, "held again for the same reasons"

    result = release(service, STRICT, LAST, actor="ada", reason="an air traffic strike")
    assert result.done == (LAST,)
    assert LAST in set(read(service)["data_day"])
    assert said(service) == ("ready", None)
    assert found(service, LAST).released_reason == "an air traffic strike"
    assert score(service, STRICT, NIGHT, heal_days=35).done == ()


def test_a_held_restatement_leaves_what_was_published(
    service: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(service, STRICT, NIGHTS)
    before, day_before = read(service), states(service, "score")
    thin(service, monkeypatch)
    with pytest.raises(DaysStopped, match="held"):
        score(service, STRICT, NIGHT, heal_days=35)
    assert read(service).equals(before)
    assert states(service, "score") == day_before
    assert len(read(service, TABLES.revisions)) == 0
    state, reason = said(service)
    assert state == "held"
    assert "the scores published 2014-06-01" in reason and "UTC stand" in reason


def test_other_input_than_the_released_is_judged_anew(
    service: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(service, STRICT, EARLIER)
    thin(service, monkeypatch)
    with pytest.raises(DaysStopped):
        score(service, STRICT, NIGHT)
    land(service, [LAST], content="a third, again")
    with pytest.raises(DaysStopped, match="held"):
        release(service, STRICT, LAST, actor="ada", reason="a strike")
    assert found(service, LAST).released_at is None


def test_a_release_publishes_what_was_held_though_its_features_are_stale(
    service: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(service, STRICT, EARLIER)
    thin(service, monkeypatch)
    with pytest.raises(DaysStopped):
        score(service, STRICT, NIGHT)
    monkeypatch.setattr(build, "current_days", lambda *_: [])
    with pytest.raises(DaysStopped, match="its features are older than what they are computed"):
        score(service, STRICT, NIGHT)
    assert release(service, STRICT, LAST, actor="ada", reason="a strike").done == (LAST,)


def test_a_release_publishes_what_the_held_model_said_whoever_is_champion_now(
    service: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(service, STRICT, EARLIER)
    thin(service, monkeypatch)
    with pytest.raises(DaysStopped):
        score(service, STRICT, NIGHT)
    crown(service, other_model(), version="2")
    assert release(service, STRICT, LAST, actor="ada", reason="a strike").done == (LAST,)
    mine = read(service)[read(service)["data_day"] == LAST]
    assert set(mine["model_version"]) == {"1"}


def test_a_window_without_bounds_publishes_everything(
    service: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    thin(service, monkeypatch)
    open_case = replace(CASE, scoring=replace(CASE.scoring, sanity=None))
    assert score(service, open_case, NIGHTS).done == NIGHTS.days
