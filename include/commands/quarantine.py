"""The commands about rows that validation holds back, and what people decide about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from include import catalog
from include.commands.console import (
    DatasetName,
    actor,
    open_installed,
    open_workspace,
    tell,
    working,
)
from include.errors import UsageError
from include.window import parse_day

if TYPE_CHECKING:
    from include.ingestion.held import Choice
    from include.ingestion.proposals import Desk, Proposal

app = typer.Typer(help="Rows held back by validation, and decisions on them.", no_args_is_help=True)

Hashes = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ROW_HASH]...", help="Rows; else all of --rule and --day."),
]
RuleName = Annotated[str | None, typer.Option("--rule", metavar="RULE", help="The rule concerned.")]
Day = Annotated[str | None, typer.Option("--day", metavar="DAY", help="Data day, YYYY-MM-DD.")]
TableName = Annotated[
    str | None, typer.Option("--table", metavar="TABLE", help="The table, if it is not clear.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stays on record.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would follow, and decide nothing.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")]


@app.command("list")
def quarantine_list(
    dataset: Annotated[str | None, typer.Argument(help="A dataset; all if none.")] = None,
    rule: RuleName = None,
    day: Day = None,
    every: Annotated[bool, typer.Option("--all", help="Rows that were decided about too.")] = False,
) -> None:
    """List the rows that are held back, newest day first.

    A line each: data day, table, row hash, rule, key, and what was decided if anything was.
    """
    from include.ingestion import decisions, quarantine

    chosen = [catalog.dataset(it) for it in ([dataset] if dataset else catalog.dataset_names())]
    wanted = parse_day(day) if day else None
    with open_installed() as workspace:
        with workspace.warehouse.reading() as connection:
            force = {it.name: decisions.read(connection, it) for it in chosen}
        rows = quarantine.listed(
            workspace.warehouse,
            dataset,
            rule=rule,
            days=[wanted] if wanted else None,
            decided=every,
        )
    for row in rows:
        where = f"{row['data_day']}  {row['dataset']}.{row['table_name']}  {row['row_hash']}"
        state = decisions.state(force.get(row["dataset"]), row)
        tell(f"{where}  {row['rule']}  {row['row_key']}" + (f"  {state}" if state else ""))
    if not rows:
        tell("nothing is held back")


@app.command()
def show(row_hash: Annotated[str, typer.Argument(metavar="ROW_HASH", help="A row.")]) -> None:
    """Show a row as it came, personal values included, its rules and every decision on it."""
    from include.ingestion import decisions, quarantine

    with open_installed() as workspace:
        entries = quarantine.listed(workspace.warehouse, row_hashes=[row_hash])
        with workspace.warehouse.reading() as connection:
            made = decisions.history(connection, row_hash=row_hash)
    if not entries and not made:
        raise UsageError(f"nothing is known of a row {row_hash}; ./nightshift quarantine list")
    for entry in entries:
        what = f"{entry['decision']} when it was landed" if entry["decision"] else "held"
        tell(
            f"{entry['dataset']}.{entry['table_name']} {entry['data_day']}: {entry['rule']}, {what}"
        )
    if entries:
        tell(_json(entries[0]["payload"]))
    for it in made:
        at = f"{it.at:%Y-%m-%d %H:%M} UTC"
        tell(f"{at} {it.actor}: {it.action} ({it.rule}, {it.data_day}): {it.reason}")
        if it.payload is not None:
            tell(_json(it.payload))


def _on_rows(action: str, about: str) -> None:
    """Add a command that decides about rows: those named, or all of a rule and day."""

    def command(
        dataset: DatasetName,
        reason: Reason,
        row_hashes: Hashes = None,
        rule: RuleName = None,
        day: Day = None,
        table: TableName = None,
        dry_run: DryRun = False,
        yes: Yes = False,
    ) -> None:
        from include.ingestion import proposals, waivers

        propose = {
            "release": proposals.release,
            "discard": proposals.discard,
            "revoke": waivers.revoke,
        }[action]
        chosen = _choice(row_hashes, rule, day, table)
        _decide(dataset, reason, lambda desk: propose(desk, chosen), dry_run, yes)

    app.command(action, help=about)(command)


_on_rows("release", "Accept rows although a rule fails; without --rule, whatever rules hold them.")
_on_rows("discard", "Drop rows at this and every later landing.")


@app.command()
def correct(
    dataset: DatasetName,
    row_hash: Annotated[str, typer.Argument(metavar="ROW_HASH", help="The row.")],
    values: Annotated[
        list[str],
        typer.Option("--set", metavar="COLUMN=VALUE", help="A new value; empty for none."),
    ],
    reason: Reason,
    day: Day = None,
    table: TableName = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Put a row with other values in place of one; every rule looks at it again."""
    from include.ingestion import correction, proposals

    chosen, new = _choice([row_hash], None, day, table), correction.assignments(values)
    _decide(dataset, reason, lambda desk: proposals.correct(desk, chosen, new), dry_run, yes)


@app.command()
def waive(
    dataset: DatasetName,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule that failed.")],
    day: Annotated[str, typer.Option("--day", metavar="DAY", help="Data day, YYYY-MM-DD.")],
    reason: Reason,
    table: TableName = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Let a rule stop and hold nothing on one day of a table."""
    from include.ingestion import waivers

    waived = parse_day(day)
    _decide(dataset, reason, lambda desk: waivers.waive(desk, rule, waived, table), dry_run, yes)


_on_rows("revoke", "Take back decisions on rows, or all that was decided about a rule on a day.")


def _choice(
    row_hashes: Sequence[str] | None, rule: str | None, day: str | None, table: str | None
) -> Choice:
    from include.ingestion.held import Choice

    return Choice(tuple(row_hashes or ()), rule, parse_day(day) if day else None, table)


def _decide(
    dataset: str, reason: str, ask: Callable[[Desk], Proposal], dry_run: bool, yes: bool
) -> None:
    """Show what a decision would lead to, and record it once it is agreed to."""
    from include.ingestion import proposals

    declared = catalog.dataset(dataset)
    with open_workspace() as workspace:
        with working("trying it"):
            proposal = ask(proposals.Desk(workspace, declared, actor(), reason))
        tell(proposal.summary)
        for line in proposal.consequences:
            tell(f"  {line}")
        if dry_run:
            tell("nothing was decided")
            return
        if not yes:
            _agree()
        proposals.record(workspace, proposal)
    tell("decided")


def _agree() -> None:
    """Ask; raises `UsageError` unless the answer is yes."""
    try:
        agreed = typer.confirm("decide this?")
    except typer.Abort:
        raise UsageError("nobody answered and nothing was decided; scripts add --yes") from None
    if not agreed:
        raise UsageError("nothing was decided")


def _json(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, indent=2)
