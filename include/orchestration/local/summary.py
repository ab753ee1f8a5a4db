"""What a demo came to, printed for people."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid

from include.declare import Dataset, UseCase
from include.errors import DataError
from include.orchestration.local.figures import (
    Night,
    empty_tables,
    nights,
    rows_held,
    rows_landed,
    run_query,
    sample_query,
)
from include.settings import Settings
from include.training.ledger import champion, registration, verdict
from include.window import Window
from include.workspace import Workspace, open_workspace

METRICS = {
    "auc": "AUC (higher is better)",
    "average_precision": "average precision (higher)",
    "log_loss": "log loss (lower)",
    "brier": "Brier score (lower)",
    "ece": "calibration error (lower)",
    "cost": "cost of decisions (lower)",
    "lift_at_10pct": "lift of the top 10 % (higher)",
    "mae": "MAE (lower)",
    "rmse": "RMSE (lower)",
    "coverage": "coverage",
}
"""Metrics shown of a model that has them; the losses of its quantiles come after them."""


def show(
    settings: Settings,
    dataset: Dataset,
    use_cases: Sequence[UseCase],
    history: Window,
    days: Sequence[date],
    console: Console,
) -> None:
    """Print what history and the nights of `days` came to, use case by use case.

    Raises:
        DataError: a use case has no champion, or a table that must have rows has none.
    """
    empty: dict[str, None] = {}
    short: dict[str, None] = {}
    with open_workspace(settings) as workspace:
        console.print()
        _show_history(workspace, dataset, history, console)
        for use_case in use_cases:
            rows = nights(workspace, use_case, days)
            _show_nights(use_case, rows, console)
            _show_champion(workspace, use_case, console)
            _show_query(workspace, use_case, console)
            empty |= dict.fromkeys(empty_tables(workspace, use_case))
            lacking = (night for night in rows if not night.scored or not night.landed)
            short |= dict.fromkeys(f"{night.day} of {use_case.name}" for night in lacking)
        _show_places(workspace, use_cases, console)
    if empty or short:
        raise DataError(
            f"tables without rows: {', '.join(empty) or 'none'}; nights without rows: "
            f"{', '.join(short) or 'none'}; ./nightshift status says what was done"
        )


def _show_history(
    workspace: Workspace, dataset: Dataset, history: Window, console: Console
) -> None:
    landed = sum(rows_landed(workspace, dataset, history.days).values())
    with workspace.warehouse.reading() as connection:
        held = sum(rows_held(connection, dataset, history.days).values())
    console.print(f"History {history}: {landed:,} rows landed, {held:,} held back in quarantine\n")


def _show_nights(use_case: UseCase, rows: Sequence[Night], console: Console) -> None:
    binary = use_case.task == "binary"
    told = f"called {use_case.label.column}" if binary else "highest"
    grid = _grid("data day", "landed", "held", "scored for", "scores", told, "mean")
    for night in rows:
        grid.add_row(
            str(night.day),
            f"{night.landed:,}",
            f"{night.held:,}",
            ", ".join(map(str, night.target_dates)),
            f"{night.scored:,}",
            f"{night.flagged:,}" if binary else _amount(night.highest, 1),
            _amount(night.mean, 3 if binary else 1),
        )
    console.print(f"The nights of {use_case.name}")
    console.print(grid)
    console.print("\nDrift against the champion's reference")
    for night in rows:
        console.print(f"  {night.day}  {in_short(night.verdict)}", soft_wrap=True)
    console.print()


def _amount(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:,.{places}f}"


def in_short(verdict: str) -> str:
    """Return a night's drift verdict without the columns it names in between."""
    head, _, rest = verdict.partition(", first ")
    _, _, tail = rest.rpartition("; ")
    return f"{head}; {tail}" if tail else head


