"""Judges a landing day by day: what is accepted, what is held, which days stop.

Row rules run once over the window; shares and `mostly` are judged per data day from the
failing rows. Table-level rules are row rules on a frame of one row per day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from include.declare import Rule, Table
from include.errors import RowsLost
from include.lake import delta
from include.lake.schema import DATA_DAY
from include.validation.expectations import failing_rows, severity


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
class Judgement:
    """The verdict over a window of one table.

    Attributes:
        accepted: rows that may land, of days that did not stop.
        held: rows to quarantine, of days that did not stop; columns as read.
        held_by: for each held row the names of the rules that hold it.
        stopped: day → why, in words.
        results: one per rule and day.
    """

    accepted: pa.Table
    held: pa.Table
    held_by: tuple[tuple[str, ...], ...]
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


def judge(table: Table, rows: pa.Table, days: Sequence[date]) -> Judgement:
    """Judge rows that fit the table's schema.

    Args:
        rows: of all `days`, with `data_day`.
        days: every day that was read, days without rows included.

    Raises:
        RowsLost: rows in are not rows accepted, held or of stopped days.
    """
    rules = rules_of(table)
    frame = rows.to_pandas()
    day_of = _positions_of(frame[DATA_DAY], days)
    failing = failing_rows(frame, rules)
    counts = np.bincount(day_of, minlength=len(days))
    results, stopped = _judge_rows(rules, failing, day_of, counts, days)
    day_results, day_stops = _judge_days(table, rows, days, counts)
    for day, why in day_stops.items():
        add_reason(stopped, day, why)

    good = ~np.isin(day_of, [i for i, day in enumerate(days) if day in stopped])
    held_by = _held_by(rules, failing, good)
    held = np.zeros(len(frame), dtype=bool)
    held[list(held_by)] = True
    judgement = Judgement(
        accepted=rows.filter(pa.array(good & ~held)),
        held=rows.take(pa.array(sorted(held_by), pa.int64())),
        held_by=tuple(held_by[position] for position in sorted(held_by)),
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
    columns = list(table.key) if table.kind == "snapshot" else [*table.key, DATA_DAY]
    if len(columns) == 1:
        return Rule(
            "key_unique", "expect_column_values_to_be_unique", {"column": columns[0]}, "quarantine"
        )
    arguments = {"column_list": columns}
    return Rule("key_unique", "expect_compound_columns_to_be_unique", arguments, "quarantine")


def _judge_rows(
    rules: Sequence[Rule],
    failing: Mapping[str, np.ndarray],
    day_of: np.ndarray,
    counts: np.ndarray,
    days: Sequence[date],
) -> tuple[list[RuleResult], dict[date, str]]:
    results: list[RuleResult] = []
    stopped: dict[date, str] = {}
    for rule in rules:
        unexpected = np.bincount(day_of[failing[rule.name]], minlength=len(days))
        for index, day in enumerate(days):
            bad, total = int(unexpected[index]), int(counts[index])
            share = bad / total if total else 0.0
            success = share <= 1.0 - rule.mostly + 1e-12
            results.append(RuleResult(day, rule, success, total, bad))
            if not success and _stops(rule, share):
                limit = "" if rule.on_failure == "stop" else f", more than {rule.max_share:.0%}"
                reason = f"rule {rule.name}: {bad} of {total} rows fail{limit}"
                add_reason(stopped, day, reason)
    return results, stopped


def _stops(rule: Rule, share: float) -> bool:
    return rule.on_failure == "stop" or (rule.on_failure == "quarantine" and share > rule.max_share)


def _judge_days(
    table: Table, rows: pa.Table, days: Sequence[date], counts: np.ndarray
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
            if failed and rule.on_failure == "stop":
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
        found = connection.from_arrow(rows).aggregate(f"{DATA_DAY}, {measures}").df()
    found.index = pd.Index(pd.to_datetime(found.pop(DATA_DAY)).dt.date)
    frame: pd.DataFrame = found.reindex(list(days)).reset_index(drop=True)
    if "rows" in frame:
        frame["rows"] = frame["rows"].fillna(0)
    return frame


def _measures_personal(table: Table, measure: str) -> bool:
    """Tell whether a day measure is computed from a personal column, whose value it may be."""
    words = set(re.findall(r"\w+", table.day_measures.get(measure, "")))
    return any(column.personal and column.name in words for column in table.columns)


def _expected(rule: Rule) -> str:
    bounds = {k: v for k, v in rule.arguments.items() if k not in ("column", "mostly")}
    return " ".join(f"{name} {value}" for name, value in bounds.items())


def _held_by(
    rules: Sequence[Rule], failing: Mapping[str, np.ndarray], good: np.ndarray
) -> dict[int, tuple[str, ...]]:
    """Return position → names of the quarantine rules that hold the row, good days only."""
    held: dict[int, tuple[str, ...]] = {}
    for rule in rules:
        if rule.on_failure == "quarantine":
            for position in failing[rule.name].tolist():
                if good[position]:
                    held[position] = (*held.get(position, ()), rule.name)
    return held


def _positions_of(values: pd.Series, days: Sequence[date]) -> np.ndarray:
    position = {day: index for index, day in enumerate(days)}
    codes, uniques = pd.factorize(values)
    return np.array([position[day] for day in uniques], dtype=np.int64)[codes]
