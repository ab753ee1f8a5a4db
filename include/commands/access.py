"""The command about people's data: forget."""

from __future__ import annotations

from typing import Annotated

import typer

from include import catalog
from include.commands.console import DatasetName, actor, open_workspace, tell, working
from include.errors import UsageError

app = typer.Typer()


@app.command()
def forget(
    dataset: DatasetName,
    subject: Annotated[
        list[str],
        typer.Argument(metavar="COLUMN=VALUE", help="Who is forgotten; all of them must match."),
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")],
) -> None:
    """Erase a subject from lake, scores and quarantine, and discard it when it comes again."""
    from include.privacy.forget import forget as erase

    declared, values = catalog.dataset(dataset), _values(subject)
    with open_workspace() as workspace, working(f"forgetting a subject of {dataset}"):
        erasure = erase(workspace, declared, values, actor=actor(), reason=reason)
    tell(erasure.summary())


def _values(subject: list[str]) -> dict[str, str]:
    """Return column → value; raises `UsageError` for what is no COLUMN=VALUE."""
    values: dict[str, str] = {}
    for place, text in enumerate(subject, 1):
        column, equals, value = text.partition("=")
        if not equals or not column or not value:
            raise UsageError(f"argument {place} after the dataset is not COLUMN=VALUE")
        if column in values:
            raise UsageError(f"{column} is given twice")
        values[column] = value
    return values
