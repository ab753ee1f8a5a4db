"""A stage killed with `kill -9` leaves nothing half-written that a reader takes for done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.settings import WarehouseAddress
from include.warehouse.stages import day_states
from include.window import Window
from tests import children
from tests.conftest import fresh_database
from tests.copied import copy_of
from tests.faults import killed
from tests.faults.killed import BEGIN, COMMIT, LAKE
from tests.faults.matrix import Fault, meets
from tests.history import connect, on_postgres, opened
from tests.night.nights import DAYS, STAGES, night, visible
from tests.night.stages import without_pages
from tests.planted import PLANTED, PLANTED_USE_CASE

DAY = DAYS.days[3]
"""The first whose night has outcomes to write: those of the first night are mature."""
MATURE = DAYS.days[1]
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
def undisturbed(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a reader sees after a night in which nothing died."""
    home = copy_of(base, tmp_path_factory.mktemp("undisturbed") / "home")
    with opened(home) as workspace:
        night(workspace, DAY)
        return visible(workspace)


@pytest.fixture(scope="module")
def template(
    base: Path, postgres_server: WarehouseAddress, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The name of a Postgres database with the warehouse of `base`."""
    home = copy_of(base, tmp_path_factory.mktemp("template") / "home")
    for address in fresh_database(postgres_server, "template1"):
        on_postgres(home, address)
        yield address.database


@pytest.fixture(params=["sqlite", "postgres"])
def home(request: pytest.FixtureRequest, base: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of `base`, on each database."""
    path = copy_of(base, tmp_path / "home")
    if request.param == "sqlite":
        yield path
        return
    server: WarehouseAddress = request.getfixturevalue("postgres_server")
    for address in fresh_database(server, request.getfixturevalue("template")):
        connect(path, address)
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
    with opened(home) as workspace:
        for earlier in list(STAGES)[: list(STAGES).index(stage)]:
            STAGES[earlier](workspace, Window.night(DAY), 35)
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
