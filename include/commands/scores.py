"""The commands about published scores: may they be used, were they worth it, releasing some."""

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
from include.errors import DataError
from include.window import parse_day

app = typer.Typer()

MORNINGS = 7
"""Target dates shown of each use case."""


@app.command()
def readiness(
    use_case: Annotated[
        str | None, typer.Argument(metavar="[USE_CASE]", help="A use case; all if none.")
    ] = None,
) -> None:
    """Show whether the scores of the last mornings may be used, and if not why."""
    from include.scoring import readiness as mornings

    names = catalog.use_case_names() if use_case is None else [catalog.use_case(use_case).name]
    table = Table("use case", "target date", "state", "due by (UTC)", "since (UTC)", "reason")
    with open_workspace() as workspace:
        failed = mornings.refresh_all(workspace, names)
        with workspace.warehouse.reading() as connection:
            rows = [it for name in names for it in mornings.stored(connection, name, MORNINGS)]
    for row in rows:
        table.add_row(
            row.use_case,
            str(row.target_date),
            row.state,
            f"{row.due_by:%Y-%m-%d %H:%M}",
            f"{row.ready_at:%Y-%m-%d %H:%M}" if row.ready_at else "",
            escape(row.reason or ""),
        )
    out.print(table if rows else "nothing is in service, so no scores are due")
    if failed:
        raise DataError("; ".join(f"{name} is not up to date: {it}" for name, it in failed.items()))


@app.command()
def release(
    use_case: UseCaseName,
    day: Annotated[str, typer.Argument(metavar="DAY", help="The data day that is held.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why its scores may be published.")
    ],
) -> None:
    """Publish the scores of a day that were held for what they predict."""
    from include.scoring.release import release as publish

    declared, held = catalog.use_case(use_case), parse_day(day)
    with open_workspace() as workspace, working(f"publishing {held}"):
        result = publish(workspace, declared, held, actor=actor(), reason=reason)
    tell(result.summary())


@app.command()
def performance(
    use_case: UseCaseName,
    dates: Annotated[
        int, typer.Option("--dates", metavar="N", min=1, help="Newest mature target dates.")
    ] = 28,
) -> None:
    """Show what the scores of the newest mature target dates were worth, model by model."""
    from include.monitoring.standing import in_rows, standings

    declared = catalog.use_case(use_case)
    with open_installed() as workspace, working(f"measuring {dates} dates"):
        found = standings(workspace, declared, dates)
    for it in found:
        tell(
            f"version {it.model_version}: {it.dates} target dates, {it.first} to {it.last}, "
            f"{it.rows:,} scores with an outcome ({it.label_coverage:.1%})"
        )
        table = Table("metric", "realised", "measured before promotion")
        for row in in_rows(declared, it):
            table.add_row(*row)
        out.print(table)
    if not found:
        tell(
            f"{use_case}: no scores have mature outcomes that their model had not seen; "
            f"they are written by ./nightshift monitor {use_case} --from DAY --to DAY"
        )
