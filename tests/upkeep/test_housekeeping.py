"""After housekeeping everything that is referred to is there, and what is not is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
from deltalake import write_deltalake

from include.declare_retention import DataRetention, ScoreRetention
from include.errors import ConfigurationError, LockHeld, StorageUnavailable
from include.lake import upkeep
from include.monitoring import index, pages
from include.monitoring.week import Week
from include.settings import Settings
from include.training import ledger
from include.training.frame import rebuild_frame
from include.training.model import write_aside
from include.training.recorded import recorded_of
from include.upkeep import housekeeping as houses
from include.upkeep import lake_tables
from include.warehouse.engine import Warehouse
from include.warehouse.locks import lock
from include.warehouse.tables import stage_runs
from include.workspace import Workspace, open_workspace
from tests import children
from tests.night.nights import everything
from tests.planted import NOW
from tests.training.lake_history import enter
from tests.upkeep import killed
from tests.upkeep.houses import CASE, DAYS_LATER, keep_house, later
from tests.upkeep.killed import POINTS
from tests.upkeep.test_versions import ran
from tests.upkeep.weeks import RESTATED, Weeks, content, files, land

FLIGHTS = "nyc_flights/flights"


@pytest.fixture
def workspace(weeks_home: Path) -> Iterator[Workspace]:
    """A copy of the weeks, a month later."""
    with later(weeks_home, DAYS_LATER) as opened:
        yield opened


def rebuilt(workspace: Workspace, version: str = "1") -> str:
    with workspace.warehouse.reading() as connection:
        entry = ledger.registration(connection, CASE.name, version)
    assert entry is not None
    return rebuild_frame(workspace, CASE, recorded_of(entry)).sha256


def crowd(workspace: Workspace) -> None:
    """Give a day as many small files as are worth merging."""
    rows = workspace.lake.read(FLIGHTS).filter(pc.field("data_day") == RESTATED)
    for part in range(upkeep.FEWEST_FILES):
        write_deltalake(workspace.lake.uri(FLIGHTS), rows.slice(part, 1), mode="append")


def test_what_is_referred_to_stays_and_the_rest_goes(workspace: Workspace, weeks: Weeks) -> None:
    before = {name: content(workspace.lake, it) for name, it in lineage(weeks).items()}
    size = sum(files(workspace.settings.home).values())
    told = keep_house(workspace)
    assert rebuilt(workspace) == weeks.trained.sha256
    after = {name: content(workspace.lake, it) for name, it in lineage(weeks).items()}
    assert after == before
    for name in (FLIGHTS, "nyc_flights/features/carrier_delays"):
        assert weeks.first[name] < weeks.between[name] < weeks.second[name]
        version = weeks.between[name]
        with pytest.raises(StorageUnavailable, match=f"at version {version} any more: .* removed"):
            workspace.lake.at({name: version}).read(name)
        (line,) = (it for it in told.lines if it.startswith(f"{name}:"))
        assert "versions kept: 1 from version 3 on, 1 of training sets" in line
    assert told.freed > 0
    assert size - sum(files(workspace.settings.home).values()) < told.freed  # the log has grown


def lineage(weeks: Weeks) -> dict[str, dict[str, int]]:
    return {"first": dict(weeks.first), "second": dict(weeks.second)}


def test_a_second_time_changes_nothing(workspace: Workspace) -> None:
    crowd(workspace)
    keep_house(workspace)
    seen, there = everything(workspace), files(workspace.settings.home)
    told = keep_house(workspace)
    assert told.freed == 0
    assert [line for line in told.lines if "SQLite" not in line] == []
    assert everything(workspace) == seen
    assert files(workspace.settings.home) == there


def test_a_dry_run_says_what_is_done_and_does_nothing(workspace: Workspace) -> None:
    crowd(workspace)
    seen, there = everything(workspace), files(workspace.settings.home)
    with workspace.warehouse.reading() as connection:
        runs = connection.scalar(sa.select(sa.func.count()).select_from(stage_runs))
    told = keep_house(workspace, dry_run=True)
    assert everything(workspace) == seen
    assert files(workspace.settings.home) == there
    with workspace.warehouse.reading() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(stage_runs)) == runs
    done = keep_house(workspace)
    words = {"to merge": "merged", "to remove": "removed", "to delete": "deleted"}
    expected = told.lines
    for would, did in words.items():
        expected = [line.replace(would, did) for line in expected]
    flights = [line for line in done.lines if line.startswith(f"{FLIGHTS}:")]
    assert any("small files merged" in line for line in flights)
    aside = (FLIGHTS, "the SQLite")  # merging makes a version, which is counted only when made
    assert [line for line in done.lines if not line.startswith(aside)] == [
        line for line in expected if not line.startswith(aside)
    ]


def test_merged_files_stay_for_young_versions_and_go_later(weeks_home: Path, weeks: Weeks) -> None:
    with later(weeks_home, DAYS_LATER) as workspace:
        crowd(workspace)
        newest = workspace.lake.version(FLIGHTS) or 0
        before = content(workspace.lake, {FLIGHTS: newest})
        keep_house(workspace)
        merged = workspace.lake.version(FLIGHTS) or 0
        assert content(workspace.lake, {FLIGHTS: newest}) == before
        assert content(workspace.lake, {FLIGHTS: merged}) == before
    with later(weeks_home, DAYS_LATER + 8) as workspace:
        keep_house(workspace)
        assert content(workspace.lake, {FLIGHTS: merged}) == before
        with pytest.raises(StorageUnavailable, match=f"version {newest} any more"):
            content(workspace.lake, {FLIGHTS: newest})
        assert rebuilt(workspace) == weeks.trained.sha256


def test_young_versions_are_kept_whoever_needs_them(weeks_home: Path, weeks: Weeks) -> None:
    with later(weeks_home, 6) as workspace:
        there = files(workspace.settings.home)
        keep_house(workspace)
        assert files(workspace.settings.home) == there


def test_what_expires_goes(workspace: Workspace, weeks: Weeks) -> None:
    """A new champion, and scores beyond their lineage: the first versions are nobody's now."""
    with workspace.warehouse.reading() as connection:
        entry = ledger.registration(connection, CASE.name, "1")
    assert entry is not None
    evidence = {**entry.evidence, "lake_versions": dict(weeks.second)}
    enter(workspace, "2", ("registered", "promoted"), evidence)
    one = ScoreRetention(champions=1, lineage_days=90)
    keep_house(workspace, scores=one)
    assert rebuilt(workspace) == weeks.trained.sha256, "scores still refer to the versions"
    keep_house(workspace, scores=replace(one, lineage_days=DAYS_LATER - 1))
    with pytest.raises(StorageUnavailable, match=r"are gone|any more"):
        rebuilt(workspace)
    assert content(workspace.lake, weeks.second)


