"""Nights whose predictions broke a bound: held by the score stage, released by a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from include.declare import UseCase
from include.errors import UsageError
from include.warehouse.migrate import require_current
from include.warehouse.tables import score_holds
from include.workspace import Workspace


@dataclass(frozen=True)
class Hold:
    """New scores of one data day that were not published.

    Attributes:
        model_version: the model that predicted them.
        input_hash: fingerprint of what it was given.
        findings: which bounds they broke, in sentences.
        held_at: when, UTC.
        released_by: who let them be published; None while they are held.
    """

    use_case: str
    data_day: date
    model_version: str
    input_hash: str
    findings: tuple[str, ...]
    run_id: str
    held_at: datetime
    released_by: str | None = None
    released_reason: str | None = None
    released_at: datetime | None = None

    @property
    def is_released(self) -> bool:
        """Whether a person let the scores be published."""
        return self.released_at is not None

    def is_about(self, input_hash: str, model_version: str) -> bool:
        """Return whether these are the predictions of a model from an input."""
        return (self.input_hash, self.model_version) == (input_hash, model_version)


def of(connection: sa.Connection, use_case: str) -> dict[date, Hold]:
    """Return data day → what was held of it, released or not, oldest first."""
    query = sa.select(score_holds).where(score_holds.c.use_case == use_case)
    rows = connection.execute(query.order_by(score_holds.c.data_day))
    return {row.data_day: _hold(row) for row in rows}


def find(connection: sa.Connection, use_case: str, day: date) -> Hold | None:
    """Return what was held of a day, released or not, or None."""
    row = connection.execute(sa.select(score_holds).where(*_of_day(use_case, day))).first()
    return None if row is None else _hold(row)


def released(
    connection: sa.Connection,
    use_case: UseCase,
    day: date,
    input_hash: str,
    model_version: str,
) -> bool:
    """Return whether a person let exactly these predictions be published."""
    found = find(connection, use_case.name, day)
    return found is not None and found.is_released and found.is_about(input_hash, model_version)


def hold(
    connection: sa.Connection,
    use_case: UseCase,
    day: date,
    *,
    model_version: str,
    input_hash: str,
    findings: Sequence[str],
    run_id: str,
    at: datetime,
) -> None:
    """Record that new scores of a day are held, in place of what was held of it before.

    Predictions that are held again for the same reasons keep their row, and predictions a person
    released while the run was at work keep their release, for the next run to publish.
    """
    new = Hold(use_case.name, day, model_version, input_hash, tuple(findings), run_id, at)
    before = find(connection, use_case.name, day)
    repeated = before is not None and before.is_about(input_hash, model_version)
    if before is not None and repeated and (before.is_released or before.findings == new.findings):
        return
    connection.execute(sa.delete(score_holds).where(*_of_day(use_case.name, day)))
    values = {**vars(new), "findings": list(new.findings)}
    connection.execute(sa.insert(score_holds).values(**values))


def forget(connection: sa.Connection, use_case: UseCase, days: Collection[date]) -> None:
    """Remove the holds of days that are published; those a person released stay on record."""
    held = of(connection, use_case.name)
    _remove(connection, [held[day] for day in days if day in held])


def forget_outdated(
    connection: sa.Connection, use_case: UseCase, hashes: Mapping[date, str]
) -> None:
    """Remove the holds of published days whose input is no longer what was held.

    Without it, a day whose input became again what was published would stay held for good.

    Args:
        connection: inside a transaction.
        hashes: published day that is not due → fingerprint of its input now.
    """
    held = of(connection, use_case.name)
    known = [held[day] for day in hashes if day in held]
    _remove(connection, [it for it in known if it.input_hash != hashes[it.data_day]])


def release(workspace: Workspace, use_case: UseCase, day: date, *, actor: str, reason: str) -> Hold:
    """Record that a person lets the held predictions of a day be published; publishes nothing.

    Only the same model's predictions from the same input are let through.

    Raises:
        UsageError: nothing is held of the day, it was released already, or there is no reason.
        ConfigurationError: the warehouse lacks its tables.
    """
    require_current(workspace.warehouse)
    name, reason = use_case.name, reason.strip()
    if not reason:
        raise UsageError(f"{name}: say why the scores of {day} may be published; the reason stays")
    at = workspace.context.instant()
    with workspace.warehouse.transaction() as connection:
        found = find(connection, name, day)
        if found is None:
            held = [str(it.data_day) for it in of(connection, name).values() if not it.is_released]
            raise UsageError(
                f"{name}: nothing is held of {day}; held days: {', '.join(held) or 'none'}"
            )
        if found.released_at is not None:
            raise UsageError(
                f"{name}: {day} was released by {found.released_by} at "
                f"{found.released_at:%Y-%m-%d %H:%M} UTC ({found.released_reason}); if its scores "
                f"are not published, run ./nightshift score {name} --from {day} --to {day}"
            )
        values = {"released_by": actor, "released_reason": reason, "released_at": at}
        connection.execute(sa.update(score_holds).where(*_of_day(name, day)).values(**values))
    return replace(found, released_by=actor, released_reason=reason, released_at=at)


def _remove(connection: sa.Connection, found: Iterable[Hold]) -> None:
    for it in found:
        if not it.is_released:
            mine = _of_day(it.use_case, it.data_day)
            connection.execute(sa.delete(score_holds).where(*mine))


def _of_day(use_case: str, day: date) -> tuple[sa.ColumnElement[bool], ...]:
    return (score_holds.c.use_case == use_case, score_holds.c.data_day == day)


def _hold(row: sa.Row[Any]) -> Hold:
    values = dict(row._mapping)
    return Hold(**{**values, "findings": tuple(values["findings"])})
