"""The command that takes a dataset or use case out of the repository."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from include.commands import questions
from include.commands.console import tell
from include.errors import UsageError
from include.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

app = typer.Typer()


@app.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A dataset or use case.")],
    with_use_cases: Annotated[
        bool, typer.Option("--with-use-cases", help="Of a dataset: those on it go too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
) -> None:
    """Take a dataset or use case out of the repository, and say what stays behind."""
    from include.scaffold import removal

    outline = removal.outline(name, with_use_cases)
    for path in outline.paths:
        tell(f"removes {path}")
    for package in outline.packages:
        tell(f"removes {package} from {removal.REQUIREMENTS} and {removal.LOCK}")
    if not yes and not questions.is_terminal():
        raise UsageError("nothing was removed: give --yes, as there is nobody to ask here")
    if not yes and not typer.confirm("Remove all this?", default=False):
        raise UsageError("nothing was removed")
    removal.carry_out(outline)
    tell("Removed. What stays:")
    for line in removal.staying(outline, Settings.from_env(os.environ)):
        tell(f"  {line}")
    if outline.named_in:
        tell(f"These files name it still: {_shortly(outline.named_in)}")
    if any(path.parts[0] == "bench" for path in outline.named_in):
        tell("The benchmarks are of it: remove bench/, and its name from mypy's in pyproject.toml")
    if any(path.parts[0] == "tests" for path in outline.named_in):
        tell("Tests that need a sample which is gone are left out; contract tests test your own.")


def _shortly(paths: Sequence[Path]) -> str:
    """Return paths in words: a few by name, many by folder."""
    if len(paths) <= 5:
        return ", ".join(map(str, paths))
    folders = Counter(path.parts[0] for path in paths)
    return ", ".join(f"{count} in {folder}/" for folder, count in folders.items())