def test_the_next_night_goes_on(workspace: Workspace) -> None:
    """What is compacted and vacuumed is landed on as if nothing had been."""
    keep_house(workspace)
    seen = everything(workspace)
    land(workspace)  # the restated day is as it was at first: landed again, features built
    assert seen != everything(workspace)
    again = everything(workspace)
    keep_house(workspace)
    land(workspace)
    assert everything(workspace) == again


def test_a_table_that_is_being_written_is_left_for_next_time(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake_tables, "PATIENCE", 0.1)
    there = files(workspace.settings.home)
    with lock(workspace.warehouse, "ingest", "nyc_flights"):
        told = keep_house(workspace)
    left = [line for line in told.lines if "left for next time" in line]
    assert len(left) == 4
    assert all("ingest for nyc_flights" in line for line in left)
    now = files(workspace.settings.home)
    assert {n for n in there if "/features/" not in n} == {n for n in now if "/features/" not in n}
    assert {n for n in there if "/features/" in n} != {n for n in now if "/features/" in n}


def test_one_housekeeping_at_a_time(workspace: Workspace) -> None:
    hurried = replace(workspace, context=replace(workspace.context, lock_timeout=0.1))
    with (
        lock(workspace.warehouse, houses.STAGE, houses.SUBJECT),
        pytest.raises(LockHeld, match="housekeeping for nightshift"),
    ):
        keep_house(hurried)


def test_a_piece_that_fails_keeps_no_other_from_being_done(workspace: Workspace) -> None:
    log = workspace.settings.home / "lake" / FLIGHTS / "_delta_log"
    broken = sorted(log.glob("*.json"))[0]
    kept = broken.read_bytes()
    broken.write_text("{ this is no commit")
    with pytest.raises(StorageUnavailable, match=r"1 piece.* undone: lake table nyc_flights/fli"):
        keep_house(workspace)
    with workspace.warehouse.reading() as connection:
        query = sa.select(stage_runs).where(stage_runs.c.stage == houses.STAGE)
        run = connection.execute(query).one()
    assert run.status == "failed" and "nyc_flights/flights" in run.error
    assert any("features/carrier_delays" in note for note in run.notes)
    broken.write_bytes(kept)
    told = keep_house(workspace)
    assert [line for line in told.lines if line.startswith(f"{FLIGHTS}:")]
    assert not any("features/carrier_delays" in line for line in told.lines)


