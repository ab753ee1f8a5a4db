"""A stage killed with `kill -9` leaves nothing half-written that a reader takes for done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from include.settings import REPOSITORY
from include.warehouse.stages import day_states
from include.window import Window
from tests.faults.killed import BEGIN, COMMIT, LAKE
from tests.history import copy_of, opened
from tests.night.nights import DAYS, STAGES, night, visible
from tests.planted import PLANTED, PLANTED_USE_CASE

DAY = DAYS.start
SUBJECTS = {
    "ingest": PLANTED.name,
    "features": PLANTED.name,
    "score": PLANTED_USE_CASE.name,
    "monitor": PLANTED_USE_CASE.name,
}


@pytest.fixture(scope="module")
def undisturbed(
    history: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, object]:
    """What a reader sees after a night in which nothing died."""
    home = copy_of(history, tmp_path_factory.mktemp("undisturbed") / "home")
    with opened(home) as workspace:
        night(workspace, DAY)
        return visible(workspace)


@pytest.mark.parametrize(
    ("stage", "point"),
    [
        ("ingest", LAKE),
        ("ingest", COMMIT),
        ("features", LAKE),
        ("features", COMMIT),
        ("score", LAKE),
        ("score", COMMIT),
        ("monitor", BEGIN),
        ("monitor", COMMIT),
    ],
)
def test_a_killed_stage_heals_on_the_next_run(
    history: Path,
    undisturbed: dict[str, object],
    tmp_path: Path,
    stage: str,
    point: str,
) -> None:
    home, marker = copy_of(history, tmp_path / "home"), tmp_path / "reached"
    with opened(home) as workspace:
        for earlier in list(STAGES)[: list(STAGES).index(stage)]:
            STAGES[earlier](workspace, Window.night(DAY), 35)
    died = subprocess.run(
        [sys.executable, "-m", "tests.faults.killed", home, stage, str(DAY), point, marker],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert died.returncode == -9, died.stderr[-2000:]
    assert marker.read_text() == point

    with opened(home) as workspace:
        with workspace.warehouse.reading() as connection:
            (state,) = day_states(connection, stage, SUBJECTS[stage], [DAY]).values()
        assert state.state == "writing"
        night(workspace, DAY)
        found = visible(workspace)
    assert [name for name in undisturbed if found[name] != undisturbed[name]] == []
