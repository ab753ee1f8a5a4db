"""The `./nightshift` command: the same stage functions the DAGs call, for people."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.logging import RichHandler
from rich.table import Table

from include import catalog
from include.commands import (
    access,
    dev,
    history,
    incidents,
    models,
    quarantine,
    removal,
    reports,
    scaffold,
    scores,
    upkeep,
)
from include.commands.console import (
    DatasetName,
    FirstDay,
    LastDay,
    Pinned,
    Policy,
    UseCaseName,
    err,
    model_policy,
    open_workspace,
    out,
    run_stages,
)
from include.errors import NightshiftError, SourceNotReady, UsageError
from include.settings import TELEMETRY_OFF
from include.window import Window

if TYPE_CHECKING:
    from include.declare import Dataset, UseCase
    from include.warehouse.stages import StageResult
    from include.workspace import Workspace

    Stage = Callable[[Workspace], StageResult]

app = typer.Typer(
    name="nightshift",
    help="Batch machine learning on Apache Airflow: every stage, from the command line.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(models.app)
app.add_typer(access.app)
app.add_typer(history.app)
app.add_typer(scores.app)
app.add_typer(upkeep.app)
app.add_typer(incidents.app)
app.add_typer(reports.app)
app.add_typer(dev.app)
app.add_typer(scaffold.app)
app.add_typer(removal.app)


@app.command()
def init() -> None:
    """Prepare the installation: warehouse tables, Feast definitions, MLflow. Safe to repeat."""
    from include.features.store import apply_definitions
    from include.training import registry
    from include.warehouse import roles
    from include.warehouse.migrate import upgrade
    from include.warehouse.use_cases import apply

    with open_workspace() as workspace:
        settings = workspace.settings
        settings.home.mkdir(parents=True, exist_ok=True)
        upgrade(workspace.warehouse)
        out.print(f"warehouse: {workspace.warehouse.name} is up to date", highlight=False)
        use_cases = [catalog.use_case(name) for name in catalog.use_case_names()]
        for use_case in use_cases:
            for change in apply(workspace.warehouse, use_case):
                out.print(f"warehouse: {change}", highlight=False)
        for change in roles.apply(workspace.warehouse, use_cases):
            out.print(f"warehouse: {change}", highlight=False, markup=False)
        views = apply_definitions(settings)
        out.print(f"feast: {len(views)} feature views applied ({', '.join(views)})")
        registry.init(settings)
        out.print("mlflow: tracking store is up to date")


@app.command()
def ingest(dataset: DatasetName, first: FirstDay, last: LastDay) -> None:
    """Land and check days of a dataset, and measure their quality."""
    run_stages(*_landing(catalog.dataset(dataset), Window.parse(first, last)))


@app.command()
def features(dataset: DatasetName, first: FirstDay, last: LastDay) -> None:
    """Build the feature views of days that have landed."""
    from include.features.build import build_features as stage

    declared = catalog.dataset(dataset)
    run_stages(lambda workspace: stage(workspace, declared, Window.parse(first, last)))


@app.command()
def materialise(dataset: DatasetName) -> None:
    """Write the newest features into the online store and compare a sample of them."""
    from include.features.online import materialise as stage

    declared = catalog.dataset(dataset)
    run_stages(lambda workspace: stage(workspace, declared))


@app.command()
def score(
    use_case: UseCaseName,
    first: FirstDay,
    last: LastDay,
    policy: Policy = None,
    pinned: Pinned = None,
) -> None:
    """Score what is planned on days, with the champion or as a policy says."""
    from include.scoring.score import score as stage

    declared, window = catalog.use_case(use_case), Window.parse(first, last)
    chosen = model_policy(policy)
    run_stages(lambda workspace: stage(workspace, declared, window, policy=chosen, pinned=pinned))


@app.command()
def monitor(use_case: UseCaseName, first: FirstDay, last: LastDay) -> None:
    """Write outcomes, what scores were worth, the drift of scored days, and digests."""
    run_stages(*_monitoring(catalog.use_case(use_case), Window.parse(first, last)))


@app.command()
def backfill(
    name: Annotated[str, typer.Argument(help="Name of a dataset or use case.")],
    first: FirstDay,
    last: LastDay,
    policy: Policy = None,
    pinned: Pinned = None,
) -> None:
    """Do everything that is due in a window: land and build, for a use case also score."""
    from include.features.build import build_features
    from include.scoring import assignment
    from include.scoring.score import score as predict

    window, chosen = Window.parse(first, last), model_policy(policy)
    use_case = catalog.use_case(name) if name in catalog.use_case_names() else None
    dataset = use_case.dataset if use_case else _dataset_or_use_case(name)
    if use_case is not None:
        assignment.choose(use_case, False, chosen, pinned)
    elif policy or pinned:
        raise UsageError(f"{name} is a dataset: no model scores it, so leave out the policy")
    stages: list[Stage] = [
        *_landing(dataset, window),
        lambda workspace: build_features(workspace, dataset, window),
    ]
    if use_case is not None:
        stages += [
            lambda workspace: predict(workspace, use_case, window, policy=chosen, pinned=pinned),
            *_monitoring(use_case, window),
        ]
    run_stages(*stages)


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(help="A dataset or use case; all if none.")] = None,
) -> None:
    """Show what is done, stopped or missing, who is champion, and if scores may be used."""
    from include.overview import champions, mornings, stages

    if name is not None and name not in catalog.use_case_names():
        _dataset_or_use_case(name)
    with open_workspace() as workspace:
        table = Table("stage", "subject", "done", "newest done", "stopped", "absent", "last run")
        for row in stages(workspace.warehouse, name):
            table.add_row(*row)
        out.print(table)
        for line in champions(workspace.warehouse, name):
            out.print(line, highlight=False)
        for line in mornings(workspace.warehouse, workspace.now, name):
            out.print(line, highlight=False, markup=False)


def run() -> None:
    """Run the command; errors an operator can act on become one line and exit code 1 or 2."""
    os.environ.update(TELEMETRY_OFF)
    handler = RichHandler(console=err, show_path=False, show_level=False, markup=False)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler])
    logging.getLogger("include").setLevel(logging.INFO)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)
    try:
        app(prog_name="./nightshift")
    except SourceNotReady as error:
        _fail(error, 3)
    except UsageError as error:
        _fail(error, 2)
    except NightshiftError as error:
        _fail(error, 1)


def _fail(error: NightshiftError, code: int) -> None:
    err.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(code)


def _landing(dataset: Dataset, window: Window) -> list[Stage]:
    """Return what lands days of a dataset and measures their quality."""
    from include.ingestion.landing import ingest as land
    from include.ingestion.quality import measure_quality

    return [
        lambda workspace: land(workspace, dataset, window),
        lambda workspace: measure_quality(workspace, dataset, window),
    ]


def _monitoring(use_case: UseCase, window: Window) -> list[Stage]:
    """Return what measures scored days: outcomes, performance, drift and digests."""
    from include.monitoring.digests import write_digests
    from include.monitoring.monitor import monitor as watch
    from include.monitoring.outcomes import write_outcomes
    from include.monitoring.performance import measure_performance

    return [
        lambda workspace: write_outcomes(workspace, use_case, window),
        lambda workspace: measure_performance(workspace, use_case, window),
        lambda workspace: watch(workspace, use_case, window),
        lambda workspace: write_digests(workspace, use_case, window),
    ]


def _dataset_or_use_case(name: str) -> Dataset:
    known = [*catalog.dataset_names(), *catalog.use_case_names()]
    if name not in catalog.dataset_names():
        raise UsageError(f"there is nothing called {name!r}; there is: {', '.join(known)}")
    return catalog.dataset(name)
