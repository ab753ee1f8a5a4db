"""Judges a landing day by day: what is accepted, what is held, which days stop.

Row rules run once over the window; shares and `mostly` are judged per data day from the
failing rows. Table-level rules are row rules on a frame of one row per day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from include.declare import Rule, Table
from include.errors import RowsLost, RuleUnusable
from include.lake import delta
from include.lake.schema import DATA_DAY
from include.validation.expectations import failing_rows, severity

KEY_UNIQUE = "key_unique"
"""The rule that every table has; a declared one of this name replaces it."""


@dataclass(frozen=True)
class RuleResult:
    """What one rule said about one day of one table."""

    data_day: date
    rule: Rule
    success: bool
    evaluated: int
    unexpected: int

    @property
    def severity(self) -> str:
        """The rule's severity in Great Expectations' words."""
        return severity(self.rule)


@dataclass(frozen=True)
class Excuses:
    """What people decided to let pass; results say what was measured all the same.

    Attributes:
        released: rule → positions of rows that it does not hold, and that count in no share.
        waived: days and the names of rules that stop and hold nothing on them.
    """

    released: Mapping[str, Sequence[int]] = field(default_factory=dict)
    waived: frozenset[tuple[date, str]] = frozenset()

    def waives(self, day: date, rule: Rule) -> bool:
        """Tell whether a rule has no say on a day."""
        return (day, rule.name) in self.waived


NOTHING_EXCUSED = Excuses()


@dataclass(frozen=True)
class Judgement:
    """The verdict over a window of one table.

    Attributes:
        accepted: rows that may land, of days that did not stop.
        held: rows to quarantine, of days that did not stop; columns as read.
        held_at: their positions in the rows that were judged.
        held_by: for each held row the names of the rules that hold it.
        failing: row rule → positions of the rows that fail it, excused or not.
        stopped: day → why, in words.
        results: one per rule and day.
    """

    accepted: pa.Table
    held: pa.Table
    held_at: tuple[int, ...]
    held_by: tuple[tuple[str, ...], ...]
    failing: Mapping[str, np.ndarray]
    stopped: Mapping[date, str]
    results: tuple[RuleResult, ...]


def rules_of(table: Table) -> tuple[Rule, ...]:
    """Return the row rules of a table: those its schema implies, then those it declares.

    A declared rule replaces an implied one of the same name.
    """
    implied = [
        Rule(
            f"{column.name}_present",
            "expect_column_values_to_not_be_null",
            {"column": column.name},
            on_failure="quarantine",
        )
        for column in table.columns
        if not column.nullable
    ]
    implied.append(_unique_key(table))
    declared = {rule.name for rule in table.rules}
    return (*(rule for rule in implied if rule.name not in declared), *table.rules)


def judge(
    table: Table, rows: pa.Table, days: Sequence[date], excused: Excuses = NOTHING_EXCUSED
) -> Judgement:
    """Judge rows that fit the table's schema.

    Args:
        rows: of all `days`, with `data_day`.
        days: every day that was read, days without rows included.
        excused: failures that neither hold nor stop.

    Raises:
        RowsLost: rows in are not rows accepted, held or of stopped days.
        RuleUnusable: a rule or measure cannot be judged.
    """
    rules = rules_of(table)
    frame = rows.to_pandas()
    day_of = _positions_of(frame[DATA_DAY], days)
    failing = failing_rows(frame, rules)
    counts = np.bincount(day_of, minlength=len(days))
    unexcused = {
        rule.name: _without_excused(rule, failing[rule.name], day_of, days, excused)
        for rule in rules
    }
    results, stopped = _judge_rows(rules, failing, unexcused, day_of, counts, days)
    day_results, day_stops = _judge_days(table, rows, days, counts, excused)
    for day, why in day_stops.items():
        add_reason(stopped, day, why)

    good = ~np.isin(day_of, [i for i, day in enumerate(days) if day in stopped])
    held_by = _held_by(rules, unexcused, good)
    held_at = tuple(sorted(held_by))
    held = np.zeros(len(frame), dtype=bool)
    held[list(held_at)] = True
    judgement = Judgement(
        accepted=rows.filter(pa.array(good & ~held)),
        held=rows.take(pa.array(held_at, pa.int64())),
        held_at=held_at,
        held_by=tuple(held_by[position] for position in held_at),
        failing=failing,
        stopped=stopped,
        results=(*results, *day_results),
    )
    accounted = len(judgement.accepted) + len(judgement.held) + int((~good).sum())
    if accounted != len(rows):
        raise RowsLost(f"{table.name}: {len(rows)} rows in, {accounted} accounted for")
    return judgement


def add_reason(stopped: dict[date, str], day: date, why: str) -> None:
    """Add why a day stops to what is already said of it."""
    stopped[day] = f"{stopped[day]}; {why}" if day in stopped else why


def _unique_key(table: Table) -> Rule:
    """Return the rule of the key: unique in a snapshot, within a day elsewhere."""
    columns = [*table.identity] if table.kind == "snapshot" else [*table.identity, DATA_DAY]
    if len(columns) == 1:
        return Rule(
            KEY_UNIQUE, "expect_column_values_to_be_unique", {"column": columns[0]}, "quarantine"
        )
    arguments = {"column_list": columns}
    return Rule(KEY_UNIQUE, "expect_compound_columns_to_be_unique", arguments, "quarantine")


def _without_excused(
    rule: Rule, failing: np.ndarray, day_of: np.ndarray, days: Sequence[date], excused: Excuses
) -> np.ndarray:
    """Return the positions of failing rows that nothing excuses."""
    waived = [index for index, day in enumerate(days) if excused.waives(day, rule)]
    released = np.array(excused.released.get(rule.name, ()), dtype=np.int64)
    left = np.setdiff1d(failing, released)
    return left[~np.isin(day_of[left], waived)]


def _judge_rows(
    rules: Sequence[Rule],
    failing: Mapping[str, np.ndarray],
    unexcused: Mapping[str, np.ndarray],
    day_of: np.ndarray,
    counts: np.ndarray,
    days: Sequence[date],
) -> tuple[list[RuleResult], dict[date, str]]:
    results: list[RuleResult] = []
    stopped: dict[date, str] = {}
    for rule in rules:
        unexpected = np.bincount(day_of[failing[rule.name]], minlength=len(days))
        remaining = np.bincount(day_of[unexcused[rule.name]], minlength=len(days))
        for index, day in enumerate(days):
            bad, left, total = int(unexpected[index]), int(remaining[index]), int(counts[index])
            results.append(RuleResult(day, rule, _passes(rule, bad, total), total, bad))
            if not _passes(rule, left, total) and _stops(rule, left / total):
                limit = "" if rule.on_failure == "stop" else f", more than {rule.max_share:.0%}"
                reason = f"rule {rule.name}: {left} of {total} rows fail{limit}"
                add_reason(stopped, day, reason)
    return results, stopped


def _passes(rule: Rule, bad: int, total: int) -> bool:
    share = bad / total if total else 0.0
    return share <= 1.0 - rule.mostly + 1e-12


def _stops(rule: Rule, share: float) -> bool:
    return rule.on_failure == "stop" or (rule.on_failure == "quarantine" and share > rule.max_share)


def _judge_days(
    table: Table, rows: pa.Table, days: Sequence[date], counts: np.ndarray, excused: Excuses
) -> tuple[list[RuleResult], dict[date, str]]:
    if not table.day_rules:
        return [], {}
    measures = _measure(table, rows, days)
    failing = failing_rows(measures, table.day_rules)
    results: list[RuleResult] = []
    stopped: dict[date, str] = {}
    for rule in table.day_rules:
        bad = set(failing[rule.name].tolist())
        for index, day in enumerate(days):
            failed = index in bad
            results.append(RuleResult(day, rule, not failed, int(counts[index]), int(failed)))
            if failed and rule.on_failure == "stop" and not excused.waives(day, rule):
                column = rule.columns[0]
                told = f"is {measures[column].iloc[index]:g}"
                if _measures_personal(table, column):
                    told = "lies outside (the value is of personal columns)"
                reason = f"rule {rule.name}: {column} {told}, expected {_expected(rule)}"
                add_reason(stopped, day, reason)
    return results, stopped


def _measure(table: Table, rows: pa.Table, days: Sequence[date]) -> pd.DataFrame:
    """Return one row per day, in the order of `days`, with the table's day measures."""
    measures = ", ".join(f'{sql} AS "{name}"' for name, sql in table.day_measures.items())
    with delta.connect() as connection:
        try:
            found = connection.from_arrow(rows).aggregate(f"{DATA_DAY}, {measures}").df()
        except duckdb.Error as error:
            raise _immeasurable(table, error) from None
    found.index = pd.Index(pd.to_datetime(found.pop(DATA_DAY)).dt.date)
    frame: pd.DataFrame = found.reindex(list(days)).reset_index(drop=True)
    if "rows" in frame:
        frame["rows"] = frame["rows"].fillna(0)
    return frame