def test_unknown_needs_leave_the_lake_alone(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> None:
        raise StorageUnavailable("the ledger cannot be read")

    monkeypatch.setattr(ledger, "history", unreachable)
    there = files(workspace.settings.home)
    with pytest.raises(StorageUnavailable, match="the lake: the ledger cannot be read"):
        keep_house(workspace)
    assert files(workspace.settings.home) == there


@pytest.mark.parametrize("point", POINTS)
def test_killed_and_done_again_it_ends_the_same(
    workspace: Workspace, weeks: Weeks, point: str, tmp_path: Path
) -> None:
    crowd(workspace)
    home, marker = workspace.settings.home, tmp_path / "marker"
    assert children.killed(killed.run, home, point, marker)
    assert marker.exists()
    assert rebuilt(workspace) == weeks.trained.sha256
    keep_house(workspace)
    assert content(workspace.lake, weeks.first) and content(workspace.lake, weeks.second)
    assert rebuilt(workspace) == weeks.trained.sha256
    version = weeks.between[FLIGHTS]
    with pytest.raises(StorageUnavailable, match=f"version {version} any more"):
        content(workspace.lake, {FLIGHTS: version})
    with workspace.warehouse.reading() as connection:
        query = sa.select(stage_runs.c.status).where(stage_runs.c.stage == houses.STAGE)
        assert sorted(connection.scalars(query)) == ["crashed", "unchanged"]


def test_before_init_it_says_so(empty_warehouse: Warehouse, empty_settings: Settings) -> None:
    with open_workspace(empty_settings, now=NOW + timedelta(days=1)) as opened:
        for dry_run in (False, True):
            with pytest.raises(ConfigurationError, match="nightshift init"):
                keep_house(opened, dry_run=dry_run)


def test_an_empty_installation_is_kept_on_either_database(warehouse_settings: Settings) -> None:
    with open_workspace(warehouse_settings, now=NOW) as opened:
        told = keep_house(opened, DataRetention(None, 0), ScoreRetention(None, None))
        assert [line for line in told.lines if "warehouse" not in line] == []


def test_either_database_knows_what_is_needed_and_who_writes(
    warehouse_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three versions the second was the newest a week ago: the first is nobody's."""
    monkeypatch.setattr(lake_tables, "PATIENCE", 0.1)
    name, days = "nyc_flights/weather", [RESTATED]
    with open_workspace(warehouse_settings, now=NOW) as opened:
        for value in (1, 2, 3):
            rows = pa.table({"data_day": pa.array(days, pa.date32()), "value": [value]})
            version = opened.lake.replace_days(name, rows, days)
            ran(opened, f"run {value}", 30 - 10 * value, output_versions={name: version})
        with lock(opened.warehouse, "ingest", "nyc_flights"):
            (left,) = (it for it in keep_house(opened).lines if "left for next time" in it)
        assert left.startswith(f"lake table {name}: left for next time, stage ingest")
        assert opened.lake.at({name: 1}).read(name)["value"].to_pylist() == [1]
        (line,) = (it for it in keep_house(opened).lines if it.startswith(name))
        assert line.startswith(f"{name}: 1 files removed")
        assert opened.lake.at({name: 2}).read(name)["value"].to_pylist() == [2]
        with pytest.raises(StorageUnavailable, match="version 1 any more"):
            opened.lake.at({name: 1}).read(name)
        with opened.warehouse.reading() as connection:
            query = sa.select(stage_runs.c.output_versions).where(
                stage_runs.c.stage == houses.STAGE, stage_runs.c.output_versions.is_not(None)
            )
            assert connection.scalar(query) == {name: opened.lake.version(name)}


def test_old_pages_go_from_the_index_too(workspace: Workspace) -> None:
    home = workspace.settings.home
    old = pages.digest_path(home, CASE.name, Week.parse("2013-W02"))
    kept = pages.digest_path(home, CASE.name, Week.parse("2014-W20"))
    for page in (old, kept):
        write_aside(page, b"<html>")
    path = index.rebuild(workspace)
    assert old.name in path.read_text(encoding="utf-8")
    keep_house(workspace, dry_run=True)
    assert old.exists() and old.name in path.read_text(encoding="utf-8")
    keep_house(workspace)
    text = path.read_text(encoding="utf-8")
    assert not old.exists() and old.name not in text
    assert kept.exists() and kept.name in text
