"""Feature views for a table: how many rows and what means of late, or what a snapshot says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from include.scaffold.profile import Column
from include.scaffold.proposals import Proposal
from include.scaffold.wording import both, filled, in_sql, spoken

WINDOW_DAYS = 28


@dataclass(frozen=True)
class Feature:
    """One feature: its name, type and what it is."""

    name: str
    type: str
    words: str


@dataclass(frozen=True)
class View:
    """One feature view.

    Attributes:
        keys: the columns it is kept by.
        sql: of its file.
    """

    name: str
    keys: tuple[Column, ...]
    lookback_days: int
    features: tuple[Feature, ...]
    words: str
    sql: str


def views_of(dataset: str, table: Proposal, alone: bool) -> tuple[View, ...]:
    """Return feature views for a table; `alone` if the dataset has no other."""
    prefix = dataset if alone or table.name == dataset else f"{dataset}_{table.name}"
    build = _BUILD[table.kind]
    return tuple(build(prefix, table, keys) for keys in table.entities)


def shared_sql(table: Proposal) -> str:
    """Return the SQL that the views of a table of events or changes share."""
    measured = table.kind == "events" and bool(table.measures)
    return filled("recent.sql", table=table.name, measured=measured)


def lookback_days(table: Proposal) -> int:
    """Return how many data days the views of a table read."""
    return 1 if table.kind == "snapshot" else WINDOW_DAYS + table.known_days


def _changes(prefix: str, table: Proposal, keys: tuple[str, ...]) -> View:
    of = both(keys)
    words = f"Recent changes of {spoken(table.name)} by {of}, and the newest values"
    sql = filled(
        "changes_view.sql",
        words=f"{words}.",
        table=table.name,
        keys=[in_sql(name) for name in keys],
        measures=[(name, in_sql(name)) for name in table.measures],
        updated_at=in_sql(table.day or ""),
    )
    counts = tuple(
        Feature(f"changes_{days}d", "int64", f"changes of the {of} in the last {days} days")
        for days in (7, WINDOW_DAYS)
    )
    newest = tuple(
        Feature(f"newest_{name}", table.column(name).kind, f"newest {spoken(name)} of the {of}")
        for name in table.measures
    )
    columns = tuple(table.column(name) for name in keys)
    name = f"{prefix}_by_{'_and_'.join(keys)}"
    return View(name, columns, lookback_days(table), (*counts, *newest), words, sql)


def _recent(prefix: str, table: Proposal, keys: tuple[str, ...]) -> View:
    of = both(keys)
    words = f"Recent {spoken(table.name)} by {of}: how many, and means"
    columns = tuple(table.column(name) for name in keys)
    sql = filled(
        "events_view.sql",
        words=f"{words}.",
        table=table.name,
        keys=[in_sql(name) for name in keys],
        measures=[(name, _value(table.column(name))) for name in table.measures],
        nullable=[in_sql(it.name) for it in columns if it.missing],
    )
    name = f"{prefix}_by_{'_and_'.join(keys)}"
    features = tuple(_features(table, of))
    return View(name, columns, lookback_days(table), features, words, sql)


def _features(table: Proposal, of: str) -> Iterator[Feature]:
    for days in (7, WINDOW_DAYS):
        told = f"{spoken(table.name)} of the {of} in the last {days} days"
        yield Feature(f"{table.name}_{days}d", "int64", told)
    for name in table.measures:
        for days in (7, WINDOW_DAYS):
            told = f"mean {spoken(name)} of the {of} in the last {days} days"
            yield Feature(f"mean_{name}_{days}d", "float64", told)


def _value(column: Column) -> str:
    """Return a column as the mean takes it: truths as 0 and 1."""
    spelt = in_sql(column.name)
    return f"{spelt}::INTEGER" if column.kind == "bool" else spelt


def _snapshot(prefix: str, table: Proposal, keys: tuple[str, ...]) -> View:
    told = tuple(
        Feature(it.name, it.kind, spoken(it.name))
        for it in table.columns
        if it.name not in keys and not it.personal and not it.is_time
    )
    words = f"What {spoken(table.name)} say of each {both(keys)}"
    columns = [in_sql(name) for name in (*keys, *(it.name for it in told))]
    sql = filled("snapshot_view.sql", words=f"{words}.", table=table.name, columns=columns)
    of = tuple(table.column(name) for name in keys)
    return View(f"{prefix}_of_{'_and_'.join(keys)}", of, 1, told, words, sql)


_BUILD = {"events": _recent, "changes": _changes, "snapshot": _snapshot}
