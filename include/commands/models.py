"""The commands about models: train, compare, promote, approve, reject, roll back, list, card."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from include import catalog
from include.commands.console import (
    UseCaseName,
    actor,
    open_installed,
    open_workspace,
    out,
    tell,
    working,
)
from include.window import parse_day

app = typer.Typer()

Version = Annotated[str, typer.Argument(metavar="VERSION", help="A registered model version.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the ledger.")]
AsOf = Annotated[str, typer.Option("--as-of", metavar="DAY", help="Newest day it may know.")]


@app.command()
def train(
    use_case: UseCaseName,
    as_of: AsOf,
    promote: Annotated[
        bool, typer.Option("--promote", help="Put it into service if the gate agrees.")
    ] = False,
) -> None:
    """Train a model on what was known as of a day, and register it."""
    from include.training.train import train as stage

    declared, day = catalog.use_case(use_case), parse_day(as_of)
    with open_workspace() as workspace, working(f"training {use_case} as of {day}"):
        result = stage(workspace, declared, day, promote=promote, actor=actor())
    tell(result.summary())


@app.command()
def compare(
    use_case: UseCaseName,
    a: Annotated[str, typer.Argument(metavar="A", help="The version in the champion's place.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The version that challenges it.")],
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DAY", help="Labels mature on it; the newest day if none."),
    ] = None,
) -> None:
    """Show two versions on the same rows, and what the gate would say; changes nothing."""
    from include.training import comparison

    declared, day = catalog.use_case(use_case), parse_day(as_of) if as_of else None
    with open_installed() as workspace, working(f"comparing {a} and {b}"):
        found = comparison.compare(workspace, declared, a, b, day)
    header, *rows = found.rows
    table = Table(*header)
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)
    tell(found.summary())


@app.command()
def promote(
    use_case: UseCaseName,
    version: Version,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the ledger.")
    ] = None,
) -> None:
    """Let the gate judge a registered version now, and put it into service if it agrees."""
    from include.training import succession

    declared = catalog.use_case(use_case)
    with open_installed() as workspace, working(f"judging version {version}"):
        entry = succession.promote(workspace, declared, version, actor=actor(), reason=reason)
    tell(f"version {entry.model_version} {entry.event}: {entry.reason}")


@app.command()
def approve(use_case: UseCaseName, version: Version, reason: Reason) -> None:
    """Put a proposed version into service."""
    _conclude(use_case, version, reason, approved=True)


@app.command()
def reject(use_case: UseCaseName, version: Version, reason: Reason) -> None:
    """Keep a proposed version out of service."""
    _conclude(use_case, version, reason, approved=False)


@app.command()
def rollback(
    use_case: UseCaseName,
    to: Annotated[str, typer.Option("--to", metavar="VERSION", help="A former champion.")],
    reason: Reason,
    rescore_from: Annotated[
        str | None,
        typer.Option(
            "--rescore-from", metavar="DAY", help="Score published days again from this one on."
        ),
    ] = None,
) -> None:
    """Put a former champion into service again; published scores stay unless asked for."""
    from include.scoring.rescore import rescore, window_since
    from include.training import succession

    declared = catalog.use_case(use_case)
    first = parse_day(rescore_from) if rescore_from else None
    with open_installed() as workspace:
        if first is not None:
            # A wrong day must be found before who serves has changed.
            window_since(workspace, declared, first)
        with working(f"rolling back to version {to}"):
            entry = succession.roll_back(workspace, declared, to, actor=actor(), reason=reason)
        tell(f"version {entry.model_version} serves again: {entry.reason}")
        if first is not None:
            with working(f"scoring again from {first} on"):
                result = rescore(workspace, declared, first)
            tell(result.summary())


@app.command()
def models(use_case: UseCaseName) -> None:
    """List what happened to every version: when, who, why; the newest entry last."""
    from include.training import ledger

    catalog.use_case(use_case)
    with open_installed() as workspace, workspace.warehouse.reading() as connection:
        entries = ledger.history(connection, use_case)
        champion = ledger.champion(connection, use_case)
    table = Table("version", "event", "when (UTC)", "who", "why")
    for entry in entries:
        serves = champion is not None and entry.entry == champion.entry
        table.add_row(
            f"{entry.model_version} *" if serves else entry.model_version,
            entry.event,
            f"{entry.at:%Y-%m-%d %H:%M}",
            escape(entry.actor),
            escape(entry.reason),
        )
    out.print(table if entries else f"{use_case} has no models yet")
    if champion is not None:
        tell(f"* version {champion.model_version} serves")


@app.command()
def card(use_case: UseCaseName, version: Version) -> None:
    """Write a version's card from the ledger and the model, and say where it is."""
    from include.training import card as cards
    from include.training import comparison, ledger, release

    declared = catalog.use_case(use_case)
    with open_installed() as workspace, working(f"writing the card of version {version}"):
        with workspace.warehouse.reading() as connection:
            comparison.registered(connection, declared, version)
            history = ledger.history(connection, use_case)
        folder = workspace.settings.home / "cards" / use_case / version
        folder.mkdir(parents=True, exist_ok=True)
        cards.write(folder, release.card_of(declared, history, version))
    tell(str(folder / cards.HTML))


def _conclude(use_case: str, version: str, reason: str, *, approved: bool) -> None:
    from include.training import succession

    declared = catalog.use_case(use_case)
    with open_installed() as workspace, working(f"deciding about version {version}"):
        entry = succession.conclude(
            workspace, declared, version, approved=approved, actor=actor(), reason=reason
        )
    tell(f"version {entry.model_version} {entry.event}: {entry.reason}")
