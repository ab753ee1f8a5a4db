"""Reads a table's rows of some days and judges them: what a landing does, short of writing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from include.declare import Dataset, Rule, Table
from include.errors import RuleUnusable
from include.ingestion import forgotten, quarantine, resolution
from include.ingestion.decisions import InForce
from include.ingestion.forgotten import Subjects
from include.ingestion.reading import Reading, read
from include.ingestion.resolution import Resolved
from include.ingestion.source import Source
from include.lake.schema import of_days
from include.validation import gates
from include.validation.gates import Judgement
from include.whereabouts import stands_in


@dataclass(frozen=True)
class Examined:
    """One table's rows and what became of them.

    Attributes:
        forgotten: rows of forgotten subjects, as read.
        resolved: the others, decisions applied.
        judgement: the rules' verdict on those.
    """

    table: Table
    reading: Reading
    forgotten: pa.Table
    resolved: Resolved
    judgement: Judgement

    def forgotten_on(self, days: Sequence[date]) -> int:
        """Return how many rows of days were dropped because their subject was forgotten."""
        return count(self.forgotten, days) + count(self.resolved.forgotten, days)

    def discarded_on(self, days: Sequence[date]) -> int:
        """Return how many rows of days were dropped by decision."""
        return count(self.resolved.discarded, days)

    def quarantined(self, dataset: Dataset, run_id: str) -> Iterator[dict[str, Any]]:
        """Yield what the table `quarantine` is to hold, of all days that did not stop."""
        return quarantine.entries(dataset, self.table, self.judgement, self.resolved, run_id)


def examine(
    dataset: Dataset,
    source: Source,
    table: Table,
    days: Sequence[date],
    decided: InForce,
    subjects: Subjects,
) -> Examined:
    """Read and judge days of a table; writes nothing.

    A day with a correction that no longer fits the declaration of the table is broken, as one
    whose own rows do not.

    Raises:
        SourceUnreachable: the source cannot be read.
        RowsLost: rows in are not rows accounted for.
        RuleUnusable: a rule cannot be judged; names the file and line that declare it.
    """
    reading = read(dataset, source, table, days)
    kept, gone = forgotten.split(dataset, reading.rows, subjects)
    resolved = resolution.resolve(dataset, table, kept, decided, subjects)
    if resolved.unfit:
        left = [day for day in days if day not in resolved.unfit]
        broken = {**reading.broken, **resolved.unfit}
        reading = Reading(of_days(reading.rows, left), broken, reading.added)
        kept, gone = of_days(kept, left), of_days(gone, left)
        resolved = resolution.resolve(dataset, table, kept, decided, subjects)
    fitting = [day for day in days if day not in reading.broken]
    try:
        judgement = gates.judge(table, resolved.rows, fitting, resolved.excuses)
    except RuleUnusable as error:
        raise _placed(dataset, table, error) from (None if dataset.personal else error)
    return Examined(table, reading, gone, resolved, judgement)


def _placed(dataset: Dataset, table: Table, error: RuleUnusable) -> RuleUnusable:
    """Return the error with file and line, without words that may repeat personal values."""
    place, told = stands_in(dataset.folder / "declaration.py", error.rule), str(error)
    for rule in gates.rules_of(table):
        if rule.name == error.rule and dataset.personal & _named(rule):
            told = f"rule {rule.name!r} ({rule.expectation}) cannot be judged (why may repeat "
            told += "personal values and is not shown)"
    return RuleUnusable(f"{place}: table {table.name}: {told}", error.rule)


def _named(rule: Rule) -> set[str]:
    """Return the texts among a rule's arguments, names of columns with them."""
    named = (it if isinstance(it, (list, tuple)) else [it] for it in rule.arguments.values())
    return {it for them in named for it in them if isinstance(it, str)}


def count(rows: pa.Table, days: Sequence[date]) -> int:
    """Return how many rows are of some days."""
    return len(of_days(rows, days))
