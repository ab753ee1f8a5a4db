"""Replacement of whole days inside a stage's transaction.

Results without history (`replace_days`) are deleted and written again. Scores
(`replace_scores`) are compared first: rows that say the same are not touched, and rows that
are superseded move to the revisions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from include.errors import DataError
from include.warehouse import frames, load
from include.warehouse.tables import UTC
from include.warehouse.use_cases import UseCaseTables

CHUNK = 20_000
"""Rows per `executemany`, which bounds the memory of a load."""


def replace_days(
    connection: sa.Connection,
    table: sa.Table,
    data_day_column: str,
    days: Collection[date],
    rows: Sequence[Mapping[str, Any]],
    filters: Mapping[str, Any] | None = None,
) -> int:
    """Delete the rows of some days and insert others; returns how many were inserted.

    Args:
        connection: the stage's open transaction.
        table: where the rows are.
        data_day_column: the column of `table` that holds the day.
        days: the days replaced; days without rows end empty.
        rows: dicts by column name, all of those days.
        filters: column → value that bound the replacement further, such as dataset and table.

    Raises `ValueError` for a row outside the days or filters: it would not be replaced by the
    next run.
    """
    bounds = dict(filters or {})
    for row in rows:
        if row[data_day_column] not in days or any(row[name] != it for name, it in bounds.items()):
            raise ValueError(
                f"a row for {table.name} lies outside the days and filters replaced: {dict(row)}"
            )
    if days:
        bounded = (table.c[name] == value for name, value in bounds.items())
        connection.execute(
            sa.delete(table).where(table.c[data_day_column] == sa.bindparam("gone_day"), *bounded),
            [{"gone_day": day} for day in sorted(days)],
        )
    for start in range(0, len(rows), CHUNK):
        connection.execute(sa.insert(table), [dict(row) for row in rows[start : start + CHUNK]])
    return len(rows)


@dataclass(frozen=True)
class Restatement:
    """How far scores that were published moved when others took their place.

    Attributes:
        updated: rows whose content differs from before, were it only a reason.
        removed: rows whose key is no longer there.
        largest: absolute change of a prediction, at most; `total` the sum over updated rows.
        flipped: updated rows decided otherwise than before.
    """

    updated: int = 0
    removed: int = 0
    largest: float = 0.0
    total: float = 0.0
    flipped: int = 0

    def __add__(self, other: Restatement) -> Restatement:
        return Restatement(
            self.updated + other.updated,
            self.removed + other.removed,
            max(self.largest, other.largest),
            self.total + other.total,
            self.flipped + other.flipped,
        )

    def __bool__(self) -> bool:
        return bool(self.updated or self.removed)

    def __str__(self) -> str:
        told = f"{self.updated + self.removed} published score(s) were restated"
        if self.removed:
            told += f", {self.removed} of them removed"
        if self.updated:
            told += (
                f"; predictions moved by {self.total / self.updated:.3g} on average and "
                f"{self.largest:.3g} at most, {self.flipped} decision(s) flipped"
            )
        return told


@dataclass(frozen=True)
class ScoreChange:
    """What a replacement of scores changed.

    Attributes:
        rows_changed: inserted, updated and removed.
        content_hash: fingerprint of all scores of the days, of keys, prediction, decision,
            reasons and model version; the same for any row order and on both databases.
        inserted: rows whose key was not there.
        restated: rows that were, and how far they moved.
        day_hashes: the fingerprint of each day alone.
    """

    rows_changed: int
    content_hash: str
    inserted: int
    restated: Restatement
    day_hashes: Mapping[date, str]


def replace_scores(
    connection: sa.Connection,
    tables: UseCaseTables,
    days: Collection[date],
    rows: pd.DataFrame,
    run_id: str,
    now: datetime,
) -> ScoreChange:
    """Make `rows` the scores of `days`.

    Rows that are there already with the same content keep their run id, `scored_at` and
    `valid_from`. Rows superseded or gone move to the revisions with `valid_to` = `now`.

    Args:
        connection: the stage's open transaction.
        tables: the use case's tables.
        days: the days replaced; days without rows end empty, their rows in the revisions.
        rows: key columns and every content column of `tables`; others are ignored.
        run_id: the run that new rows carry.
        now: `scored_at` and `valid_from` of new rows, UTC.

    Raises `DataError` for duplicate keys, missing columns, a missing or infinite number;
    `ValueError` for rows of other days.
    """
    new = frames.canonical(tables.scores, [*tables.key, *tables.content], rows)
    _check(tables, days, new)
    present = _present(connection, tables, days)
    status = frames.compare(new, present, list(tables.key), list(tables.content))
    _supersede(connection, tables, present, status.superseded, now)
    _insert(connection, tables, new.loc[status.written], run_id, now)
    hashes = frames.day_hashes(tables.scores, new, tables.key, _hashed(tables), days)
    return ScoreChange(
        rows_changed=status.inserted + status.updated + status.removed,
        content_hash=frames.combine(hashes),
        inserted=status.inserted,
        restated=_restated(tables, new, present, status),
        day_hashes=hashes,
    )


def content_hashes(
    tables: UseCaseTables, rows: pd.DataFrame, days: Collection[date]
) -> dict[date, str]:
    """Return the fingerprint of each day's scores, as `replace_scores` gives it."""
    columns = [*tables.key, *_hashed(tables)]
    canonical = frames.canonical(tables.scores, columns, rows)
    return frames.day_hashes(tables.scores, canonical, tables.key, _hashed(tables), days)


