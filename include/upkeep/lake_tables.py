"""The lake tables that stages write, tended one by one under the lock of who writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from include.declare import Dataset, UseCase
from include.lake import names, upkeep
from include.upkeep.account import Account, in_bytes
from include.upkeep.versions import Needs
from include.warehouse.locks import lock
from include.workspace import Workspace

PATIENCE = 5.0
"""Seconds to wait for the lock of whoever writes a table; then it is left for next time."""


@dataclass(frozen=True)
class LakeTable:
    """A lake table, and who writes it.

    Attributes:
        stage: with `subject`, the lock of whoever writes it.
        versions_days: how long its versions are kept.
    """

    name: str
    stage: str
    subject: str
    versions_days: int


def lake_tables(datasets: Sequence[Dataset], use_cases: Sequence[UseCase]) -> Iterator[LakeTable]:
    """Yield every lake table that is declared, written yet or not."""
    for dataset in datasets:
        days = dataset.retention.versions_days
        for table in dataset.tables:
            yield LakeTable(names.landed(dataset, table), "ingest", dataset.name, days)
        for view in dataset.feature_views:
            yield LakeTable(names.features(dataset, view), "features", dataset.name, days)
    for use_case in use_cases:
        days = use_case.dataset.retention.versions_days
        yield LakeTable(names.scored(use_case), "score", use_case.name, days)


def tend(workspace: Workspace, table: LakeTable, needs: Needs, account: Account) -> None:
    """Merge a table's small files and remove those that no version kept needs.

    Raises:
        LockHeld: somebody is writing it.
        StorageUnavailable: it cannot be read or written.
    """
    lake, name = workspace.lake, table.name
    if not lake.exists(name):
        return
    writer = lock(workspace.warehouse, table.stage, table.subject, timeout=PATIENCE)
    with nullcontext() if account.dry_run else writer:
        if account.dry_run:
            merged = upkeep.crowded(lake, name)
        else:
            upkeep.keep_log(lake, name)
            merged = upkeep.compact(lake, name)
        newest = lake.version(name) or 0
        kept = needs.kept(name, newest, table.versions_days)
        clear = upkeep.superfluous if account.dry_run else upkeep.clear
        removed = clear(lake, name, kept.of(newest))
        account.versions |= lake.versions([name])
    if merged.count:
        account.say(f"{name}: {merged.count} small files {account.verb('merge')}")
    if removed.count:
        account.say(
            f"{name}: {removed.count} files {account.verb('remove')} "
            f"({in_bytes(removed.size)}); versions kept: {kept.words(newest)}",
            removed.size,
        )
