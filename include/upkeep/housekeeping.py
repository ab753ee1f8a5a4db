"""Housekeeping: merges, removes and tidies up what nothing refers to any more.

Every piece is done on its own and is safe to repeat. What the champion, the last champions
and unexpired scores refer to is never touched; `docs/retention.md` says what is kept how long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from include.declare import Dataset, UseCase
from include.monitoring import index
from include.upkeep import database, leftovers, rows
from include.upkeep.account import Account
from include.upkeep.lake_tables import lake_tables, tend
from include.upkeep.versions import Needs
from include.warehouse.migrate import require_current
from include.warehouse.stages import stage_run
from include.window import Window
from include.workspace import Workspace

STAGE, SUBJECT = "housekeeping", "nightshift"


def housekeeping(
    workspace: Workspace,
    datasets: Sequence[Dataset],
    use_cases: Sequence[UseCase],
    *,
    dry_run: bool = False,
) -> Account:
    """Do all housekeeping; returns what was done.

    Args:
        workspace: lake, warehouse, home and time.
        datasets: whose tables and held rows are looked after.
        use_cases: all that are declared: what one of them needs is kept for all.
        dry_run: change nothing, and tell what would be done.

    Raises:
        StorageUnavailable: some pieces could not be done; the others are.
        LockHeld: another housekeeping is going on.
        ConfigurationError: before `./nightshift init`.
    """
    account = Account(dry_run)
    if dry_run:
        require_current(workspace.warehouse)
        _keep_house(workspace, datasets, use_cases, account)
        account.or_raise()
        return account
    night = Window.night(workspace.now.date() - timedelta(days=1))
    with stage_run(workspace.warehouse, STAGE, SUBJECT, night, workspace.context) as run:
        with account.piece("runs that died"):
            if buried := leftovers.bury(workspace, run.run_id):
                account.say(f"{buried} run(s) found dead")
        _keep_house(workspace, datasets, use_cases, account)
        with run.commit() as commit:
            commit.versions(outputs=account.versions)
            for line in account.lines:
                commit.note(line)
        account.or_raise()
    return account


def _keep_house(
    workspace: Workspace,
    datasets: Sequence[Dataset],
    use_cases: Sequence[UseCase],
    account: Account,
) -> None:
    _clear_leftovers(workspace, account)
    for name, old in _old_rows(workspace, datasets, use_cases):
        with account.piece(name):
            _delete(workspace, name, *old, account)
    _clear_reports(workspace, use_cases, account)
    with account.piece("the lake"):
        needs = Needs(workspace, use_cases)
        for table in lake_tables(datasets, use_cases):
            with account.piece(f"lake table {table.name}"):
                tend(workspace, table, needs, account)
    if not account.dry_run:
        with account.piece("the warehouse"):
            done, freed = database.care(workspace.warehouse, use_cases)
            account.say(f"{workspace.warehouse.name}: {done}", freed)


def _clear_leftovers(workspace: Workspace, account: Account) -> None:
    """Remove what processes that died have left in the warehouse and below the home."""
    with account.piece("staging tables"):
        if found := database.drop_orphans(workspace.warehouse, account.dry_run):
            account.say(f"{len(found)} staging table(s) of dead runs {account.verb('drop')}")
    with account.piece("spools"):
        leftovers.clear(leftovers.dead_spools(workspace), "spool(s) of dead runs", account)
    with account.piece("notes of lock holders"):
        holders = leftovers.dead_holders(workspace.warehouse)
        leftovers.clear(holders, "note(s) of lock holders that died", account)


def _clear_reports(workspace: Workspace, use_cases: Sequence[UseCase], account: Account) -> None:
    """Remove old pages, and take them out of the index."""
    home, today = workspace.settings.home, workspace.now.date()
    cleared = False
    for use_case in use_cases:
        with account.piece(f"reports of {use_case.name}"):
            reports = leftovers.old_reports(home, use_case, today)
            leftovers.clear(reports, f"old report(s) of {use_case.name}", account)
            cleared = cleared or bool(reports)
    if cleared and not account.dry_run:
        with account.piece("the index of reports"):
            index.rebuild(workspace)


def _old_rows(
    workspace: Workspace, datasets: Sequence[Dataset], use_cases: Sequence[UseCase]
) -> Iterator[tuple[str, tuple[sa.Column[Any], sa.ColumnElement[bool]]]]:
    """Yield what rows are, in words, with key and condition of those beyond their retention."""
    for use_case in use_cases:
        if (old := rows.old_revisions(use_case, workspace.now)) is not None:
            yield f"superseded scores of {use_case.name}", old
    for dataset in datasets:
        if (old := rows.old_quarantine(dataset, workspace.now)) is not None:
            yield f"held rows of {dataset.name} nobody decided about", old


def _delete(
    workspace: Workspace,
    name: str,
    key: sa.Column[Any],
    condition: sa.ColumnElement[bool],
    account: Account,
) -> None:
    found = rows.count(workspace.warehouse, key, condition)
    if found and not account.dry_run:
        found = rows.delete(workspace.warehouse, key, condition)
    if found:
        account.say(f"{name}: {found} {account.verb('delete')}")
