"""The commands about what is wrong: list it, and silence what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.padding import Padding
from rich.text import Text

from include import catalog
from include.commands.console import actor, open_workspace, out, tell
from include.errors import DataError, UsageError
from include.window import parse_day

if TYPE_CHECKING:
    from include.incidents.book import Incident
    from include.warehouse.silences import Silence
    from include.workspace import Workspace

app = typer.Typer()


@app.command()
def incidents(
    subject: Annotated[
        str | None,
        typer.Argument(metavar="[SUBJECT]", help="A dataset, a use case or nightshift."),
    ] = None,
    over: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
) -> None:
    """Look at everything now, and list what is wrong, since when, and who silenced it."""
    from include.incidents import book
    from include.incidents.cause import OPERATIONS
    from include.warehouse.silences import silences

    known = [*catalog.dataset_names(), *catalog.use_case_names(), OPERATIONS]
    if subject is not None and subject not in known:
        raise UsageError(f"there is nothing called {subject!r}; there is: {', '.join(known)}")
    with open_workspace() as workspace:
        changes = book.watch(workspace)
        with workspace.warehouse.reading() as connection:
            found = book.listed(connection, subject, over=over)
            silent = silences(connection)
        _show(workspace, found, silent)
    if changes.unseen:
        why = "; ".join(f"{name} cannot be looked at: {it}" for name, it in changes.unseen.items())
        raise DataError(why)


@app.command()
def acknowledge(
    incident: Annotated[int, typer.Argument(metavar="INCIDENT", help="Its number.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it may be silent.")],
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="DAY",
            help="Silent until this day begins (UTC), YYYY-MM-DD; until it is over if not given.",
        ),
    ] = None,
) -> None:
    """Silence an open incident: nobody is told of it until a day, or until it is over."""
    from include.incidents.acknowledgement import acknowledge as silence

    day = parse_day(until) if until else None
    with open_workspace() as workspace:
        found = silence(workspace, incident, actor=actor(), reason=reason, until=day)
    end = f"until {day} begins (UTC)" if day else "until it is over"
    tell(f"incident {incident} ({found.subject}, {found.kind}) is silent {end}")


def _show(workspace: Workspace, found: list[Incident], silent: dict[int, Silence]) -> None:
    """Print a few lines of each incident; details are sentences, too long for a table."""
    from include.incidents.message import to_do

    if not found:
        out.print("nothing is wrong")
        return
    for it in found:
        state = _state(workspace, it, silent.get(it.number))
        out.print(
            f"{it.number}  {it.severity}: {it.subject}, {it.kind} since "
            f"{it.since:%Y-%m-%d %H:%M} UTC, {state}",
            style=None if it.resolved_at else "bold",
            highlight=False,
            markup=False,
        )
        lines = [it.detail] if it.resolved_at else [it.detail, f"what to do: {to_do(it)}"]
        for line in lines:
            out.print(Padding(Text(line), (0, 0, 0, 4)))


def _state(workspace: Workspace, incident: Incident, silence: Silence | None) -> str:
    if incident.resolved_at is not None:
        return f"over {incident.resolved_at:%Y-%m-%d %H:%M}"
    if silence is None or not silence.holds(workspace.now):
        return "open"
    until = f"until {silence.until:%Y-%m-%d}" if silence.until else "until it is over"
    return f"silent {until}: {silence.actor}, {silence.reason}"
