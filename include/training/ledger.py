"""The append-only history of models: it decides who is champion.

`promoted` and `rolled_back` entries name the version that serves from then on; the newest of
them is the champion. The alias in the model registry only repeats what is said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa

from include.warehouse.tables import model_ledger

Event = Literal["registered", "promoted", "kept", "refused", "rolled_back"]

INTO_SERVICE: tuple[Event, ...] = ("promoted", "rolled_back")
VERDICTS: tuple[Event, ...] = ("promoted", "kept", "refused")


@dataclass(frozen=True)
class Entry:
    """One entry of the ledger.

    Attributes:
        entry: its place in the order of entries.
        reason: why, in words; `evidence` the numbers.
        artifact_uri: folder of the model's files.
        as_of: the day the model was trained as of.
        at: when it was decided, UTC.
    """

    entry: int
    use_case: str
    model_version: str
    sha256: str
    event: Event
    actor: str
    reason: str
    evidence: Mapping[str, Any]
    artifact_uri: str
    as_of: date | None
    at: datetime


Champion = Entry
"""The entry that brought the champion into service."""


def champion(connection: sa.Connection, use_case: str) -> Champion | None:
    """Return who is champion, or None before the first promotion."""
    return _newest(connection, use_case, model_ledger.c.event.in_(INTO_SERVICE))


def first_promotion(connection: sa.Connection, use_case: str) -> Entry | None:
    """Return the promotion that put the use case into service, or None."""
    found = history(connection, use_case, model_ledger.c.event.in_(INTO_SERVICE))
    return found[0] if found else None


def registration(connection: sa.Connection, use_case: str, model_version: str) -> Entry | None:
    """Return the entry that registered a version, with its metrics as evidence."""
    mine = model_ledger.c.model_version == model_version
    return _newest(connection, use_case, mine & (model_ledger.c.event == "registered"))


def find(connection: sa.Connection, use_case: str, sha256: str) -> Entry | None:
    """Return the entry that registered the model with these bytes, or None."""
    mine = model_ledger.c.sha256 == sha256
    return _newest(connection, use_case, mine & (model_ledger.c.event == "registered"))


def verdict(connection: sa.Connection, use_case: str, model_version: str) -> Entry | None:
    """Return the newest promotion, keeping or refusal of a version, or None."""
    mine = model_ledger.c.model_version == model_version
    return _newest(connection, use_case, mine & model_ledger.c.event.in_(VERDICTS))


def history(
    connection: sa.Connection, use_case: str, where: sa.ColumnElement[bool] | None = None
) -> list[Entry]:
    """Return the entries of a use case, oldest first."""
    query = sa.select(model_ledger).where(model_ledger.c.use_case == use_case)
    if where is not None:
        query = query.where(where)
    return [_entry(row) for row in connection.execute(query.order_by(model_ledger.c.entry))]


def append(
    connection: sa.Connection,
    *,
    use_case: str,
    model_version: str,
    sha256: str,
    event: Event,
    actor: str,
    reason: str,
    evidence: Mapping[str, Any],
    artifact_uri: str,
    as_of: date,
    at: datetime,
) -> None:
    """Add an entry; nothing is ever changed or removed."""
    connection.execute(
        sa.insert(model_ledger).values(
            use_case=use_case,
            model_version=model_version,
            sha256=sha256,
            event=event,
            actor=actor,
            reason=reason,
            evidence=dict(evidence),
            artifact_uri=artifact_uri,
            as_of=as_of,
            at=at,
        )
    )


def _newest(
    connection: sa.Connection, use_case: str, where: sa.ColumnElement[bool]
) -> Entry | None:
    query = (
        sa.select(model_ledger)
        .where(model_ledger.c.use_case == use_case, where)
        .order_by(model_ledger.c.entry.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else _entry(row)


def _entry(row: sa.Row[Any]) -> Entry:
    return Entry(
        entry=row.entry,
        use_case=row.use_case,
        model_version=row.model_version,
        sha256=row.sha256,
        event=row.event,
        actor=row.actor,
        reason=row.reason,
        evidence=row.evidence or {},
        artifact_uri=row.artifact_uri or "",
        as_of=row.as_of,
        at=row.at,
    )
