"""What a sample suggests to declare about a table: kind, key, day, entities and measures."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import pandas as pd

from include.declare import TableKind
from include.errors import UsageError
from include.lake.known import KNOWN_AT
from include.scaffold.entities import keys_of_views
from include.scaffold.profile import DAY, Column, Sample
from include.scaffold.wording import is_reserved

MOST_MEASURES = 5
LONGEST_KEY = 3

_CHANGED = ("updated_at", "modified_at", "changed_at", "last_updated", "last_modified")
_KNOWN = ("known_at", "published_at", "available_at")
_DAY_WORDS = ("day", "date", "at", "on", "time", "timestamp", "ts")


@dataclass(frozen=True)
class Wish:
    """What a person wants for a table; None, and a key of nothing, leave it to the sample.

    Attributes:
        known_at: empty for the end of the day, whatever columns there are.
        entities: empty for no feature views.
    """

    kind: str | None = None
    key: tuple[str, ...] = ()
    day: str | None = None
    known_at: str | None = None
    entities: tuple[tuple[str, ...], ...] | None = None


@dataclass(frozen=True)
class Proposal:
    """A table as it may be declared.

    Attributes:
        columns: those of the source, without the date that `data_day` holds.
        day: the column that tells the day; None if the path does, or for a snapshot.
        known_at: the column that tells when a row was known; None for the end of its day.
        known_days: how many days after its own a row may become known.
        entities: keys of the feature views, widest first.
        measures: columns whose means are features.
        rows: smallest and largest number of rows of a day.
        sampled: rows of the sample.
    """

    name: str
    kind: TableKind
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    day: str | None
    known_at: str | None
    known_days: int
    entities: tuple[tuple[str, ...], ...]
    measures: tuple[str, ...]
    rows: tuple[int, int]
    sampled: int

    def column(self, name: str) -> Column:
        """Return the column called `name`."""
        return next(column for column in self.columns if column.name == name)


def propose(name: str, sample: Sample, wish: Wish, timezone: str) -> Proposal:
    """Return what a sample suggests for a table, under what a person wants.

    Raises `UsageError`, which names the option to give, where the sample does not tell, or
    contradicts what is wanted.
    """
    columns = sample.columns()
    _require_there(name, wish, columns)
    by_path = DAY in sample.frame
    day = wish.day or (None if by_path or wish.kind == "snapshot" else day_of(columns))
    if wish.kind == "changes":
        day = wish.day or _first_of(_CHANGED, columns) or day
    kind = _kind(name, wish, columns, day, by_path)
    if kind == "snapshot":
        day = None
    if kind == "changes":
        _require_instants(name, day, columns)
    rows = sample.frame
    days = None if kind == "snapshot" else sample.days(day, timezone)
    known_at = _first_of(_KNOWN, columns) if wish.known_at is None else wish.known_at or None
    if known_at != KNOWN_AT and KNOWN_AT in {column.name for column in columns}:
        raise UsageError(
            f"--known-at: {name} has a column {KNOWN_AT}, which is not a time in every row or not "
            "wanted as such, and the lake has one of that name; give the source's another name"
        )
    told_apart = rows[day] if kind == "changes" else days
    key = wish.key or _key(name, rows, columns, told_apart, {known_at, day})
    entities = keys_of_views(rows, columns, key, None if kind == "changes" else days, wish.entities)
    kept = tuple(it for it in columns if not (it.name == day and it.kind == "date"))
    return Proposal(
        name=name,
        kind=kind,
        key=key,
        columns=kept,
        day=day,
        known_at=known_at,
        known_days=_known_days(sample, days, known_at, timezone),
        entities=entities,
        measures=_measures(kept, {*key, *itertools.chain(*entities)}),
        rows=_rows_per_day(days, len(rows)),
        sampled=len(rows),
    )


def _require_there(name: str, wish: Wish, columns: Iterable[Column]) -> None:
    known = {column.name: column for column in columns}
    wanted = {
        "--key": wish.key,
        "--day": (wish.day,),
        "--known-at": (wish.known_at or None,),
        "--entity": tuple(itertools.chain(*(wish.entities or ()))),
    }
    for option, names in wanted.items():
        for column in names:
            if column is not None and column not in known:
                raise UsageError(
                    f"{option}: {name} has no column {column!r}; it has {', '.join(known)}"
                )
    for option in ("--day", "--known-at"):
        (column,) = wanted[option]
        if column is not None and not known[column].is_time:
            raise UsageError(
                f"{option}: {column} of {name} holds values of type {known[column].kind}, neither "
                "dates nor times (such as 2026-03-01 or 2026-03-01T08:30:00+01:00)"
            )
    for column in itertools.chain(*(wish.entities or ())):
        it = known[column]
        if it.personal or it.kind not in ("string", "int64") or is_reserved(column):
            raise UsageError(
                f"--entity: features cannot be kept of {column}: it must be text or a whole "
                "number, tell of no person, and be a name that SQL takes without quotes"
            )
    if wish.kind is not None and wish.kind not in get_args(TableKind):
        raise UsageError(f"--kind: {wish.kind!r} is none of {', '.join(get_args(TableKind))}")


def _kind(
    name: str, wish: Wish, columns: Sequence[Column], day: str | None, by_path: bool
) -> TableKind:
    if wish.kind in ("events", "changes") and day is None and not by_path:
        raise UsageError(
            f"--kind {wish.kind}: nothing in {name} tells the day of a row; name its column with "
            "--day, or write {day} in the path"
        )
    for kind in get_args(TableKind):
        if wish.kind == kind:
            return kind  # type: ignore[no-any-return]
    if day is not None and day.lower() in _CHANGED:
        return "changes"
    return "events" if by_path or day is not None else "snapshot"


def _require_instants(name: str, day: str | None, columns: Sequence[Column]) -> None:
    if day is None or all(it.kind != "timestamp" for it in columns if it.name == day):
        raise UsageError(
            f"--kind changes: {name} needs a column with the time of each change, such as "
            f"updated_at; {day or 'the path'} tells the day alone"
        )


def day_of(columns: Sequence[Column]) -> str | None:
    """Return the column that tells the day: one called so first, then what sounds like it."""
    fits = [column for column in columns if column.is_time and column.missing == 0]

    def rank(column: Column) -> tuple[bool, ...]:
        name = column.name.lower()
        sounds = {*name.split("_")} & {*_DAY_WORDS}
        plain = name in ("day", "date")
        return name in _KNOWN, name in _CHANGED, column.personal, not plain, not sounds

    return min(fits, key=rank).name if fits else None


def _first_of(names: Sequence[str], columns: Iterable[Column]) -> str | None:
    there = {column.name for column in columns if column.kind == "timestamp" and not column.missing}
    return next((name for name in names if name in there), None)


def _key(
    name: str,
    rows: pd.DataFrame,
    columns: Sequence[Column],
    days: pd.Series[Any] | None,
    without: set[str | None],
) -> tuple[str, ...]:
    """Return the smallest set of columns that no two rows of a day, or of a time, share.

    What is named like an identifier goes before text, times and whole numbers; measures alone
    never make a key.
    """
    costs = {column.name: _cost(column) for column in columns if column.name not in without}
    usable = [name for name, cost in costs.items() if cost is not None]
    if not usable:
        raise UsageError(
            f"no column of {name} can be taken for its key: text, times and identifiers can, if "
            "every row has one; name those that identify a row with --key"
        )
    with_day = rows if days is None else rows.assign(**{DAY: days})
    fixed = [] if days is None else [DAY]
    for size in range(1, LONGEST_KEY + 1):
        found = [
            chosen
            for chosen in itertools.combinations(usable, size)
            if not with_day.duplicated([*fixed, *chosen]).any()
        ]
        if found:
            return min(found, key=lambda chosen: sum(costs[it] or 0 for it in chosen))
    told = "in the table" if days is None else "of a day"
    raise UsageError(
        f"no {LONGEST_KEY} columns of {name} tell all rows {told} apart; name those that should "
        "with --key, and rows that share them will be held"
    )


def _cost(column: Column) -> int | None:
    """Return how badly a column suits a key; None if not at all."""
    if column.missing or column.kind in ("float64", "bool"):
        return None
    if column.is_identifier:
        return 0
    if column.kind == "int64":
        words = column.name.lower().split("_")
        return 3 if {"hour", "line", "seq", "sequence", "position", "minute"} & {*words} else None
    return 1 if column.kind == "string" else 2


def _measures(columns: Sequence[Column], others: set[str]) -> tuple[str, ...]:
    fits = (
        column.name
        for column in columns
        if (column.is_number or column.kind == "bool")
        and not column.is_identifier
        and not column.personal
        and column.distinct > 1
        and column.name not in others
    )
    return tuple(itertools.islice(fits, MOST_MEASURES))


def _known_days(
    sample: Sample, days: pd.Series[Any] | None, known_at: str | None, timezone: str
) -> int:
    if days is None or known_at is None:
        return 0
    after = (sample.days(known_at, timezone) - days).dt.days
    return max(int(after.max()) + 1, 1)


def _rows_per_day(days: pd.Series[Any] | None, rows: int) -> tuple[int, int]:
    if days is None or rows == 0:
        return rows, rows
    counts = days.value_counts()
    return int(counts.min()), int(counts.max())
