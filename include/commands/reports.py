"""The commands about pages for people: the weekly digest."""

from __future__ import annotations

from typing import Annotated

import typer

from include import catalog
from include.commands.console import UseCaseName, open_workspace, tell, working

app = typer.Typer()


@app.command()
def digest(
    use_case: UseCaseName,
    week: Annotated[
        str | None,
        typer.Option("--week", metavar="WEEK", help="ISO week, 2013-W40; the newest one if none."),
    ] = None,
) -> None:
    """Write the page of one week: may its scores be used, what moved, what came true."""
    from include.monitoring import pages
    from include.monitoring.digests import write_week
    from include.monitoring.week import Week

    declared, named = catalog.use_case(use_case), Week.parse(week) if week else None
    with open_workspace() as workspace:
        with working("writing the digest"):
            result = write_week(workspace, declared, named)
        tell(result.summary())
        written = pages.digest_path(
            workspace.settings.home, use_case, named or Week.of(result.window.start)
        )
        tell(f"page: {written}")