def _restated(
    tables: UseCaseTables, new: pd.DataFrame, present: pd.DataFrame, status: frames.Comparison
) -> Restatement:
    columns = [*tables.key, "prediction", "decision"]
    before, after = present.loc[status.superseded, columns], new.loc[status.written, columns]
    both = after.merge(before, on=list(tables.key), suffixes=("", "_before"))
    moved = (both["prediction"] - both["prediction_before"]).abs()
    return Restatement(
        updated=status.updated,
        removed=status.removed,
        largest=float(moved.max()) if len(moved) else 0.0,
        total=float(moved.sum()),
        flipped=int((both["decision"] != both["decision_before"]).fillna(False).sum()),
    )


def _hashed(tables: UseCaseTables) -> tuple[str, ...]:
    """Return the content that the contract's fingerprint covers."""
    named, parts = ("prediction", "decision", "model_version"), ("prediction_q", "reason_")
    return tuple(name for name in tables.content if name in named or name.startswith(parts))


def _check(tables: UseCaseTables, days: Collection[date], rows: pd.DataFrame) -> None:
    name = tables.scores.name
    twice = int(rows.duplicated(list(tables.key)).sum())
    if twice:
        raise DataError(
            f"{twice} rows for {name} repeat a key ({', '.join(tables.key)}); "
            "the entity frame must have each entity once"
        )
    outside = set(rows["data_day"].dt.date.unique()) - set(days)
    if outside:
        raise ValueError(f"scores for {name} hold days that are not replaced: {sorted(outside)}")


def _present(
    connection: sa.Connection, tables: UseCaseTables, days: Collection[date]
) -> pd.DataFrame:
    names = [*tables.key, *tables.content]
    table = tables.scores
    query = sa.select(*(table.c[name] for name in names)).where(table.c.data_day.in_(sorted(days)))
    found = connection.execute(query).all()
    return frames.canonical(table, names, pd.DataFrame.from_records(found, columns=names))


def _supersede(
    connection: sa.Connection,
    tables: UseCaseTables,
    present: pd.DataFrame,
    superseded: frames.Mask,
    now: datetime,
) -> None:
    """Move rows to the revisions: day by day where whole days go, else key by key."""
    if not superseded.any():
        return
    gone = pd.Series(superseded, index=present.index)
    whole = gone.groupby(present["data_day"]).transform("all")
    by_day = present.loc[whole, ["data_day"]].drop_duplicates()
    by_key = present.loc[gone & ~whole, list(tables.key)]
    names = [column.name for column in tables.scores.columns]
    for moving in (by_day, by_key):
        parameters = [
            {f"gone_{name}": value for name, value in row.items()}
            for row in frames.records(tables.scores, moving)
        ]
        if not parameters:
            continue
        same = [tables.scores.c[name] == sa.bindparam(f"gone_{name}") for name in moving.columns]
        moved = sa.select(*tables.scores.columns, sa.bindparam("now", now, UTC)).where(*same)
        statement = sa.insert(tables.revisions).from_select([*names, "valid_to"], moved)
        for start in range(0, len(parameters), CHUNK):
            chunk = parameters[start : start + CHUNK]
            connection.execute(statement, [it | {"now": now} for it in chunk])
            connection.execute(sa.delete(tables.scores).where(*same), chunk)


def _insert(
    connection: sa.Connection,
    tables: UseCaseTables,
    rows: pd.DataFrame,
    run_id: str,
    now: datetime,
) -> None:
    names = [*tables.key, *tables.content, "scored_at", "valid_from", "run_id"]
    stamped = rows.assign(scored_at=now, valid_from=now, run_id=run_id)
    load.insert_frame(connection, tables.scores, frames.canonical(tables.scores, names, stamped))
