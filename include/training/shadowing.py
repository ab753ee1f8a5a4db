"""What a version in shadow has done so far: its finished nights, beside the champion's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import sqlalchemy as sa

from include.declare import UseCase
from include.training import comparison
from include.training.ledger import Entry
from include.warehouse.stages import done_days
from include.warehouse.use_cases import use_case_tables
from include.workspace import Workspace

STAGE = "shadow"


def nights(connection: sa.Connection, use_case: UseCase, entry: Entry) -> Mapping[date, date]:
    """Return data day → newest target date of the nights that a version has finished.

    Days without rows count not. A night that was healed counts like any other: it saw what it
    would have seen in time.
    """
    shadow = use_case_tables(use_case).shadow.c
    query = (
        sa.select(shadow.data_day, sa.func.max(shadow.target_date))
        .where(shadow.model_version == entry.model_version)
        .group_by(shadow.data_day)
        .order_by(shadow.data_day)
    )
    done = done_days(connection, STAGE, use_case.name)
    return {day: target for day, target in connection.execute(query) if day in done}


def is_ripe(
    connection: sa.Connection, workspace: Workspace, use_case: UseCase, entry: Entry
) -> bool:
    """Tell whether the declared nights are finished and the labels of the last one mature."""
    wanted = use_case.gate.shadow_nights
    targets = list(nights(connection, use_case, entry).values())
    if len(targets) < wanted:
        return False
    newest = comparison.newest_day(workspace, use_case)
    mature_after = timedelta(days=use_case.label.mature_after)
    return all(target + mature_after <= newest for target in targets[:wanted])


def beside_champion(connection: sa.Connection, use_case: UseCase, entry: Entry) -> str:
    """Return in words how the shadow's scores differ from those the champion published."""
    tables = use_case_tables(use_case)
    ours, theirs = tables.shadow.c, tables.scores.c
    same = sa.and_(
        ours.model_version == entry.model_version, *(ours[it] == theirs[it] for it in tables.key)
    )
    rows, apart, flipped = connection.execute(
        sa.select(
            sa.func.count(),
            sa.func.avg(sa.func.abs(ours.prediction - theirs.prediction)),
            sa.func.count().filter(ours.decision != theirs.decision),
        ).select_from(tables.shadow.join(tables.scores, same))
    ).one()
    count = len(nights(connection, use_case, entry))
    if not rows:
        return f"after {count} night(s) in shadow without a row that the champion scored too"
    return (
        f"after {count} night(s) in shadow, {rows:,} scores beside the champion's: {apart:.4f} "
        f"apart on average, {flipped:,} decision(s) differ"
    )
