"""What dead processes left goes; what belongs to living ones, and to people, stays."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.declare_retention import ScoreRetention
from include.errors import LockHeld
from include.monitoring import pages, report
from include.monitoring.week import Week
from include.scoring.spool import spooled
from include.training.model import write_aside
from include.upkeep import database, leftovers
from include.upkeep.account import Account
from include.warehouse.locks import lock
from include.warehouse.stages import stage_run
from include.warehouse.staging import staged
from include.warehouse.tables import stage_runs
from include.warehouse.use_cases import UseCaseTables
from include.window import Window
from include.workspace import Workspace
from tests.scoring.publishing import rows
from tests.upkeep.test_versions import ran
from tests.warehouse.conftest import USE_CASE, tables, use_case

__all__ = ["tables", "use_case"]

NIGHT = Window.night(date(2013, 10, 5))


def running(workspace: Workspace) -> set[str]:
    with workspace.warehouse.reading() as connection:
        query = sa.select(stage_runs.c.run_id).where(stage_runs.c.status == "running")
        return set(connection.scalars(query))


def test_runs_whose_lock_nobody_holds_are_dead(workspace: Workspace) -> None:
    ran(workspace, "dead", 1, status="running", finished_at=None)
    context = replace(workspace.context, lock_timeout=1)
    with stage_run(workspace.warehouse, "score", "another", NIGHT, context) as alive:
        assert leftovers.bury(workspace, "not here") == 1
        assert running(workspace) == {alive.run_id}
        assert leftovers.bury(workspace, "not here") == 0
    with workspace.warehouse.reading() as connection:
        dead = connection.execute(sa.select(stage_runs).where(stage_runs.c.run_id == "dead")).one()
    assert dead.status == "crashed" and dead.finished_at >= workspace.now
    assert alive.result.status == "unchanged"


def test_spools_of_dead_runs_go(workspace: Workspace) -> None:
    ran(workspace, "alive", 0, status="running", finished_at=None)
    ran(workspace, "ended", 0)
    folder = workspace.settings.home / "spool"
    with spooled(workspace.settings, "alive"):
        for name in ("ended", "unknown"):
            (folder / name).mkdir()
            (folder / name / "000000.arrow").write_bytes(b"12345")
        told = Account()
        found = leftovers.dead_spools(workspace)
        leftovers.clear(found, "spool(s)", Account(dry_run=True))
        assert [it.name for it in found] == ["ended", "unknown"] and all(map(Path.is_dir, found))
        leftovers.clear(found, "spool(s)", told)
        assert [it.name for it in folder.iterdir()] == ["alive"]
    assert (told.lines, told.freed) == (["2 spool(s) removed"], 10)
    assert leftovers.dead_spools(workspace) == []


@pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)
def test_notes_of_lock_holders_that_died_go(workspace: Workspace) -> None:
    folder = workspace.warehouse.lock_folder
    dead = folder / "ingest.shop%2Ftwo.holder"
    dead.write_text(json.dumps({"pid": 1, "since": "long ago"}))
    with lock(workspace.warehouse, "ingest", "shop"):
        found = leftovers.dead_holders(workspace.warehouse)
        leftovers.clear(found, "note(s)", Account())
        assert [it.name for it in folder.glob("*.holder")] == ["ingest.shop.holder"]
        with (
            pytest.raises(LockHeld, match="by process"),
            lock(workspace.warehouse, "ingest", "shop", timeout=0),
        ):
            pass
    assert found == [dead]


def test_old_reports_go_by_their_day(workspace: Workspace) -> None:
    home, today = workspace.settings.home, date(2014, 6, 1)
    use_case: UseCase = replace(USE_CASE, retention=ScoreRetention(reports_days=30))
    days = [today - timedelta(days=it) for it in (29, 30, 31, 400)]
    for day in days:
        report.path_of(home, use_case.name, day).parent.mkdir(parents=True, exist_ok=True)
        report.path_of(home, use_case.name, day).write_text("<html>")
    mine = report.path_of(home, use_case.name, today).with_name("my notes.html")
    mine.write_text("<html>")
    old = leftovers.old_reports(home, use_case, today)
    assert old == sorted(report.path_of(home, use_case.name, day) for day in days[2:])
    leftovers.clear(old, "report(s)", Account())
    assert {it.name for it in mine.parent.iterdir()} == {
        mine.name,
        *(f"{day}.html" for day in days[:2]),
    }
    forever = replace(USE_CASE, retention=ScoreRetention(reports_days=None))
    assert leftovers.old_reports(home, forever, today + timedelta(days=9999)) == []


def test_old_digests_go_by_the_last_day_of_their_week(workspace: Workspace) -> None:
    home, today = workspace.settings.home, date(2014, 6, 1)
    use_case: UseCase = replace(USE_CASE, retention=ScoreRetention(reports_days=30))
    first_kept = today - timedelta(days=30)
    weeks = [Week.of(first_kept), Week.of(first_kept - timedelta(days=7))]
    for week in weeks:
        write_aside(pages.digest_path(home, use_case.name, week), b"<html>")
    assert leftovers.old_reports(home, use_case, today) == [
        pages.digest_path(home, use_case.name, weeks[1])
    ]


def test_staging_tables_of_dead_runs_go(workspace: Workspace, tables: UseCaseTables) -> None:
    """One run is killed before it drops its table, another is loading."""
    warehouse = workspace.warehouse
    ran(workspace, "alive", 0, status="running", finished_at=None)
    killed = staged(warehouse, tables, "killed")
    killed.__enter__()
    with staged(warehouse, tables, "alive") as staging:
        staging.add(rows({"prediction": 0.25}))
        name = [] if warehouse.is_sqlite else ["killed_late_order_scores"]
        assert database.drop_orphans(warehouse, dry_run=True) == name
        assert database.drop_orphans(warehouse) == name
        assert database.drop_orphans(warehouse) == []
        staging.add(rows({"prediction": 0.5, "order_number": 2}))
        with warehouse.transaction(staging.connection) as connection:
            days = [pd.Timestamp("2013-10-05").date()]
            change = staging.publish(connection, days, "alive", workspace.now)
    assert change.rows_changed == 2
    killed.__exit__(None, None, None)
