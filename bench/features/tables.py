"""The figures of the point-in-time store as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from bench.features.cases import FEATURES, VIEWS
from bench.features.contenders import PLAN
from bench.features.outcomes import Outcome, Outcomes
from bench.machine import GB
from bench.report import Table

INTRODUCTION = f"""\
Features for real flights out of New York in 2013: {len(VIEWS)} feature views with {len(FEATURES)}
features each, built by the project's own stages for a year of days.

Each contender runs in a process of its own, and the contenders of a case take turns. Seconds are
the median of the retrieval alone: imports are done and the entity frame is in memory, reading the
feature tables is part of it. Memory is the highest peak of the whole process, with Python,
imports, entity frame and result. Every cell of every result is compared with the first
contender's, exactly, nulls with nulls. Batches are dropped as they come.

Feast's stock stores read the same Parquet files with the same TTL; everybody's number of threads
is the default. A feature is valid for 22 hours unless a case says otherwise: the stock DuckDB
store joins every entity row with all feature rows inside the TTL before it picks the newest, so
its cost grows with the TTL, and the others' does not."""

HEADER = (
    "contender",
    "runs",
    "seconds",
    "fastest–slowest",
    "× the first",
    "peak GB",
    "rows",
    "cells that differ",
)


def of_cases(outcomes: Outcomes) -> tuple[Table, ...]:
    """Return a table per case."""
    return tuple(
        _of_case([outcomes.of[case.name, contender.name] for contender in contenders])
        for case, contenders in PLAN
    )


def of_online(runs: Sequence[Mapping[str, Any]]) -> Table:
    """Return the table of the online materialisation."""
    row = (
        "materialise",
        str(len(runs)),
        f"{median(run['seconds'] for run in runs):.2f}",
        f"{max(run['peak'] for run in runs) / GB:.2f}",
        f"{runs[-1]['written']:,}",
    )
    return Table(
        "The newest day into an empty online store (SQLite), all eight views",
        ("task", "runs", "seconds", "peak GB", "entities written"),
        (row,),
    )


def _of_case(outcomes: Sequence[Outcome]) -> Table:
    case = outcomes[0].case
    first = next((outcome.seconds for outcome in outcomes if outcome.runs), 0.0)
    notes = [case.note] if case.note else []
    notes += [
        f"{outcome.contender.title}: not measured, {outcome.missing or outcome.broken}."
        for outcome in outcomes
        if not outcome.runs
    ]
    return Table(
        f"{case.title}: {case.rows:,} rows",
        HEADER,
        tuple(_row(outcome, first) for outcome in outcomes if outcome.runs),
        tuple(notes),
    )


def _row(outcome: Outcome, first: float) -> tuple[str, ...]:
    found = outcome.difference
    rows = outcome.runs[-1].rows
    seconds = sorted(run.seconds for run in outcome.runs)
    return (
        outcome.contender.title,
        str(len(outcome.runs)),
        f"{outcome.seconds:.2f}",
        f"{seconds[0]:.2f}–{seconds[-1]:.2f}" if len(seconds) > 1 else "–",
        f"{outcome.seconds / first:.1f}",
        f"{outcome.peak / GB:.2f}",
        f"{rows:,}" if rows == outcome.case.rows else f"{rows:,} of {outcome.case.rows:,}",
        f"{found.differing:,}" if found else "–",
    )
