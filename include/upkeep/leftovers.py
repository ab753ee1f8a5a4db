"""What processes that died have left behind, and reports that are too old."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa
from filelock import FileLock, Timeout

from include.declare import UseCase
from include.errors import LockHeld
from include.monitoring import pages
from include.scoring.spool import FOLDER as SPOOL
from include.upkeep.account import Account
from include.warehouse.engine import Warehouse
from include.warehouse.locks import lock
from include.warehouse.tables import stage_runs
from include.workspace import Workspace


def bury(workspace: Workspace, own: str) -> int:
    """Mark runs as crashed that are `running` while nobody holds their lock; returns how many.

    Args:
        own: the run that asks, which lives.
    """
    runs, warehouse = stage_runs.c, workspace.warehouse
    running = (runs.status == "running", runs.run_id != own)
    with warehouse.reading() as connection:
        query = sa.select(runs.stage, runs.subject).where(*running).distinct()
        stages = connection.execute(query).all()
    buried = 0
    for stage, subject in stages:
        try:
            with lock(warehouse, stage, subject, timeout=0), warehouse.transaction() as connection:
                statement = (
                    sa.update(stage_runs)
                    .where(*running, runs.stage == stage, runs.subject == subject)
                    .values(
                        status="crashed",
                        finished_at=workspace.context.instant(),
                        error="the process ended without a word; found by housekeeping",
                    )
                )
                buried += connection.execute(statement).rowcount
        except LockHeld:
            continue
    return buried


def dead_spools(workspace: Workspace) -> list[Path]:
    """Return the folders of scored rows whose run is no longer running."""
    folder = workspace.settings.home / SPOOL
    # Listed before the runs are: a run is recorded before it makes its folder.
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    with workspace.warehouse.reading() as connection:
        query = sa.select(stage_runs.c.run_id).where(stage_runs.c.status == "running")
        running = set(connection.scalars(query))
    return [path for path in found if path.name not in running]


def dead_holders(warehouse: Warehouse) -> list[Path]:
    """Return the notes that say who holds a lock, of locks whose holder is no more."""
    notes = sorted(warehouse.lock_folder.glob("*.holder"))
    return [path for path in notes if not _is_held(path.with_suffix(".lock"))]


def old_reports(home: Path, use_case: UseCase, today: date) -> list[Path]:
    """Return a use case's reports of data days before its retention; none if it keeps them.

    A digest goes when the last day of its week does.
    """
    days = use_case.retention.reports_days
    if days is None:
        return []
    folder = pages.folder(home) / use_case.name
    first_kept = today - timedelta(days=days)
    dated = ((path, _day(path)) for path in sorted(folder.glob("*.html")))
    return [path for path, day in dated if day is not None and day < first_kept]


def clear(paths: Sequence[Path], what: str, account: Account) -> None:
    """Remove files and folders, and say so; one that is gone already is no error."""
    if not paths:
        return
    freed = sum(_size(path) for path in paths)
    for path in () if account.dry_run else paths:
        with suppress(FileNotFoundError):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    account.say(f"{len(paths)} {what} {account.verb('remove')}", freed)


def _is_held(path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _day(path: Path) -> date | None:
    week = pages.week_of(path)
    return pages.day_of(path) if week is None else week.end
