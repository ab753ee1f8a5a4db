"""The commands that add and remove, as a person meets them: what they ask, show and refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.errors import UsageError
from include.settings import REPOSITORY
from tests.commands.conftest import Run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [f"S{n % 4},2026-03-{1 + n // 4:02},{n * 1.5}" for n in range(40)]
    (tmp_path / "readings.csv").write_text("\n".join(["sensor,day,value", *rows]))
    return tmp_path / "readings.csv"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["new", "dataset", "nyc_flights"], "there is a dataset called nyc_flights"),
        (["new", "dataset", "meters"], "--files is missing"),
        (["new", "dataset", "meters", "--connection", "db"], "--query-table is missing"),
        (["new", "dataset", "meters", "--query-table", "t"], "--connection is missing"),
        (["new", "use-case", "levels"], "--dataset is missing"),
        (["new", "use-case", "levels", "--dataset", "nyc_flights"], "--label is missing"),
        (["new", "use-case", "levels", "--dataset", "x", "--label", "y"], "there is no dataset"),
        (["new", "use-case", "flight_delay"], "there is a use case called flight_delay"),
        (["remove", "meters"], "there is no dataset or use case called 'meters'"),
        (["remove", "nyc_flights", "--yes"], "without nyc_flights there is no data for"),
        (["remove", "flight_delay"], "give --yes"),
    ],
)
def test_what_is_missing_or_cannot_be_is_named(run: Run, arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(*arguments)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--label", "tailnum"], "--plan-table is missing: one of flights, schedule, weather"),
        (["--plan-table", "schedule", "--label", "altitude"], "no table has a column 'altitude'"),
        (["--plan-table", "planes", "--label", "arrival_delay"], "no table 'planes'"),
        (
            ["--plan-table", "schedule", "--label", "tailnum"],
            "--label: tailnum is string; a label is a number",
        ),
        (
            ["--plan-table", "schedule", "--label", "arrival_delay", "--key", "seats"],
            "--key: schedule has no column 'seats'",
        ),
    ],
)
def test_a_use_case_that_the_dataset_does_not_carry_names_the_option(
    run: Run, options: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        run("new", "use-case", "levels", "--dataset", "nyc_flights", *options)


def test_on_a_terminal_it_asks_and_writes_nothing_without_a_yes(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.commands.questions.is_terminal", lambda: True)
    told: list[str] = []
    monkeypatch.setattr("include.commands.questions.tell", told.append)
    source = [str(file), "Europe/Oslo", "ops"]
    other = ["c", "events", "sensor, day", "day", "-", "-"]
    with pytest.raises(UsageError, match="nothing was written"):
        run("new", "dataset", "meters", answer="\n".join([*source, "what?", *other, "n", ""]))
    assert told.count("  key: sensor") == 1 and told.count("  key: sensor, day") == 1
    assert "answer y or c or n" in told
    assert any(it.startswith("  features by: nothing") for it in told)
    assert not (REPOSITORY / "include" / "datasets" / "meters").exists()
    with pytest.raises(UsageError, match="nothing was removed"):
        run("remove", "flight_delay", answer="n\n")
    assert (REPOSITORY / "include" / "use_cases" / "flight_delay").exists()
