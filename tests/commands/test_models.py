"""The commands about models, called in this process: what they print, decide and refuse."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from include.errors import ConfigurationError, UsageError
from include.settings import Settings
from include.training import ledger, registry, release
from include.training.registry import open_registry
from include.warehouse.migrate import upgrade
from include.workspace import open_workspace
from tests.commands.conftest import Run
from tests.model_nights import AS_OF, CASE, fitted, prepare, wire

WINDOW = ["--from", "2013-01-01", "--to", "2013-01-02"]


@pytest.fixture
def proposed(settings: Settings, run: Run, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation in which version 1, a real model, waits for a person."""
    registry.init(settings, [CASE.name])
    candidate = fitted()
    version = release.register(open_registry(settings, CASE.name), CASE, candidate)
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        with workspace.warehouse.transaction() as connection:
            for event in ("registered", "proposed"):
                ledger.append(
                    connection,
                    use_case=CASE.name,
                    model_version=version.version,
                    sha256=candidate.model.sha256,
                    event=event,
                    actor="somebody",
                    reason="trained",
                    evidence=candidate.evidence,
                    artifact_uri=version.artifact_uri,
                    as_of=AS_OF,
                    at=workspace.now,
                )
    return settings


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["score", "flight_delay", *WINDOW, "--policy", "best"], "champion_now, champion_asof, p"),
        (["backfill", "flight_delay", *WINDOW, "--policy", "pinned"], "needs a model version"),
        (["backfill", "nyc_flights", *WINDOW, "--pinned", "3"], "no model scores it"),
        (["compare", "flight_delay", "3", "4", "--as-of", "soon"], "YYYY-MM-DD"),
        (["promote", "flight_dealy", "3"], "flight_delay"),
        (
            ["rollback", "flight_delay", "--to", "3", "--reason", "x", "--rescore-from", "soon"],
            "YYYY-MM-DD",
        ),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_opened(
    run: Run, arguments: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        run(*arguments)


def test_what_cannot_be_done_with_a_version_is_said(proposed: Settings, run: Run) -> None:
    back = ["rollback", "flight_delay", "--to", "1", "--reason", "x"]
    for arguments, words in [
        (["promote", "flight_delay", "9"], "has no model version 9; registered are 1"),
        (["compare", "flight_delay", "1", "9"], "no model version 9"),
        (["compare", "flight_delay", "1", "1"], "give two versions to compare"),
        (["rollback", "flight_delay", "--to", "1", "--reason", " "], "needs a reason"),
        (["card", "flight_delay", "9"], "no model version 9"),
        (back, "version 1 was never champion"),
        ([*back, "--rescore-from", "2013-01-01"], "nothing is scored yet"),
    ]:
        with pytest.raises(UsageError, match=words):
            run(*arguments)


def test_a_rejection_is_listed_with_who_and_why_and_cannot_be_repeated(
    proposed: Settings, run: Run
) -> None:
    told = run("reject", "flight_delay", "1", "--reason", "cries [red] wolf")
    assert told.startswith("version 1 kept: ") and "cries [red] wolf" in told

    listed = run("models", "flight_delay")
    places = [listed.index(word) for word in ("registered", "proposed", "kept", "ada")]
    assert places == sorted(places)
    assert "cries [red] wolf" in listed and "serves" not in listed

    with pytest.raises(UsageError, match="not waiting for approval; the ledger says kept"):
        run("approve", "flight_delay", "1", "--reason", "after all")


def test_the_champion_is_marked_and_its_card_is_written(proposed: Settings, run: Run) -> None:
    with (
        open_workspace(proposed) as workspace,
        workspace.warehouse.transaction() as connection,
    ):
        entry = ledger.registration(connection, CASE.name, "1")
        assert entry is not None
        ledger.decide(
            connection,
            entry,
            "promoted",
            actor="ada",
            reason="first champion",
            evidence={"champion": None},
            at=workspace.now,
        )

    assert "1 * │ promoted" in run("models", "flight_delay")
    assert "* version 1 serves" in run("models", "flight_delay")
    page = Path(run("card", "flight_delay", "1"))
    assert page.parent == proposed.home / "cards" / "flight_delay" / "1"
    assert "version 1" in page.read_text(encoding="utf-8")


def test_two_versions_are_compared_on_the_rows_neither_has_seen(
    proposed: Settings, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire(monkeypatch)
    monkeypatch.setattr("include.catalog.use_case", lambda _: CASE)
    with open_workspace(proposed) as workspace:
        prepare(workspace)
        with workspace.warehouse.transaction() as connection:
            entry = ledger.registration(connection, CASE.name, "1")
            assert entry is not None
            twin = replace(entry, model_version="2")
            ledger.enter(connection, twin, workspace.now)

    told = run("compare", "flight_delay", "1", "2", "--as-of", AS_OF.isoformat())

    assert "metric" in told and "version 1" in told and "version 2" in told
    found = re.search(r"│ auc │ (\S+) \[.*?\] │ (\S+) \[", told)
    assert found is not None, told
    assert found[1] == found[2], "the two are the same model"
    assert 0.5 < float(found[1]) < 0.8
    assert "flight_delay: version 2 against version 1 would not replace it" in told


def test_before_init_every_command_names_init(run: Run) -> None:
    reason = ["--reason", "x"]
    for command, *arguments in [
        ["models"],
        ["card", "1"],
        ["compare", "1", "2"],
        ["promote", "1"],
        ["approve", "1", *reason],
        ["reject", "1", *reason],
        ["rollback", "--to", "1", *reason, "--rescore-from", "2013-01-01"],
    ]:
        with pytest.raises(ConfigurationError, match=r"\./nightshift init"):
            run(command, "flight_delay", *arguments)


def test_without_models_there_is_nothing_to_list(run: Run, settings: Settings) -> None:
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
    assert run("models", "flight_delay") == "flight_delay has no models yet"