def _immeasurable(table: Table, error: duckdb.Error) -> RuleUnusable:
    """Return what is wrong with the day measures, without values of personal columns."""
    declared = list(table.day_measures)
    why = " ".join(str(error).partition("\n\nLINE ")[0].split())
    if any(_measures_personal(table, measure) for measure in declared):
        why = type(error).__name__
    told = f"day_measures ({', '.join(declared)}) cannot be computed: {why}"
    return RuleUnusable(told, declared[0])


def _measures_personal(table: Table, measure: str) -> bool:
    """Tell whether a day measure is computed from a personal column, whose value it may be."""
    words = set(re.findall(r"\w+", table.day_measures.get(measure, "")))
    return any(column.personal and column.name in words for column in table.columns)


def _expected(rule: Rule) -> str:
    bounds = {k: v for k, v in rule.arguments.items() if k not in ("column", "mostly")}
    return " ".join(f"{name} {value}" for name, value in bounds.items())


def _held_by(
    rules: Sequence[Rule], unexcused: Mapping[str, np.ndarray], good: np.ndarray
) -> dict[int, tuple[str, ...]]:
    """Return position → names of the quarantine rules that hold the row, good days only."""
    held: dict[int, tuple[str, ...]] = {}
    for rule in rules:
        if rule.on_failure == "quarantine":
            for position in unexcused[rule.name].tolist():
                if good[position]:
                    held[position] = (*held.get(position, ()), rule.name)
    return held


def _positions_of(values: pd.Series, days: Sequence[date]) -> np.ndarray:
    position = {day: index for index, day in enumerate(days)}
    codes, uniques = pd.factorize(values)
    return np.array([position[day] for day in uniques], dtype=np.int64)[codes]
