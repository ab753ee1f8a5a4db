"""The command `forget`, called in this process: what it prints and what it refuses."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from include.commands.app import app
from include.errors import UsageError
from include.ingestion.landing import ingest
from include.settings import Settings
from include.warehouse.migrate import upgrade
from include.window import Window
from include.workspace import open_workspace
from tests.planted import NOW, PLANTED


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation with one day landed."""
    monkeypatch.setenv("NIGHTSHIFT_HOME", str(settings.home))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f"sqlite:///{settings.home / 'warehouse.db'}")
    with open_workspace(settings, now=NOW) as workspace:
        upgrade(workspace.warehouse)
        ingest(workspace, PLANTED, Window.parse("2013-02-12", "2013-02-12"))
    return settings


def forget(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["forget", "nyc_flights", *arguments, "--reason", "asked to"])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_forgetting_says_what_went_and_what_is_left_to_do(home: Settings) -> None:
    with open_workspace(home) as workspace:
        flights = workspace.lake.read("nyc_flights/flights")["tailnum"].to_pylist()
    tailnum = next(filter(None, flights))
    told = forget(f"tailnum={tailnum}")
    assert f"nyc_flights/flights {flights.count(tailnum)}" in told
    assert "./nightshift features nyc_flights --from 2013-02-12" in told
    assert tailnum not in told
    assert "nothing of it is left" in forget(f"tailnum={tailnum}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tailnum"], "argument 1 after the dataset is not COLUMN=VALUE"),
        (["tailnum="], "is not COLUMN=VALUE"),
        (["tailnum=A", "tailnum=B"], "tailnum is given twice"),
        (["tailnum=NOBODY"], "nothing was recorded"),
    ],
)
def test_a_wrong_request_is_refused_in_words(
    home: Settings, arguments: list[str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        forget(*arguments)
