"""What the commands that write code ask on a terminal, and how they show what they propose."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from include.commands.console import out, tell
from include.errors import UsageError

if TYPE_CHECKING:
    from include.scaffold.proposals import Proposal, Wish

NOTHING = "-"
"""The answer that leaves something out."""

ANSWERS = ("y", "c", "n")


def ask(given: str | None, flag: str, question: str, default: str | None = None) -> str:
    """Return what is given; else ask on a terminal, and elsewhere take the default.

    Raises `UsageError` that names the flag where there is neither.
    """
    if given is not None:
        return given
    if is_terminal():
        answer: str = typer.prompt(question, default=default)
        return answer
    if default is None:
        raise UsageError(f"{flag} is missing. {question}")
    return default


def is_terminal() -> bool:
    """Tell whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def take_or_change() -> str:
    """Ask what is to be done with proposals; where nobody can be asked, they are taken."""
    if not is_terminal():
        return "y"
    question = "Write the dataset so (y), change something (c), or leave it (n)?"
    while (answer := str(typer.prompt(question, default="y")).strip().lower()) not in ANSWERS:
        tell(f"answer {' or '.join(ANSWERS)}")
    return answer


def correct(table: Proposal) -> Wish:
    """Ask about everything that was proposed for a table."""
    from include.scaffold.proposals import Wish
    from include.scaffold.request import columns_in

    def asked(what: str, proposed: str) -> str:
        answer: str = typer.prompt(f"{table.name}: {what}", default=proposed)
        return "" if answer == NOTHING else answer.strip()

    features = "; ".join(",".join(keys) for keys in table.entities)
    return Wish(
        kind=asked("kind (events, snapshot, changes)", table.kind),
        key=columns_in(asked("columns of the key", ",".join(table.key))),
        day=asked("column of the day", table.day or NOTHING) or None,
        known_at=asked("column of when it was known", table.known_at or NOTHING),
        entities=tuple(
            columns_in(keys)
            for keys in asked("features by", features or NOTHING).split(";")
            if columns_in(keys)
        ),
    )


def show(proposals: dict[str, Proposal]) -> dict[str, Proposal]:
    """Print what is proposed for tables; returns it."""
    for proposal in proposals.values():
        _show(proposal)
    return proposals


def _show(table: Proposal) -> None:
    """Print what is proposed for a table."""
    low, high = table.rows
    days = "" if table.kind == "snapshot" else f", {low} to {high} a day"
    tell(f"{table.name}: {table.kind}, {table.sampled:,} rows looked at{days}")
    tell(f"  key: {', '.join(table.key)}")
    if table.kind != "snapshot":
        tell(f"  day: {table.day or 'from the path'}")
        tell(f"  known at: {table.known_at or 'the end of the day'}")
    features = "; ".join(", ".join(keys) for keys in table.entities)
    tell(f"  features by: {features or 'nothing comes again on other days; none are proposed'}")
    grid = Table("column", "type", "missing", "values", "seen", box=None, padding=(0, 2))
    for column in table.columns:
        seen = "" if column.low is None else f"{column.low:g} … {column.high:g}"
        seen = "personal" if column.personal else seen or ", ".join(column.values[:4])
        missing = f"{column.missing:.0%}" if column.missing else ""
        grid.add_row(column.name, column.kind, missing, str(column.distinct), seen)
    out.print(grid, highlight=False, markup=False)
