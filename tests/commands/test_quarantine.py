"""The commands about held rows, called in this process: what they print, ask and refuse."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from include import catalog
from include.errors import ConfigurationError, UsageError
from include.ingestion.landing import ingest
from include.settings import Settings
from include.warehouse import tables
from include.warehouse.migrate import upgrade
from include.workspace import Workspace, open_workspace
from tests.commands.conftest import Run
from tests.ingestion.deciding import DAY, NIGHT, WEATHER, WIND, held, rows_of

PRIVATE = replace(
    WEATHER,
    tables=(
        replace(
            WEATHER.table("weather"),
            columns=tuple(
                replace(column, personal=column.name == "origin")
                for column in WEATHER.table("weather").columns
            ),
        ),
    ),
)


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "dataset", lambda _name: PRIVATE)


@pytest.fixture
def quarantine(run: Run) -> Run:
    """Run `./nightshift quarantine`."""
    return partial(run, "quarantine")


@pytest.fixture
def installed(settings: Settings) -> Workspace:
    """An installation in which one row of weather is held."""
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        ingest(workspace, PRIVATE, NIGHT)
        yield workspace


def decisions(workspace: Workspace) -> list[tuple[str, str, str]]:
    rows = rows_of(workspace, tables.quarantine_decisions)
    return [(row["action"], row["actor"], row["reason"]) for row in rows]


def test_a_row_from_the_list_to_its_release_and_back(installed: Workspace, quarantine: Run) -> None:
    name, (row,) = WEATHER.name, held(installed)
    row_hash = row["row_hash"]
    assert row_hash in quarantine("list", name, "--rule", WIND, "--day", str(DAY))
    assert quarantine("list", name, "--rule", "key_unique") == "nothing is held back"
    say = ("--reason", "a storm")

    tried = quarantine("release", name, row_hash, *say, "--dry-run")
    assert f"nyc_flights.weather {DAY} would land 72 of 72 rows" in tried
    assert tried.endswith("nothing was decided") and decisions(installed) == []

    assert quarantine("release", name, row_hash, *say, answer="y\n").endswith("decided")
    assert decisions(installed) == [("release", "ada", "a storm")]
    assert "release, from its next landing on" in quarantine("list", name)
    ingest(installed, PRIVATE, NIGHT)
    assert quarantine("list", name) == "nothing is held back"
    assert quarantine("list", name, "--all").endswith(f"{WIND} {row['row_key']} release")
    shown = quarantine("show", row_hash)
    assert "release when it was landed" in shown and "ada: release (wind_speed" in shown

    quarantine("revoke", name, "--rule", WIND, "--day", str(DAY), "--reason", "no storm", "--yes")
    assert "revoke, from its next landing on" in quarantine("list", name, "--all")
    ingest(installed, PRIVATE, NIGHT)
    assert row_hash in quarantine("list", name)


def test_rows_are_corrected_discarded_and_rules_waived(
    installed: Workspace, quarantine: Run
) -> None:
    name, (row,) = WEATHER.name, held(installed)
    say = ("--reason", "a typing error", "--yes")
    corrected = quarantine("correct", name, row["row_hash"], "--set", "wind_speed=10.48", *say)
    assert "wind_speed 1048.36058 → 10.48" in corrected
    assert '"wind_speed": 10.48' in quarantine("show", row["row_hash"])
    quarantine("discard", name, row["row_hash"], *say)
    assert "waive wind_speed_plausible on nyc_flights.weather" in quarantine(
        "waive", name, WIND, "--day", str(DAY), *say
    )
    assert [it[0] for it in decisions(installed)] == ["correct", "discard", "waive"]


def test_nothing_is_decided_without_an_answer(installed: Workspace, quarantine: Run) -> None:
    (row,) = held(installed)
    asked = ("release", WEATHER.name, row["row_hash"], "--reason", "a storm")
    with pytest.raises(UsageError, match="scripts add --yes"):
        quarantine(*asked)
    with pytest.raises(UsageError, match="nothing was decided"):
        quarantine(*asked, answer="n\n")
    assert decisions(installed) == []


def test_only_show_has_personal_values(installed: Workspace, quarantine: Run) -> None:
    (row,) = held(installed)
    assert row["payload"]["origin"] == "EWR"
    listed = quarantine("list")
    assert "EWR" not in listed and "•••" in listed
    assert '"origin": "EWR"' in quarantine("show", row["row_hash"])


def test_wrong_requests(installed: Workspace, quarantine: Run) -> None:
    with pytest.raises(UsageError, match="nothing is known of a row abc"):
        quarantine("show", "abc")
    with pytest.raises(UsageError, match="is not a day"):
        quarantine("list", "--day", "soon")
    with pytest.raises(UsageError, match="COLUMN=VALUE"):
        quarantine("correct", WEATHER.name, "abc", "--set", "wind", "--reason", "x")
    with pytest.raises(UsageError, match="wind is given twice"):
        quarantine(
            "correct", WEATHER.name, "abc", "--set", "wind=1", "--set", "wind=2", "--reason", "x"
        )


def test_before_init_the_command_is_named(quarantine: Run) -> None:
    for arguments in (["list"], ["show", "abc"], ["release", "nyc_flights", "a", "--reason", "b"]):
        with pytest.raises(ConfigurationError, match="nightshift init"):
            quarantine(*arguments)