def _show_champion(workspace: Workspace, use_case: UseCase, console: Console) -> None:
    with workspace.warehouse.reading() as connection:
        serving = champion(connection, use_case.name)
        version = serving and (serving.refit_of or serving.model_version)
        entry = version and registration(connection, use_case.name, version)
        judged = version and verdict(connection, use_case.name, version)
    if not serving or not entry or not judged:
        raise DataError(f"{use_case.name} has no champion; see the log of {use_case.name}_train")
    refit = f", the refit of version {serving.refit_of}" if serving.refit_of else ""
    console.print(
        f"Champion of {use_case.name}: version {serving.model_version}{refit}, trained as of "
        f"{serving.as_of}\nSHA-256 {serving.sha256}"
    )
    evidence = entry.evidence
    compared: dict[str, Mapping[str, Any]] = {"champion": evidence["model"]["metrics"]}
    for name, found in evidence["baselines"].items():
        compared[name.replace("_", "\n")] = found["metrics"]
    grid = _grid("", *compared)
    for metric, words in _shown(compared["champion"]):
        grid.add_row(words, *(_estimate(metrics.get(metric)) for metrics in compared.values()))
    rows, days = evidence["model"]["rows"], evidence["model"]["days"]
    console.print(f"on {rows:,} out-of-time rows of {days} days, with 95 % intervals")
    console.print(grid)
    console.print(f"{judged.event}: {judged.reason}", soft_wrap=True)
    console.print(f"{entry.reason}", soft_wrap=True)
    if serving.refit_of:
        console.print(serving.reason, soft_wrap=True)
    console.print()


def _shown(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give the metrics to show, each with its words."""
    yield from ((metric, words) for metric, words in METRICS.items() if metric in metrics)
    yield from (
        (metric, metric.replace("_", " "))
        for metric in sorted(metrics)
        if metric.startswith("pinball_")
    )


def _estimate(found: Mapping[str, float] | None) -> str:
    if found is None:
        return "–"
    size = abs(found["value"])
    places = 3 if size < 1 else 2 if size < 10 else 1
    value, lower, upper = (found[part] for part in ("value", "lower", "upper"))
    return f"{value:.{places + 1}f}\n[{lower:.{places}f}, {upper:.{places}f}]"


def _grid(*headings: str) -> Grid:
    """Return an open table: first column to the left, numbers to the right."""
    grid = Grid(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for place, heading in enumerate(headings):
        grid.add_column(heading, justify="right" if place else "left", no_wrap=True)
    return grid


def _show_query(workspace: Workspace, use_case: UseCase, console: Console) -> None:
    query = sample_query(use_case)
    database = workspace.settings.warehouse.database
    client = "sqlite3 -box" if shutil.which("sqlite3") else "any SQLite client on"
    which = "most likely of all" if use_case.task == "binary" else "highest of all"
    console.print(f"The {which}; paste this into: {client} {database}\n", soft_wrap=True)
    console.print(query + ";\n", style="cyan", markup=False, soft_wrap=True)
    columns, found = run_query(workspace, query)
    grid = Grid(*columns[:-1], box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=0)
    grid.add_column(columns[-1], no_wrap=False)
    for row in found:
        grid.add_row(*(str(value) for value in row))
    for column in grid.columns[:-1]:
        column.no_wrap = True
    console.print(grid)
    console.print()


def _show_places(workspace: Workspace, use_cases: Sequence[UseCase], console: Console) -> None:
    settings, home = workspace.settings, workspace.settings.home
    with workspace.warehouse.reading() as connection:
        serving = {it.name: champion(connection, it.name) for it in use_cases}
    cards = {
        f"card of {name}": f"{it.artifact_uri}/card.html" for name, it in serving.items() if it
    }
    places = {
        "warehouse": settings.warehouse.database,
        "lake": settings.lake,
        "reports": home / "reports" / "index.html",
        **cards,
        "task logs": home / "airflow" / "logs",
        "Airflow and MLflow": "make up starts both on this state; make down stops them",
        "on the command line": "./nightshift status",
    }
    width = max(map(len, places)) + 1
    console.print("Where to look")
    for name, place in places.items():
        console.print(f"  {name:{width}} {place}", soft_wrap=True)
    console.print()
