"""Scores that somebody waits for: late, or held for what they predict."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta

import sqlalchemy as sa

from include.declare import UseCase
from include.incidents.cause import (
    SCORES_HELD,
    SCORES_LATE,
    STAGE_FAILED,
    STAGE_HANGS,
    Cause,
    Key,
    Kind,
)
from include.incidents.look import Look
from include.scoring import readiness
from include.scoring.readiness import Readiness
from include.window import describe_days


def of_use_case(
    connection: sa.Connection, use_case: UseCase, look: Look, wrong: Collection[Key]
) -> Iterator[Cause]:
    """Yield what the table `readiness`, brought up to date before, says of a use case.

    Args:
        connection: inside a reading.
        use_case: which one.
        look: when, and how far back.
        wrong: keys of what is known to be wrong with its stages; it explains late scores.
    """
    rows = readiness.stored(connection, use_case.name)
    if held := [row for row in rows if row.state == "held"]:
        yield _cause(use_case, look, SCORES_HELD, held)
    healed = look.healed_from(use_case.dataset)
    late = [row for row in rows if row.state == "late" and row.data_day >= healed]
    if late and not _explained(use_case, wrong):
        yield _cause(use_case, look, SCORES_LATE, late)


def _explained(use_case: UseCase, wrong: Collection[Key]) -> bool:
    dataset = use_case.dataset.name
    chain = ((dataset, "ingest"), (dataset, "features"), (use_case.name, "score"))
    kinds = (STAGE_FAILED.name, STAGE_HANGS.name)
    return any((subject, kind, stage) in wrong for subject, stage in chain for kind in kinds)


def _cause(use_case: UseCase, look: Look, kind: Kind, rows: Sequence[Readiness]) -> Cause:
    newest = rows[-1]
    about = describe_days([row.target_date for row in rows])
    # Until the day after, the newest day that has ended may not be due.
    is_last = newest.data_day >= look.newest(use_case.dataset) - timedelta(days=1)
    return Cause(
        subject=use_case.name,
        kind=kind,
        severity="critical" if is_last else "warning",
        detail=(
            f"the scores about {about} are {newest.state}; those about {newest.target_date} were "
            f"due by {newest.due_by:%Y-%m-%d %H:%M} UTC: {newest.reason or 'no reason is known'}"
        ),
        first_day=rows[0].data_day,
        last_day=newest.data_day,
    )
