"""The append-only history of models: it decides who is champion.

`promoted` and `rolled_back` entries name the version that serves from then on; the newest of
them is the champion. `proposed` versions passed the gate and wait for a person, `shadowed` ones
score beside the champion until the gate decides. The alias in the model registry only repeats
what is said here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa

from include.warehouse.tables import model_ledger

Evidence = Mapping[str, Any]

Event = Literal["registered", "proposed", "shadowed", "promoted", "kept", "refused", "rolled_back"]

INTO_SERVICE: tuple[Event, ...] = ("promoted", "rolled_back")
VERDICTS: tuple[Event, ...] = ("promoted", "kept", "refused")
PENDING: tuple[Event, ...] = ("proposed", "shadowed")


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
    evidence: Evidence
    artifact_uri: str
    as_of: date | None
    at: datetime

    @property
    def refit_of(self) -> str | None:
        """The evaluated version that this one repeats on all mature rows, if it is a refit."""
        found = self.evidence.get("refit_of")
        return None if found is None else str(found)


Champion = Entry
"""The entry that brought the champion into service."""


def champion(connection: sa.Connection, use_case: str) -> Champion | None:
    """Return who is champion, or None before the first promotion."""
    return _newest(connection, use_case, model_ledger.c.event.in_(INTO_SERVICE))


def first_promotion(connection: sa.Connection, use_case: str) -> Entry | None:
    """Return the promotion that put the use case into service, or None."""
    found = in_service(connection, use_case)
    return found[0] if found else None


def in_service(connection: sa.Connection, use_case: str) -> list[Entry]:
    """Return the entries that brought a version into service, oldest first."""
    return history(connection, use_case, model_ledger.c.event.in_(INTO_SERVICE))


def registration(connection: sa.Connection, use_case: str, model_version: str) -> Entry | None:
    """Return the entry that registered a version, with its metrics as evidence."""
    mine = model_ledger.c.model_version == model_version
    return _newest(connection, use_case, mine & (model_ledger.c.event == "registered"))


def find(connection: sa.Connection, use_case: str, sha256: str) -> Entry | None:
    """Return the entry that registered the model with these bytes, or None."""
    mine = model_ledger.c.sha256 == sha256
    return _newest(connection, use_case, mine & (model_ledger.c.event == "registered"))


def verdict(connection: sa.Connection, use_case: str, model_version: str) -> Entry | None:
    """Return the newest decision about a version, pending ones included, or None."""
    mine = model_ledger.c.model_version == model_version
    return _newest(connection, use_case, mine & model_ledger.c.event.in_((*VERDICTS, *PENDING)))


def versions(connection: sa.Connection, use_case: str) -> list[str]:
    """Return the registered versions, oldest first."""
    found = history(connection, use_case, model_ledger.c.event == "registered")
    return list(dict.fromkeys(entry.model_version for entry in found))


def pending(connection: sa.Connection, use_case: str, event: Event) -> Entry | None:
    """Return the newest `proposed` or `shadowed` entry that nothing was decided about yet."""
    newest = _newest(connection, use_case, model_ledger.c.event == event)
    if newest is None:
        return None
    decided = model_ledger.c.event.in_((*VERDICTS, *PENDING, "rolled_back"))
    mine = model_ledger.c.model_version == newest.model_version
    later = _newest(connection, use_case, mine & decided)
    return newest if later is not None and later.entry == newest.entry else None


def shadow(connection: sa.Connection, use_case: str) -> Entry | None:
    """Return the entry of the version that scores in shadow, or None."""
    return pending(connection, use_case, "shadowed")


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
    evidence: Evidence,
    artifact_uri: str,
    as_of: date | None,
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


def enter(connection: sa.Connection, entry: Entry, at: datetime) -> None:
    """Add an entry made in memory, as of an instant; its number is the database's to give."""
    values = {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}
    del values["entry"]
    append(connection, **{**values, "at": at})


def decide(
    connection: sa.Connection,
    about: Entry,
    event: Event,
    *,
    actor: str,
    reason: str,
    evidence: Evidence,
    at: datetime,
) -> None:
    """Add an entry about a version that is registered."""
    decided = dataclasses.replace(about, event=event, actor=actor, reason=reason, evidence=evidence)
    enter(connection, decided, at)


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


def champion_as_of(connection: sa.Connection, use_case: str, day: date) -> Champion | None:
    """Return who is champion for a data day, or None before the first.

    The newest entry into service among those whose model was trained as of an earlier day: no
    model scores a day whose outcome it may have learnt from. What was decided later about such
    models counts, in the order it was decided: a rollback takes the versions promoted after the
    one it names out of every day that this one may score, for they were withdrawn.
    """
    trained_before = model_ledger.c.as_of < day
    return _newest(connection, use_case, model_ledger.c.event.in_(INTO_SERVICE) & trained_before)
