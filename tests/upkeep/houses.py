"""Housekeeping of the sample, days later; imports no more than that needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from include.declare import Dataset, UseCase
from include.declare_retention import DataRetention, ScoreRetention
from include.settings import Settings
from include.upkeep.account import Account
from include.upkeep.housekeeping import housekeeping
from include.workspace import Workspace, open_workspace
from tests.planted import NOW, PLANTED, PLANTED_USE_CASE

CASE = replace(
    PLANTED_USE_CASE,
    training=replace(PLANTED_USE_CASE.training, history_days=7, min_rows=1000),
)
DAYS_LATER = 30
"""Long after `versions_days`, and before `lineage_days` are over."""


@contextmanager
def later(home: Path, days: float) -> Iterator[Workspace]:
    """Open the installation in `home` days later."""
    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    with open_workspace(settings, now=NOW + timedelta(days=days)) as workspace:
        yield workspace


def keep_house(
    workspace: Workspace,
    data: DataRetention | None = None,
    scores: ScoreRetention | None = None,
    *,
    dry_run: bool = False,
) -> Account:
    """Do the housekeeping of the sample, with other retention if given."""
    dataset: Dataset = replace(PLANTED, retention=data or PLANTED.retention)
    use_case: UseCase = replace(CASE, dataset=dataset, retention=scores or CASE.retention)
    return housekeeping(workspace, [dataset], [use_case], dry_run=dry_run)
