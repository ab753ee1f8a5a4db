"""The commands about what was said before: at an instant, and what later runs changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from include import catalog
from include.commands.console import UseCaseName, open_installed, out, tell
from include.errors import UsageError
from include.window import parse_day

if TYPE_CHECKING:
    import sqlalchemy as sa

    from include.declare import UseCase

app = typer.Typer()

Limit = Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Rows shown at most.")]


@app.command()
def said(
    use_case: UseCaseName,
    at: Annotated[
        str,
        typer.Option("--at", metavar="INSTANT", help="ISO 8601; UTC if it has no offset."),
    ],
    target: Annotated[
        str | None, typer.Option("--target", metavar="DATE", help="One target date only.")
    ] = None,
    limit: Limit = 20,
) -> None:
    """Show the scores as a reader saw them at an instant, highest predictions first."""
    from include.scoring import said as then

    declared, instant = catalog.use_case(use_case), then.parse_instant(at)
    day = parse_day(target) if target else None
    with _reading() as connection:
        found = then.said(connection, declared, instant, day, limit)
    shown = ("target_date", *declared.key_names, "prediction", "decision", "model_version")
    columns = ("data_day", *shown, "reason_1", "valid_from", "valid_to")
    table = Table(*(name.replace("_", " ") for name in columns))
    for row in found.rows:
        table.add_row(*(escape(_text(row[name])) for name in columns))
    about = "" if day is None else f" about {day}"
    if found.rows:
        out.print(table)
    tell(
        f"{use_case}: {found.count:,} score(s){about} were said at {_text(instant)} UTC; "
        f"{len(found.rows):,} shown"
    )


@app.command()
def restatements(
    use_case: UseCaseName,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN_ID", help="One run: also the rows that moved most."),
    ] = None,
    limit: Limit = 20,
) -> None:
    """List the published days that later runs changed, how many scores and how far."""
    from include.scoring import restatements as kept

    declared = catalog.use_case(use_case)
    with _reading() as connection:
        days = kept.listed(connection, declared, run, limit)
        moved = kept.largest(connection, declared, run, limit) if run else []
    if run and not days:
        raise UsageError(
            f"{use_case}: run {run} restated nothing; ./nightshift restatements {use_case} "
            "lists the runs that did"
        )
    if not days:
        tell(f"{use_case}: no published score was ever restated")
        return
    table = Table(
        *("data day", "updated", "inserted", "removed", "largest change", "mean change"),
        *("decisions flipped", "since (UTC)", "run"),
    )
    for it in days:
        counts = (it.updated, it.inserted, it.removed)
        changes = (it.largest_change, it.mean_change, it.flipped, it.at, it.run_id)
        table.add_row(*map(_text, (it.data_day, *counts, *changes)))
    out.print(table)
    if moved:
        out.print(_rows(declared, moved))


def _rows(use_case: UseCase, moved: list[Any]) -> Table:
    keys = ("data_day", "target_date", *use_case.key_names)
    decided = ("decided before", "decided after")
    table = Table(*(it.replace("_", " ") for it in keys), "before", "after", "change", *decided)
    for row in moved:
        change = None if row.after is None else row.after - row.before
        said = (row.before, row.after, change, row.decision_before, row.decision_after)
        table.add_row(*(escape(_text(it)) for it in (*(row.key[name] for name in keys), *said)))
    return table


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@contextmanager
def _reading() -> Iterator[sa.Connection]:
    """Open the warehouse for reading; raises `ConfigurationError` when it lacks its tables."""
    with open_installed() as workspace, workspace.warehouse.reading() as connection:
        yield connection
