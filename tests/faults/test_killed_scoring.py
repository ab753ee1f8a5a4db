"""The score stage itself, killed or out of space between its parts, on both databases."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.scoring.score import score
from include.settings import Settings
from include.warehouse import migrate
from include.warehouse.tables import readiness, score_runs, stage_runs
from include.workspace import Workspace, open_workspace
from tests import children
from tests.faults.matrix import Fault, meets
from tests.faults.serving import POINTS, PUBLISHED, die, fill_up, score_pinned
from tests.model_nights import CASE, NIGHTS, crown, fitted, frames, prepare, wire
from tests.planted import NOW
from tests.scoring.conftest import service
from tests.scoring.models import TABLES, read, states, stump

__all__ = ["service"]

CONTENT = [*TABLES.key, *TABLES.content]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that children answer features from."""
    path = tmp_path_factory.mktemp("rows") / "rows.pickle"
    frames().to_pickle(path)
    return path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What an undisturbed run says, which is the same on both databases."""
    home = tmp_path_factory.mktemp("undisturbed")
    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    with pytest.MonkeyPatch.context() as patch, open_workspace(settings, now=NOW) as workspace:
        migrate.upgrade(workspace.warehouse)
        wire(patch)
        prepare(workspace)
        crown(workspace, fitted())
        score(workspace, CASE, NIGHTS)
        return visible(workspace)


def visible(workspace: Workspace) -> dict[str, object]:
    """Return what readers see of the nights, run ids and times aside."""
    with workspace.warehouse.reading() as connection:
        hashes = connection.scalars(sa.select(score_runs.c.content_hash)).all()
        ready = connection.execute(
            sa.select(readiness.c.target_date, readiness.c.state).order_by(readiness.c.target_date)
        ).all()
    return {
        "hashes": hashes,
        "scores": read(workspace)[CONTENT].to_dict("records"),
        "revisions": len(read(workspace, TABLES.revisions)),
        "done": states(workspace, "score"),
        "ready": [tuple(row) for row in ready],
    }


@meets(
    Fault(
        "Storage and processes",
        "scoring is killed between predicting, the lake and the warehouse",
        "score: days are `writing` until the commit",
        "no score is visible before the commit; the next run gives the tables of a quiet one",
    )
)
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_between_the_parts_of_scoring_heals(
    service: Workspace, rows: Path, undisturbed: dict[str, object], tmp_path: Path, point: str
) -> None:
    marker = tmp_path / "reached"
    with children.running(die, service.settings, rows, point, marker) as child:
        assert children.ended(child) == -signal.SIGKILL
    assert marker.read_text() == point
    if point != PUBLISHED:
        assert len(read(service)) == 0, "something is visible of a run that never committed"
        assert "done" not in states(service, "score").values()
    score(service, CASE, NIGHTS)
    found = visible(service)
    assert [name for name in undisturbed if repr(found[name]) != repr(undisturbed[name])] == []


@meets(
    Fault(
        "Storage and processes",
        "there is no room for what was predicted",
        "score: the spool",
        "an error that names the file and says what to do; the next run heals it",
    )
)
@pytest.mark.parametrize("place", ["spool", "lake"])
def test_no_room_for_what_was_scored_is_told_and_heals(
    service: Workspace, rows: Path, undisturbed: dict[str, object], tmp_path: Path, place: str
) -> None:
    told = tmp_path / "told"
    with children.running(fill_up, service.settings, rows, place, told) as child:
        assert children.ended(child) == 0
    assert re.search(rf"/{place}/.*File too large.* free space", told.read_text(), re.DOTALL)
    assert len(read(service)) == 0
    assert "done" not in states(service, "score").values()
    score(service, CASE, NIGHTS)
    found = visible(service)
    assert [name for name in undisturbed if repr(found[name]) != repr(undisturbed[name])] == []


@meets(
    Fault(
        "Storage and processes",
        "one day is scored by two models at once",
        "score: one lock per stage and use case",
        "one after the other; the later one's scores stand, the earlier one's are revisions",
    )
)
def test_two_models_at_once_are_heard_one_after_the_other(
    service: Workspace, rows: Path, tmp_path: Path
) -> None:
    """The later one's scores stand, the earlier one's are in the revisions, with both lineages."""
    crown(service, stump(), version="2")
    events = children.CONTEXT.Event(), children.CONTEXT.Event()
    given = service.settings, rows
    with (
        children.running(score_pinned, *given, "1", *events) as one,
        children.running(score_pinned, *given, "2", *reversed(events)) as two,
    ):
        assert (children.ended(one), children.ended(two)) == (0, 0)
    with service.warehouse.reading() as connection:
        lineage = sa.select(score_runs.c.model_version).join(
            stage_runs, stage_runs.c.run_id == score_runs.c.run_id
        )
        earlier, later = connection.scalars(lineage.order_by(stage_runs.c.finished_at)).all()
    assert {earlier, later} == {"1", "2"}
    scores, revised = read(service), read(service, TABLES.revisions)
    assert set(scores["model_version"]) == {later}
    assert set(revised["model_version"]) == {earlier}
    assert len(scores) == len(revised)
    both = scores.merge(revised, on=list(TABLES.key), suffixes=("", "_before"))
    assert len(both) == len(scores)
    assert (both["valid_from"] == both["valid_to"]).all()
    chosen = {"1": fitted(), "2": stump()}[later].model
    due = frames()[frames()["data_day"].isin(set(NIGHTS.days))]
    due = due.sort_values(["data_day", "target_date", *CASE.key_names], ignore_index=True)
    assert (scores["prediction"].to_numpy() == chosen.predict(due)).all()
