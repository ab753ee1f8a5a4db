"""What the commands of `./nightshift` share: arguments, how they print, what they open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated, get_args

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from include.declare_model import ModelPolicy
from include.errors import NightshiftError, UsageError
from include.settings import Settings

if TYPE_CHECKING:
    from include.warehouse.stages import StageResult
    from include.workspace import Workspace

out = Console()
err = Console(stderr=True)

POLICIES: tuple[ModelPolicy, ...] = get_args(ModelPolicy)

DatasetName = Annotated[str, typer.Argument(metavar="DATASET", help="Name of a dataset.")]
UseCaseName = Annotated[str, typer.Argument(metavar="USE_CASE", help="Name of a use case.")]
FirstDay = Annotated[str, typer.Option("--from", metavar="DAY", help="First data day, YYYY-MM-DD.")]
LastDay = Annotated[str, typer.Option("--to", metavar="DAY", help="Last data day, included.")]
Policy = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="POLICY",
        help=f"Which model scores the days: {', '.join(POLICIES)}; as declared if not given.",
    ),
]
Pinned = Annotated[
    str | None,
    typer.Option("--pinned", metavar="VERSION", help="The model version of the policy pinned."),
]


@contextmanager
def open_workspace() -> Iterator[Workspace]:
    """Open the installation that the environment describes."""
    from include import workspace

    with workspace.open_workspace(Settings.from_env(os.environ)) as opened:
        yield opened


@contextmanager
def open_installed() -> Iterator[Workspace]:
    """Open the installation; raises `ConfigurationError` when it lacks its tables."""
    from include.warehouse.migrate import require_current

    with open_workspace() as workspace:
        require_current(workspace.warehouse)
        yield workspace


@contextmanager
def working(on: str) -> Iterator[None]:
    """Show on a terminal that something is being done, and for how long."""
    elapsed = Progress(SpinnerColumn(), TextColumn(on), TimeElapsedColumn(), console=err)
    with elapsed if err.is_terminal else nullcontext():
        if err.is_terminal:
            elapsed.add_task(on)
        yield


def run_stages(*stages: Callable[[Workspace], StageResult]) -> None:
    """Run stages one after the other, print what each did; raise the first failure last."""
    failures: list[NightshiftError] = []
    with open_workspace() as workspace:
        for place, stage in enumerate(stages, 1):
            try:
                with working(f"step {place} of {len(stages)}"):
                    result = stage(workspace)
            except UsageError:
                raise
            except NightshiftError as error:
                failures.append(error)
            else:
                tell(result.summary())
    if failures:
        for failure in failures[1:]:
            err.print(f"also: {failure}", markup=False, highlight=False, soft_wrap=True)
        raise failures[0]


def tell(line: str) -> None:
    """Print what was done, as one line however long."""
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def model_policy(name: str | None) -> ModelPolicy | None:
    """Return the policy called `name`; raises `UsageError` that lists what there is."""
    for policy in POLICIES:
        if name == policy:
            return policy
    if name is not None:
        raise UsageError(f"there is no policy {name!r}; there is: {', '.join(POLICIES)}")
    return None


def actor() -> str:
    """Return who acts, for the ledger of models."""
    return os.environ.get("USER") or "command line"
