"""Asks a source what it has, and reads days into tables that fit the declared schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pyarrow as pa

from include.declare import Dataset, Table
from include.errors import DayAbsent, SchemaBreak, SourceNotReady
from include.ingestion.decisions import InForce
from include.ingestion.source import Source
from include.lake import fingerprint
from include.lake.schema import DATA_DAY, arrow_schema, conform
from include.validation.gates import rules_of
from include.window import Window

ASK_AGAIN = timedelta(minutes=10)


@dataclass
class Offer:
    """What a source offers: input hashes of the days it has, reasons for those it has not."""

    inputs: dict[date, str] = field(default_factory=dict)
    absent: dict[date, str] = field(default_factory=dict)


@dataclass
class Reading:
    """One table's rows of the days that fit its schema, and why the other days do not.

    Attributes:
        rows: with `data_day`.
        added: columns that the source has and the declaration has not.
    """

    rows: pa.Table
    broken: dict[date, str]
    added: list[str]


def offer(
    dataset: Dataset,
    source: Source,
    reached: Window,
    asked: Window,
    now: datetime,
    decided: InForce,
) -> Offer:
    """Ask the source for the fingerprints of the days in reach; decisions on a day are part of it.

    A day that the source does not have is absent once its time to give up has passed; before
    that an older day is left for a later run.

    Raises:
        SourceNotReady: a day that was asked for may still come; says when to ask again.
        SourceUnreachable: the source does not answer.
    """
    found = Offer()
    events = event_tables(dataset)
    declared = {table.name: declaration_hash(table) for table in events}
    for day in reached:
        try:
            if now < dataset.expected_at(day):
                raise DayAbsent("it is expected later")
            marks = {table.name: source.fingerprint(table, day) for table in events}
        except DayAbsent as missing:
            if now >= dataset.gives_up_at(day):
                found.absent[day] = str(missing)
            elif day in asked:
                raise not_ready(dataset, day, now, missing) from missing
        else:
            read = {"source": marks, "declared": declared}
            found.inputs[day] = fingerprint.of_values(read | decided.inputs(events, day))
    return found


def event_tables(dataset: Dataset) -> list[Table]:
    """Return the tables whose rows belong to days."""
    return [table for table in dataset.tables if table.kind != "snapshot"]


def snapshot_tables(dataset: Dataset) -> list[Table]:
    """Return the tables that hold a state."""
    return [table for table in dataset.tables if table.kind == "snapshot"]


def declaration_hash(table: Table) -> str:
    """Return the hash of what a landing of the table depends on besides its rows."""
    return fingerprint.of_values(
        table.key,
        [(c.name, c.type, c.nullable) for c in table.columns],
        [repr(rule) for rule in (*rules_of(table), *table.day_rules)],
        dict(table.day_measures),
        *([table.updated_at, table.keeps_versions] if table.kind == "changes" else []),
    )


def read(dataset: Dataset, source: Source, table: Table, days: Sequence[date]) -> Reading:
    """Read one table; a day that does not fit is returned as broken, never in part.

    It does not fit if its columns differ, or if it comes with rows of days not asked for.

    The window is read at once; only if it does not fit are its days read one by one, to find
    out which of them break. The rows of a snapshot are stamped with the one day of landing.

    Raises:
        SourceUnreachable: the source cannot be read.
    """
    schema = arrow_schema(table)
    where = f"{dataset.name}.{table.name}"
    try:
        rows, added = conform(source.read(table, days), schema, where)
        rows = _stamped(rows, days[0])
        _require_of(rows, days, where)
    except SchemaBreak as problem:
        if len(days) == 1:
            return Reading(_stamped(schema.empty_table(), days[0]), {days[0]: str(problem)}, [])
        parts = [read(dataset, source, table, [day]) for day in days]
        return Reading(
            rows=pa.concat_tables([part.rows for part in parts], promote_options="permissive"),
            broken={day: why for part in parts for day, why in part.broken.items()},
            added=sorted({name for part in parts for name in part.added}),
        )
    return Reading(rows, {}, added)


def _require_of(rows: pa.Table, days: Sequence[date], where: str) -> None:
    """Raise `SchemaBreak` if there are rows of days that were not asked for."""
    strays = set(rows.column(DATA_DAY).unique().to_pylist()) - set(days)
    if strays:
        stray = min(map(str, strays))
        raise SchemaBreak(f"{where}: the source returned rows of {stray}, not asked for")


def _stamped(rows: pa.Table, day: date) -> pa.Table:
    """Return rows with a `data_day`: their own, else the day of landing."""
    if DATA_DAY in rows.column_names:
        return rows
    return rows.append_column(DATA_DAY, pa.array([day] * len(rows), pa.date32()))


def not_ready(dataset: Dataset, day: date, now: datetime, missing: DayAbsent) -> SourceNotReady:
    """Return what tells to ask again, and when."""
    expected, gives_up = dataset.expected_at(day), dataset.gives_up_at(day)
    until = expected if now < expected else min(now + ASK_AGAIN, gives_up)
    return SourceNotReady(
        day,
        until,
        f"{dataset.name} does not have {day} yet ({missing}); next look at "
        f"{until:%Y-%m-%d %H:%M} UTC, absent after {gives_up:%Y-%m-%d %H:%M} UTC",
    )
