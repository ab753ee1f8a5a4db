"""The command about what is kept: housekeeping."""

from __future__ import annotations

from typing import Annotated

import typer

from include import catalog
from include.commands.console import open_workspace, tell, working

app = typer.Typer()


@app.command()
def housekeeping(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; say what would be done.")
    ] = False,
) -> None:
    """Merge small files, and remove what is older than declared and nothing refers to."""
    from include.upkeep.housekeeping import housekeeping as keep_house

    datasets = [catalog.dataset(name) for name in catalog.dataset_names()]
    use_cases = [catalog.use_case(name) for name in catalog.use_case_names()]
    with open_workspace() as workspace, working("housekeeping"):
        account = keep_house(workspace, datasets, use_cases, dry_run=dry_run)
    tell(account.summary())
