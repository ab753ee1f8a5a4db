"""What people decided about held rows and failing rules, and which of it is in force.

Decisions are only ever added. Of several on the same row and rule the latest is in force, and
`revoke` takes it back. A row is known by what is in it (`row_hash`), so that a decision holds at
every landing: on its data day, or for a snapshot whenever the table is landed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa

from include.declare import Dataset, Table
from include.warehouse.tables import quarantine_decisions
from include.window import Window

Action = Literal["release", "correct", "discard", "waive", "revoke"]

OF_THE_ROW = ("correct", "discard")
"""Actions that concern a row as a whole, whichever rule they were taken for."""


@dataclass(frozen=True)
class Decision:
    """One decision; a row of `quarantine_decisions`.

    Attributes:
        entry: its number; None until it is recorded.
        data_day: the day the row was landed with, or that is waived.
        row_hash: the row decided on, `<hash>-2` for the second of identical rows; None for waive.
        payload: the corrected row; None for others, and once its subject was forgotten.
    """

    entry: int | None
    dataset: str
    table_name: str
    data_day: date
    row_hash: str | None
    rule: str
    action: Action
    payload: Mapping[str, Any] | None
    actor: str
    reason: str
    at: datetime


RowKey = tuple[date | None, str]
"""Data day (None in a snapshot) and hash of a row."""

ByRule = Mapping[str, Decision]


@dataclass(frozen=True)
class InForce:
    """The decisions that count now.

    Attributes:
        rows: table → row → rule → decision.
        waivers: table → day → rule → decision.
    """

    rows: Mapping[str, Mapping[RowKey, ByRule]]
    waivers: Mapping[str, Mapping[date, ByRule]]

    def of_row(self, table: Table, day: date, row_hash: str) -> ByRule:
        """Return what was decided about a row, by rule."""
        return self.rows.get(table.name, {}).get(row_key(table, day, row_hash), {})

    def of_day(self, table: Table, day: date) -> ByRule:
        """Return what is waived on a day of a table, by rule."""
        return self.waivers.get(table.name, {}).get(day, {})

    def inputs(self, tables: Iterable[Table], day: date) -> dict[str, Any]:
        """Return what a landing of `day` depends on of all this; nothing if nothing is decided.

        A correction is told by its number: forgetting a subject empties it, and is no reason to
        land again.
        """
        found = []
        for table in tables:
            for key, by_rule in self.rows.get(table.name, {}).items():
                if key[0] in (None, day):
                    found += [_mark(it) for it in by_rule.values()]
            found += [_mark(it) for it in self.of_day(table, day).values()]
        return {"decided": sorted(found)} if found else {}


def state(force: InForce | None, entry: Mapping[str, Any]) -> str:
    """Return what became or will become of a row of `quarantine`, in a few words.

    Args:
        force: the decisions in force on its dataset; None when that is no longer declared.
        entry: the row, column → value.
    """
    landed = entry["decision"]
    rows = force.rows.get(entry["table_name"], {}) if force else {}
    hashed = entry["row_hash"]
    by_rule = rows.get((entry["data_day"], hashed)) or rows.get((None, hashed)) or {}
    own = by_rule.get(entry["rule"])
    action = None if own is None else (of_the_row(by_rule) or own).action
    if action == landed:
        return landed or ""
    return f"{action or 'revoke'}, from its next landing on"


def row_key(table: Table, day: date, row_hash: str) -> RowKey:
    """Return what a decision on a row is matched by at a landing."""
    return (None if table.kind == "snapshot" else day), row_hash


def of_the_row(by_rule: ByRule) -> Decision | None:
    """Return the decision on a row as a whole, the latest if there are several, or None."""
    whole = [it for it in by_rule.values() if it.action in OF_THE_ROW]
    return max(whole, key=_age) if whole else None


def released_from(by_rule: ByRule) -> tuple[str, ...]:
    """Return the rules that a row is released from."""
    return tuple(rule for rule, it in by_rule.items() if it.action == "release")


def in_force(dataset: Dataset, decisions: Iterable[Decision]) -> InForce:
    """Return which of `decisions` count; those of tables no longer declared do not."""
    declared = {table.name: table for table in dataset.tables}
    rows: dict[str, dict[RowKey, dict[str, Decision]]] = {}
    waivers: dict[str, dict[date, dict[str, Decision]]] = {}
    for it in sorted(decisions, key=_age):
        if it.table_name not in declared:
            continue
        if it.row_hash is None:
            place = waivers.setdefault(it.table_name, {}).setdefault(it.data_day, {})
        else:
            key = row_key(declared[it.table_name], it.data_day, it.row_hash)
            place = rows.setdefault(it.table_name, {}).setdefault(key, {})
        place.pop(it.rule, None)
        if it.action != "revoke":
            place[it.rule] = it
    return InForce(rows, waivers)


def read(connection: sa.Connection, dataset: Dataset, window: Window | None = None) -> InForce:
    """Return the decisions in force on a dataset: for the days of a window, or for all.

    Those on rows of snapshots are for every day.
    """
    table = quarantine_decisions.c
    query = sa.select(quarantine_decisions).where(table.dataset == dataset.name)
    if window is not None:
        snapshots = [it.name for it in dataset.tables if it.kind == "snapshot"]
        within = table.data_day.between(window.start, window.end)
        query = query.where(within | table.table_name.in_(snapshots))
    found = connection.execute(query.order_by(table.entry)).mappings()
    return in_force(dataset, (Decision(**row) for row in found))


def history(
    connection: sa.Connection, dataset: str | None = None, row_hash: str | None = None
) -> list[Decision]:
    """Return decisions as they were made, oldest first: of a dataset, about a row, or all."""
    table = quarantine_decisions.c
    query = sa.select(quarantine_decisions).order_by(table.entry)
    if dataset is not None:
        query = query.where(table.dataset == dataset)
    if row_hash is not None:
        query = query.where(table.row_hash == row_hash)
    return [Decision(**row) for row in connection.execute(query).mappings()]


def record(connection: sa.Connection, decisions: Sequence[Decision]) -> None:
    """Add decisions, in their order, to those on record."""
    for it in decisions:
        row = {name: value for name, value in asdict(it).items() if name != "entry"}
        connection.execute(sa.insert(quarantine_decisions).values(**row))


def _mark(decision: Decision) -> list[Any]:
    number = decision.entry if decision.action == "correct" else None
    return [
        decision.table_name,
        decision.row_hash or "",
        decision.rule,
        decision.action,
        str(number or ""),
    ]


def _age(decision: Decision) -> tuple[bool, int]:
    """Order by number; what is not recorded yet comes last, in the order given."""
    return decision.entry is None, decision.entry or 0
