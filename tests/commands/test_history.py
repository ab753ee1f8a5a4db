"""The commands about what was said before: what they print and refuse."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.errors import ConfigurationError, UsageError
from include.settings import Settings
from include.warehouse.migrate import upgrade
from include.warehouse.use_cases import apply
from include.workspace import open_workspace
from tests.commands.conftest import Run
from tests.scoring.publishing import DAYS, NOON, publish, rows
from tests.warehouse.conftest import USE_CASE


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.catalog.use_case", lambda _: USE_CASE)


@pytest.fixture
def installed(settings: Settings) -> Settings:
    """An installation in which nothing is published yet."""
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        apply(workspace.warehouse, USE_CASE)
    return settings


@pytest.fixture
def restated(installed: Settings) -> Settings:
    """An installation with a day that was published and restated an hour later."""
    with open_workspace(installed) as workspace:
        for hour, prediction in enumerate((0.25, 0.75)):
            said = rows({"prediction": prediction, "customer": "[ann]"}, {"order_number": 2})
            at = NOON + timedelta(hours=hour)
            publish(workspace.warehouse, USE_CASE, DAYS[:1], said, at, f"run {hour}")
    return installed


def test_what_was_said_then_is_not_what_is_said_now(restated: Settings, run: Run) -> None:
    then = run("said", "late_order", "--at", "2013-10-08T08:30:00-04:00", "--limit", "1")
    assert "2 score(s) were said at 2013-10-08 12:30:00 UTC; 1 shown" in then
    assert "0.5" in then and "[ann]" not in then
    then = run("said", "late_order", "--at", "2013-10-08T12:30", "--target", "2013-10-06")
    assert "[ann]" in then and "│ 0.25 │" in then and "│ 2013-10-08 13:00:00 │" in then
    now = run("said", "late_order", "--at", "2099-01-01")
    assert "│ 0.75 │" in now and "│ 0.25 │" not in now
    before = run("said", "late_order", "--at", "2013-10-08", "--target", "2013-10-06")
    assert before.startswith("late_order: 0 score(s) about 2013-10-06 were said at")


def test_restatements_are_listed_and_a_run_shows_its_rows(restated: Settings, run: Run) -> None:
    listed = run("restatements", "late_order")
    assert "2013-10-05 │ 1 │ 0 │ 0 │ 0.5 │ 0.5 │ 1 │ 2013-10-08 13:00:00 │ run 1" in listed
    assert "before" not in listed
    told = run("restatements", "late_order", "--run", "run 1")
    assert "│ [ann] │ 1 │ 0.25 │ 0.75 │ 0.5 │ False │ True │" in told


def test_nothing_restated_is_said(installed: Settings, run: Run) -> None:
    told = run("restatements", "late_order")
    assert told == "late_order: no published score was ever restated"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["said", "late_order", "--at", "yesterday"], "ISO 8601"),
        (["said", "late_order", "--at", "2013-10-08", "--target", "soon"], "YYYY-MM-DD"),
        (["restatements", "late_order", "--run", "run 9"], "run 9 restated nothing"),
    ],
)
def test_a_wrong_request_is_refused(
    restated: Settings, run: Run, arguments: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        run(*arguments)


def test_before_init_both_name_init(run: Run) -> None:
    for arguments in (["said", "late_order", "--at", "2013-10-08"], ["restatements", "late_order"]):
        with pytest.raises(ConfigurationError, match=r"\./nightshift init"):
            run(*arguments)
