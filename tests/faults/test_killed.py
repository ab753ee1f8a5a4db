"""A stage killed with `kill -9` leaves nothing half-written that a reader takes for done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.settings import WarehouseAddress
from include.warehouse.stages import day_states
from include.window import Window
from tests import children
from tests.conftest import TEMPLATE, fresh_database
from tests.copied import copy_of
from tests.faults import killed
from tests.faults.killed import BEGIN, COMMIT, LAKE
from tests.faults.matrix import Fault, meets
from tests.history import on_postgres, opened
from tests.night.nights import DAYS, STAGES, night, visible
from tests.night.stages import without_pages
from tests.planted import PLANTED, PLANTED_USE_CASE

DAY = DAYS.days[3]
"""The first whose night has outcomes to write: those of the first night are mature."""
MATURE = DAYS.days[1]
ENDED = "ended"
SUBJECTS = {
    "ingest": PLANTED.name,
    "quality": PLANTED.name,
    "features": PLANTED.name,
    "score": PLANTED_USE_CASE.name,
    "outcomes": PLANTED_USE_CASE.name,
    "performance": PLANTED_USE_CASE.name,
    "monitor": PLANTED_USE_CASE.name,
}


@pytest.fixture(scope="module", autouse=True)
def no_pages() -> Iterator[None]:
    with without_pages():
        yield


@pytest.fixture(scope="module")
def base(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the nights before the one in which something dies."""
    home = copy_of(history, tmp_path_factory.mktemp("base") / "home")
    with opened(home) as workspace:
        for day in DAYS.days[: DAYS.days.index(DAY)]:
            night(workspace, day)
    return home


@pytest.fixture(scope="module")
def begun(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stage → a home in which the night has come to that stage; under `ENDED` the whole night."""
    folder = tmp_path_factory.mktemp("begun")
    homes = {}
    home = base
    for name, stage in STAGES.items():
        homes[name] = home
        home = copy_of(home, folder / name)
        with opened(home) as workspace:
            stage(workspace, Window.night(DAY), PLANTED.heal_days)
    return homes | {ENDED: home}


@pytest.fixture(scope="module")
def undisturbed(begun: dict[str, Path]) -> dict[str, object]:
    """What a reader sees after a night in which nothing died."""
    with opened(begun[ENDED]) as workspace:
        return visible(workspace)


@pytest.fixture(params=["sqlite", "postgres"])
def home(
    request: pytest.FixtureRequest, begun: dict[str, Path], tmp_path: Path, stage: str
) -> Iterator[Path]:
    """A home in which the night has come to the stage, on each database."""
    path = copy_of(begun[stage], tmp_path / "home")
    if request.param == "sqlite":
        yield path
        return
    server: WarehouseAddress = request.getfixturevalue("postgres_server")
    for address in fresh_database(server, TEMPLATE):
        on_postgres(path, address)
        yield path


@meets(
    Fault(
        "Storage and processes",
        "a stage is killed (`kill -9`): begun, written to the lake, or about to commit",
        "every stage: days are `writing` until the commit",
        "the next run does the day again, to the same tables",
    )
)
@pytest.mark.parametrize(
    ("stage", "point", "home"),
    [
        (stage, point, database)
        for stage, points in {
            "ingest": [LAKE, COMMIT],
            "quality": [COMMIT],
            "features": [LAKE, COMMIT],
            "score": [LAKE, COMMIT],
            "outcomes": [BEGIN, COMMIT],
            "performance": [COMMIT],
            "monitor": [BEGIN, COMMIT],
        }.items()
        for point in points
        for database in ("sqlite", "postgres")
        if (point, database) == (COMMIT, "postgres") or database == "sqlite"
    ],
    indirect=["home"],
)
def test_a_killed_stage_heals_on_the_next_run(
    home: Path, undisturbed: dict[str, object], tmp_path: Path, stage: str, point: str
) -> None:
    marker = tmp_path / "reached"
    assert children.killed(killed.run, home, stage, Window.night(DAY), point, marker)
    assert marker.read_text() == point

    with opened(home) as workspace:
        with workspace.warehouse.reading() as connection:
            half_done = MATURE if stage in ("outcomes", "performance") else DAY
            (state,) = day_states(connection, stage, SUBJECTS[stage], [half_done]).values()
        assert state.state == "writing"
        night(workspace, DAY)
        found = visible(workspace)
    assert [name for name in undisturbed if found[name] != undisturbed[name]] == []
