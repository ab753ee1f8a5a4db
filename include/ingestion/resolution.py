"""Applies decisions to the rows of a landing, before any rule looks at them.

A discarded row is dropped, a corrected one takes the place of what came, a released one stays
and is excused from the rule. Identical rows of a day are told apart by number (`<hash>-2` is the
second), counted over everything that came: as they are identical, a decision on one of them says
how many are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from include.declare import Dataset, Table
from include.errors import DataError
from include.ingestion import decisions, forgotten
from include.ingestion.decisions import ByRule, Decision, InForce, RowKey
from include.ingestion.forgotten import Subjects
from include.lake import fingerprint
from include.lake.schema import DATA_DAY
from include.validation.gates import NOTHING_EXCUSED, Excuses

_Known = tuple[int, str, ByRule]
"""Position, numbered hash and decisions of a row."""


@dataclass(frozen=True)
class Settled:
    """A row that somebody decided about, as it came.

    Attributes:
        position: where it is in the rows to judge; None when it was dropped.
        row: column → value, `data_day` among them.
    """

    row_hash: str
    position: int | None
    row: Mapping[str, Any]
    decisions: ByRule


@dataclass(frozen=True)
class Resolved:
    """What the rules are to judge, and what was decided before.

    Attributes:
        rows: without those discarded, and with corrected rows in place of what came.
        hashes: position → hash, of rows that are decided about or identical to one that is.
        settled: rows decided about, in the order they came.
        discarded: rows dropped by decision.
        forgotten: rows whose correction tells of a forgotten subject; dropped too.
        excuses: what the rules are not to hold or stop.
        unfit: day → why a correction on it no longer fits the declaration of the table.
    """

    rows: pa.Table
    discarded: pa.Table
    forgotten: pa.Table
    hashes: Mapping[int, str] = field(default_factory=dict)
    settled: tuple[Settled, ...] = ()
    excuses: Excuses = NOTHING_EXCUSED
    unfit: Mapping[date, str] = field(default_factory=dict)


def resolve(
    dataset: Dataset, table: Table, rows: pa.Table, decided: InForce, subjects: Subjects
) -> Resolved:
    """Apply the decisions in force to rows of a table that fit its schema.

    Args:
        rows: as read, with `data_day`, forgotten subjects left out.
    """
    known = list(_known(table, rows, decided.rows.get(table.name, {})))
    if not known:
        excuses = Excuses({}, _waived(table, decided))
        return Resolved(rows, rows.slice(0, 0), rows.slice(0, 0), excuses=excuses)
    unfit: dict[date, str] = {}
    discarded, erased, corrected = _fates(dataset, rows, known, subjects, unfit)
    judged, places = _rearranged(rows, [*discarded, *erased], corrected)
    return Resolved(
        rows=judged,
        discarded=rows.take(pa.array(discarded, pa.int64())),
        forgotten=rows.take(pa.array(erased, pa.int64())),
        hashes={places[at]: row_hash for at, row_hash, _ in known if at in places},
        settled=tuple(
            Settled(row_hash, places.get(at), rows.slice(at, 1).to_pylist()[0], by_rule)
            for at, row_hash, by_rule in known
            if by_rule
        ),
        excuses=Excuses(_released(known, places), _waived(table, decided)),
        unfit=unfit,
    )


def number(hashes: Sequence[str], days: Sequence[date]) -> list[str]:
    """Return the hashes of rows with identical rows of a day numbered from the second on."""
    seen: dict[tuple[date, str], int] = {}
    numbered = []
    for row_hash, day in zip(hashes, days, strict=True):
        copies = seen[day, row_hash] = seen.get((day, row_hash), 0) + 1
        numbered.append(row_hash if copies == 1 else f"{row_hash}-{copies}")
    return numbered


def _known(table: Table, rows: pa.Table, by_row: Mapping[RowKey, ByRule]) -> Iterator[_Known]:
    """Yield position, hash and decisions of rows decided about, and of rows identical to one."""
    wanted = {(day, row_hash.partition("-")[0]) for day, row_hash in by_row}
    if not wanted:
        return
    days = rows.column(DATA_DAY).to_numpy(zero_copy_only=False)
    positions = np.arange(len(rows))
    if table.kind != "snapshot":
        positions = positions[np.isin(days, np.array([day for day, _ in wanted], days.dtype))]
    near = rows.take(pa.array(positions, pa.int64()))
    hashes = fingerprint.row_hashes(near, [column.name for column in table.columns])
    of_days = near.column(DATA_DAY).to_pylist()
    found = zip(positions.tolist(), hashes, number(hashes, of_days), of_days, strict=True)
    for position, row_hash, numbered, day in found:
        if decisions.row_key(table, day, row_hash) in wanted:
            yield position, numbered, by_row.get(decisions.row_key(table, day, numbered), {})


def _fates(
    dataset: Dataset,
    rows: pa.Table,
    known: Sequence[_Known],
    subjects: Subjects,
    unfit: dict[date, str],
) -> tuple[list[int], list[int], list[tuple[int, pa.Table]]]:
    """Return the positions of rows discarded, erased and corrected, the last with what replaces it.

    Erased is a row whose correction tells of a forgotten subject. One whose correction does not
    fit stays as it came, and its day is put into `unfit`.
    """
    discarded: list[int] = []
    erased: list[int] = []
    corrected: list[tuple[int, pa.Table]] = []
    for position, _, by_rule in known:
        whole = decisions.of_the_row(by_rule)
        if whole is None:
            continue
        if whole.action == "discard":
            discarded.append(position)
            continue
        try:
            fixed = _corrected(rows, position, whole)
        except DataError as problem:
            unfit[rows.column(DATA_DAY)[position].as_py()] = str(problem)
            continue
        if fixed is None or len(forgotten.split(dataset, fixed, subjects)[1]):
            erased.append(position)
        else:
            corrected.append((position, fixed))
    return discarded, erased, corrected


def _waived(table: Table, decided: InForce) -> frozenset[tuple[date, str]]:
    by_day = decided.waivers.get(table.name, {})
    return frozenset((day, rule) for day, by_rule in by_day.items() for rule in by_rule)


def _corrected(rows: pa.Table, position: int, decision: Decision) -> pa.Table | None:
    """Return the row that a correction puts in place of one, or None once it was erased."""
    if decision.payload is None:
        return None
    day = {DATA_DAY: rows.column(DATA_DAY)[position].as_py()}
    try:
        values = row_of(decision.payload, rows.schema) | day
        return pa.Table.from_pylist([values], schema=rows.schema)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        raise DataError(
            f"{decision.dataset}.{decision.table_name}: the correction of row {decision.row_hash} "
            f"of {decision.data_day} no longer fits the declared columns; take it back: "
            f"./nightshift quarantine revoke {decision.dataset} {decision.row_hash} --reason TEXT"
        ) from None


def row_of(payload: Mapping[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Return the values of a row that JSON has, but for its day; raises `ValueError`."""
    values = {name: payload.get(name) for name in schema.names if name != DATA_DAY}
    for name, value in values.items():
        if value is not None and pa.types.is_timestamp(schema.field(name).type):
            values[name] = datetime.fromisoformat(value)
        elif isinstance(value, str) and pa.types.is_floating(schema.field(name).type):
            values[name] = float(value)  # inf, -inf or nan, which JSON has no number for
    return values


def _rearranged(
    rows: pa.Table, dropped: Sequence[int], corrected: Sequence[tuple[int, pa.Table]]
) -> tuple[pa.Table, dict[int, int]]:
    """Return the rows to judge, corrected ones last, and old → new position of each."""
    moved = [position for position, _ in corrected]
    kept = np.delete(np.arange(len(rows)), [*dropped, *moved])
    parts = [rows.take(pa.array(kept, pa.int64())), *(fixed for _, fixed in corrected)]
    places = {old: new for new, old in enumerate([*kept.tolist(), *moved])}
    return pa.concat_tables(parts), places


def _released(known: Sequence[_Known], places: Mapping[int, int]) -> dict[str, list[int]]:
    """Return rule → new positions of the rows it does not hold."""
    released: dict[str, list[int]] = {}
    for position, _, by_rule in known:
        for rule in decisions.released_from(by_rule):
            if position in places:
                released.setdefault(rule, []).append(places[position])
    return released
