"""What a demo came to, printed for people."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

from include.declare import UseCase
from include.errors import DataError
from include.orchestration.local.figures import (
    Night,
    empty_tables,
    nights,
    run_query,
    sample_query,
)
from include.settings import Settings
from include.training.ledger import champion, registration
from include.workspace import Workspace, open_workspace

METRICS = {
    "auc": "AUC (higher is better)",
    "average_precision": "average precision (higher)",
    "log_loss": "log loss (lower)",
    "brier": "Brier score (lower)",
    "f1": "F1 (higher)",
}


def show(settings: Settings, use_case: UseCase, days: Sequence[date], console: Console) -> None:
    """Print the summary of the nights of `days`.

    Raises:
        DataError: there is no champion, or a table that must have rows has none.
    """
    with open_workspace(settings) as workspace:
        rows = nights(workspace, use_case, days)
        console.print()
        console.print(_nights(rows))
        console.print()
        _show_champion(workspace, use_case, console)
        _show_query(workspace, use_case, console)
        _show_places(settings, use_case, console)
        empty = empty_tables(workspace, use_case)
    short = [str(night.day) for night in rows if not night.scored or not night.landed]
    if empty or short:
        raise DataError(
            f"tables without rows: {', '.join(empty) or 'none'}; nights without rows: "
            f"{', '.join(short) or 'none'}; ./nightshift status says what was done"
        )


def _nights(rows: Sequence[Night]) -> Grid:
    grid = Grid(title="The nights", title_justify="left")
    grid.add_column("data day")
    for heading in ("landed", "held", "scored", "called late", "mean"):
        grid.add_column(heading, justify="right")
    grid.add_column("for", no_wrap=True)
    grid.add_column("drift")
    for night in rows:
        grid.add_row(
            str(night.day),
            f"{night.landed:,}",
            f"{night.held:,}",
            f"{night.scored:,}",
            f"{night.flagged:,}",
            "–" if night.mean is None else f"{night.mean:.3f}",
            ", ".join(map(str, night.target_dates)),
            night.verdict,
        )
    return grid


def _show_champion(workspace: Workspace, use_case: UseCase, console: Console) -> None:
    with workspace.warehouse.reading() as connection:
        serving = champion(connection, use_case.name)
        entry = serving and registration(connection, use_case.name, serving.model_version)
    if serving is None or entry is None:
        raise DataError(f"{use_case.name} has no champion; see the log of {use_case.name}_train")
    console.print(
        f"Champion of {use_case.name}: version {serving.model_version}, trained as of "
        f"{serving.as_of}\nSHA-256 {serving.sha256}"
    )
    evidence = entry.evidence
    compared: dict[str, Mapping[str, Any]] = {"champion": evidence["model"]["metrics"]}
    for name, found in evidence["baselines"].items():
        compared[name.replace("_", " ")] = found["metrics"]
    grid = Grid(caption="on flights after the training, 95 % intervals", caption_justify="left")
    grid.add_column("")
    for name in compared:
        grid.add_column(name, justify="right")
    for metric, words in METRICS.items():
        grid.add_row(words, *(_estimate(metrics.get(metric)) for metrics in compared.values()))
    console.print(grid)
    console.print(f"{serving.event}: {serving.reason}\n{entry.reason}\n")


def _estimate(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "–"
    return f"{found['value']:.4f} [{found['lower']:.4f}, {found['upper']:.4f}]"


def _show_query(workspace: Workspace, use_case: UseCase, console: Console) -> None:
    query = sample_query(use_case)
    database = workspace.settings.warehouse.database
    opened = (
        f"sqlite3 -header {database}" if shutil.which("sqlite3") else f"any client on {database}"
    )
    console.print(f"What an analyst asks, in {opened}:\n")
    console.print(query + ";\n", style="cyan", markup=False)
    columns, found = run_query(workspace, query)
    grid = Grid(*columns)
    for row in found:
        grid.add_row(*(str(value) for value in row))
    console.print(grid)
    console.print()


def _show_places(settings: Settings, use_case: UseCase, console: Console) -> None:
    home = settings.home
    places = {
        "warehouse": settings.warehouse.database,
        "lake": settings.lake,
        "drift reports": home / "reports" / use_case.name,
        "task logs": home / "airflow" / "logs",
        "Airflow and MLflow": "make up starts both on this state; make down stops them",
        "on the command line": "./nightshift status",
    }
    grid = Grid.grid(padding=(0, 2))
    for name, place in places.items():
        grid.add_row(name, str(place))
    console.print("Where to look")
    console.print(grid)
