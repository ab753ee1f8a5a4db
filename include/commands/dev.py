"""The command for developers: a use case's chain for one day, in a scratch home, shown."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from include import catalog
from include.commands.console import UseCaseName, out, tell, working
from include.errors import DaysStopped
from include.settings import Settings
from include.window import parse_day

if TYPE_CHECKING:
    from include.declare import UseCase
    from include.rehearsal.findings import Findings
    from include.rehearsal.night import Night

WIDTH = 100
CELL, LEAST, GAP = 34, 18, 2
"""Characters of a value at most, of the last column at least (it wraps), and between columns."""

app = typer.Typer()


@app.command()
def dev(
    use_case: UseCaseName,
    day: Annotated[str, typer.Option("--day", metavar="DAY", help="Data day, YYYY-MM-DD.")],
    history: Annotated[
        int,
        typer.Option("--days", min=0, metavar="N", help="Labelled days to fit a stand-in on."),
    ] = 14,
    lookback: Annotated[
        int | None,
        typer.Option(
            "--lookback", min=1, metavar="N", help="Look-back days at most; as declared if none."
        ),
    ] = None,
    rows: Annotated[
        int, typer.Option("--rows", min=1, metavar="N", help="Rows shown of each table.")
    ] = 5,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin with an empty scratch home.")
    ] = False,
) -> None:
    """Run the chain for one day in a scratch home, and print the tables.

    Your warehouse, lake, models and Feast registry are left alone.
    """
    from include import healing
    from include.rehearsal import scratch, stand_in
    from include.rehearsal.night import Night
    from include.rehearsal.span import span_of
    from include.window import Window
    from include.workspace import open_workspace

    declared, asked = catalog.use_case(use_case), parse_day(day)
    installed = Settings.from_env(os.environ)
    now = datetime.now(UTC)
    healing.reach(declared.dataset, Window.night(asked), 0, now)
    if fresh:
        scratch.discard(installed, use_case)
    with open_workspace(scratch.scratch(installed, use_case), now=now) as workspace:
        span = span_of(declared, asked, history, lookback)
        night = Night(workspace, stand_in.rehearsed(declared, history), span, rows)
        # Every other morning since would be called late.
        logging.getLogger("include.scoring.readiness").setLevel(logging.WARNING)
        tell(f"{use_case} on {asked}, in the scratch home {workspace.settings.home}")
        _step("prepare", night.prepare)
        _land(night)
        _step(f"build features of {span.built}", night.build)
        _step("gather entities, features and labels", night.gather)
        scored = _step("fit a stand-in and score", night.score)
        if scored:
            _step("judge drift", night.judge)
    _conclude(night, declared, bool(scored))


def _land(night: Night) -> None:
    """Land, and show what the rules said, also when they stop the day."""
    try:
        _step(f"land {night.span.landed}", night.land)
    except DaysStopped:
        _show(night.landed())
        raise


def _step(name: str, run: Callable[[], list[Findings]]) -> list[Findings]:
    """Run a step, say how long it took and show what it found."""
    began = time.monotonic()
    with working(name):
        found = run()
    out.print(f"✓ {name} · {time.monotonic() - began:.1f} s", style="green", highlight=False)
    for it in found:
        _show(it)
    return found


def _show(found: Findings) -> None:
    """Print a table as wide as fits; columns that do not are named below it."""
    screen = out if out.is_terminal else Console(width=WIDTH)
    width = min(screen.width, WIDTH)
    screen.print(f"\n{escape(found.title)}", style="bold", highlight=False, width=width)
    if not found.rows:
        return
    grid = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    used, left = 0, found.columns
    for place, name in enumerate(found.columns):
        longest = max(len(name), *(len(row[place]) for row in found.rows))
        last, room = place == len(found.columns) - 1, width - used - GAP
        wanted = min(longest, max(room, LEAST) if last else CELL)
        if wanted > room and place:
            break
        grid.add_column(escape(name), no_wrap=not last, max_width=wanted, overflow="ellipsis")
        used, left = used + wanted + GAP, found.columns[place + 1 :]
    for row in found.rows:
        grid.add_row(*(escape(value) for value in row[: len(grid.columns)]))
    screen.print(grid, width=width)
    also = f"also: {', '.join(left)}" if left else None
    for line in filter(None, (also, found.note)):
        screen.print(escape(line), style="dim", highlight=False, width=width)


def _conclude(night: Night, use_case: UseCase, scored: bool) -> None:
    """Say what was not as at night, and where to look further."""
    tell("")
    for note in (*night.span.cut, *night.notes):
        tell(f"note: {note}")
    settings, dataset = night.workspace.settings, use_case.dataset
    query = "SELECT table_name, rule, unexpected FROM validation_results WHERE NOT success"
    if scored:
        query = f"SELECT * FROM {use_case.name}_scores ORDER BY prediction DESC LIMIT 5"
    client = "sqlite3 -box" if shutil.which("sqlite3") else f"{sys.executable} -m sqlite3"
    code = (
        f"from include.rehearsal.session import session; duck = session('{use_case.name}', "
        f"'{night.span.day}'); duck.sql('FROM {dataset.tables[0].name} LIMIT 5').show()"
    )
    tell("\nThe warehouse, what feature SQL sees (in DuckDB), and how to remove it all:")
    tell(f'  {client} {settings.warehouse.database} "{query}"')
    tell(f'  {sys.executable} -i -c "{code}"')
    tell(f"  rm -r {settings.home}")
