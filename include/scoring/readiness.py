"""May this morning's scores be used, since when, and if not why: the table `readiness`.

Everything is read off `stage_days`, the holds and the declared due time, so that a night that
never started is seen as well as one that failed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from include import catalog
from include.declare import UseCase
from include.errors import NightshiftError
from include.scoring import lateness
from include.scoring.holds import Hold
from include.scoring.lateness import Record
from include.training import ledger
from include.warehouse import runs
from include.warehouse.locks import lock
from include.warehouse.migrate import require_current
from include.warehouse.tables import readiness
from include.window import Window
from include.workspace import Workspace

_log = logging.getLogger(__name__)

State = Literal["ready", "waiting", "late", "held", "failed"]


@dataclass(frozen=True)
class Readiness:
    """Whether the scores about one day may be used.

    Attributes:
        target_date: the day they are about.
        data_day: the newest data day due for it.
        due_by: when they are promised, UTC.
        ready_at: since when they may be used, UTC; None while they may not.
        reason: why they may not, in words.
    """

    use_case: str
    target_date: date
    data_day: date
    due_by: datetime
    state: State
    ready_at: datetime | None = None
    reason: str | None = None


def due_by(use_case: UseCase, day: date) -> datetime:
    """Return when the scores of a data day are promised, UTC.

    A local time that does not exist is read one hour later, of one that exists twice the first.
    """
    local = datetime.combine(day + timedelta(days=1), use_case.scoring.due_by)
    return local.replace(tzinfo=use_case.dataset.zone).astimezone(UTC)


def assess(connection: sa.Connection, use_case: UseCase, now: datetime) -> list[Readiness]:
    """Return what `readiness` should say now, oldest target date first; writes nothing.

    It is said of every data day that a night would heal since the use case went into service,
    and of every older one that the score stage has touched.
    """
    in_reach = _in_reach(connection, use_case, now)
    record = Record.read(connection, use_case, in_reach)
    return [_assess(connection, record, day, now) for day in record.days]


def refresh(workspace: Workspace, use_case: UseCase) -> list[Readiness]:
    """Bring the rows of a use case up to date, in one transaction; returns those that changed.

    Rows that would say the same are not touched, and rows nothing is said about are left.

    Raises:
        LockHeld: another refresh of the use case does not end.
        ConfigurationError: the warehouse lacks its tables.
    """
    require_current(workspace.warehouse)
    # Without the lock, one that read before a night was published could write after it.
    with (
        lock(workspace.warehouse, "readiness", use_case.name),
        workspace.warehouse.transaction() as connection,
    ):
        found = assess(connection, use_case, workspace.context.instant())
        before = {row.target_date: row for row in stored(connection, use_case.name)}
        told = [_since(row, before.get(row.target_date)) for row in found]
        changed = [row for row in told if row != before.get(row.target_date)]
        _write(connection, changed)
    for row in changed:
        _log.info("%s: %s is %s", row.use_case, row.target_date, row.state)
    return changed


def _since(row: Readiness, before: Readiness | None) -> Readiness:
    """Return the row with the time from which it has been ready, whatever was restated since."""
    if before is None or not row.state == before.state == "ready":
        return row
    return replace(row, ready_at=before.ready_at)


def refresh_all(workspace: Workspace, names: Iterable[str] | None = None) -> dict[str, str]:
    """Bring the rows of use cases up to date, all of them by default.

    Returns use case → why it could not be, of those that could not; the others are up to date.
    Raises `ConfigurationError` when the warehouse lacks its tables.
    """
    require_current(workspace.warehouse)
    failed = {}
    for name in catalog.use_case_names() if names is None else names:
        try:
            refresh(workspace, catalog.use_case(name))
        except Exception as error:  # whatever is wrong with one must not hide the others
            failed[name] = runs.one_line(error)
            unforeseen = not isinstance(error, NightshiftError)
            _log.error("%s: no readiness: %s", name, failed[name], exc_info=unforeseen)
    return failed


def stored(
    connection: sa.Connection, use_case: str | None = None, newest: int | None = None
) -> list[Readiness]:
    """Return the rows of the table, by use case, oldest first; of each the `newest` only."""
    query = sa.select(readiness).order_by(readiness.c.use_case, readiness.c.target_date)
    if use_case is not None:
        query = query.where(readiness.c.use_case == use_case)
    by_name: dict[str, list[Readiness]] = {}
    for row in connection.execute(query):
        by_name.setdefault(row.use_case, []).append(Readiness(**dict(row._mapping)))
    return [row for rows in by_name.values() for row in rows[-newest if newest else 0 :]]


def _in_reach(connection: sa.Connection, use_case: UseCase, now: datetime) -> tuple[date, ...]:
    """Return the ended data days since the first champion that a night looks at."""
    dataset, first = use_case.dataset, ledger.first_promotion(connection, use_case.name)
    if first is None or first.as_of is None:
        return ()
    newest = dataset.newest_ended_day(now)
    since = max(first.as_of + timedelta(days=1), dataset.first_day)
    if newest < since:
        return ()
    return Window.night(newest).reaching_back(dataset.heal_days, since).days


def _assess(connection: sa.Connection, record: Record, day: date, now: datetime) -> Readiness:
    use_case = record.use_case
    promised = due_by(use_case, day)
    state, ready_at, reason = _state(connection, record, day, now >= promised)
    return Readiness(
        use_case=use_case.name,
        target_date=day + timedelta(days=min(use_case.horizons)),
        data_day=day,
        due_by=promised,
        state=state,
        ready_at=ready_at,
        reason=reason,
    )


def _state(
    connection: sa.Connection, record: Record, day: date, overdue: bool
) -> tuple[State, datetime | None, str | None]:
    """Return state, since when it is ready, and why it is not."""
    scored, held = record.scored.get(day), record.holds.get(day)
    published = scored.at if scored is not None and scored.state == "done" else None
    if held is not None and not held.is_released and (not published or held.held_at > published):
        return "held", None, _why_held(held, published)
    if published:
        return "ready", published, None
    if failure := record.failure(day):
        return "failed", None, failure
    missing = lateness.missing(connection, record, day)
    return ("late" if overdue else "waiting"), None, missing


def _why_held(held: Hold, published: datetime | None) -> str:
    before = f"; the scores published {published:%Y-%m-%d %H:%M} UTC stand" if published else ""
    return (
        f"{'; '.join(held.findings)}{before}; to publish them all the same: ./nightshift release "
        f"{held.use_case} {held.data_day} --reason TEXT"
    )


def _write(connection: sa.Connection, rows: Sequence[Readiness]) -> None:
    if not rows:
        return
    values: list[dict[str, Any]] = [dict(vars(row)) for row in rows]
    connection.execute(
        sa.delete(readiness).where(
            readiness.c.use_case == sa.bindparam("of_use_case"),
            readiness.c.target_date == sa.bindparam("of_target"),
        ),
        [{"of_use_case": row.use_case, "of_target": row.target_date} for row in rows],
    )
    connection.execute(sa.insert(readiness), values)
