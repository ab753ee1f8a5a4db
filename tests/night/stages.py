"""The stages of any dataset and use case, and what a reader can see after them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from deltalake import DeltaTable

from include.declare import Dataset, UseCase
from include.features.build import build_features, feature_tables
from include.ingestion.landing import ingest
from include.ingestion.quality import measure_quality
from include.lake import fingerprint, names
from include.lake.schema import DATA_DAY
from include.monitoring import report
from include.monitoring.monitor import monitor
from include.monitoring.outcomes import write_outcomes
from include.monitoring.performance import measure_performance
from include.scoring.score import score
from include.warehouse import monitoring_tables, tables
from include.warehouse.stages import StageResult
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from include.workspace import Workspace

Stage = Callable[[Workspace, Window, int], StageResult]


def landing_stages(dataset: Dataset) -> dict[str, Stage]:
    """Return the stages of a dataset's night, in order."""
    stages = {"ingest": ingest, "quality": measure_quality, "features": build_features}
    return {name: partial(_run, stage, dataset) for name, stage in stages.items()}


def scoring_stages(use_case: UseCase) -> dict[str, Stage]:
    """Return the stages of a use case's night, in order."""
    stages = {
        "score": score,
        "outcomes": write_outcomes,
        "performance": measure_performance,
        "monitor": monitor,
    }
    return {name: partial(_run, stage, use_case) for name, stage in stages.items()}


def _run(
    stage: Callable[..., StageResult],
    subject: Dataset | UseCase,
    workspace: Workspace,
    window: Window,
    heal: int,
) -> StageResult:
    return stage(workspace, subject, window, heal)


ASIDE = {"run_id", "at", "scored_at", "valid_from", "started_at", "finished_at", "entry"}
"""Run ids, times and counted keys: they tell when something was done, not what."""


@contextmanager
def without_pages() -> Iterator[None]:
    """Let monitoring write empty pages: one of Evidently's takes longer than the whole night.

    For tests of what nights write into the tables; pages have tests of their own.
    """

    def write(path: Path, *_: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "write", write)
        yield


def visible(
    workspace: Workspace,
    dataset: Dataset,
    use_cases: Sequence[UseCase],
) -> dict[str, Any]:
    """Return everything a reader can see, run ids and times aside, in a comparable form."""
    mine = [use_case_tables(case) for case in use_cases]
    read = [table for each in mine for table in (each.scores, each.outcomes)]
    read += [
        tables.stage_days,
        tables.validation_results,
        tables.quarantine,
        monitoring_tables.data_quality,
        monitoring_tables.drift_metrics,
        monitoring_tables.drift_verdicts,
        monitoring_tables.model_performance,
        tables.model_ledger,
    ]
    seen: dict[str, Any] = {table.name: rows(workspace, table) for table in read}
    for name in lake_tables(dataset, use_cases):
        seen[name] = content(workspace, name)
    return seen


def lake_tables(dataset: Dataset, use_cases: Sequence[UseCase] = ()) -> list[str]:
    """Return the names of all lake tables of a dataset and of use cases on it."""
    landed = [names.landed(dataset, table) for table in dataset.tables]
    return [*feature_tables(dataset), *map(names.scored, use_cases), *landed]


def rows(workspace: Workspace, table: sa.Table) -> list[str]:
    """Return a table's rows, sorted, without what tells only when or by which run."""
    columns = [column for column in table.columns if column.name not in ASIDE]
    with workspace.warehouse.reading() as connection:
        return sorted(map(_told, connection.execute(sa.select(*columns))))


def _told(row: sa.Row[Any]) -> str:
    """Return a row as text that is the same on both databases, which order JSON differently."""
    return repr([json.dumps(it, sort_keys=True) if isinstance(it, dict) else it for it in row])


def everything(
    workspace: Workspace,
    dataset: Dataset,
    use_cases: Sequence[UseCase],
) -> dict[str, Any]:
    """Return all rows of all tables but `stage_runs`, whole, and the lake's versions."""
    mine = [table for case in use_cases for table in use_case_tables(case).all]
    seen: dict[str, Any] = {}
    with workspace.warehouse.reading() as connection:
        for table in (*tables.metadata.sorted_tables, *mine):
            if table.name != "stage_runs":
                seen[table.name] = sorted(map(repr, connection.execute(sa.select(table)).all()))
    seen["lake"] = workspace.lake.versions(lake_tables(dataset, use_cases))
    return seen


def count_runs(workspace: Workspace) -> int:
    """Return how many rows `stage_runs` has."""
    with workspace.warehouse.reading() as connection:
        query = sa.select(sa.func.count()).select_from(tables.stage_runs)
        return int(connection.execute(query).scalar_one())


def content(workspace: Workspace, name: str) -> dict[str, str]:
    """Return day → hash of its rows in a lake table; of a snapshot one hash.

    A day whose files were hashed before is not read again, so that the months of history that
    copies of a home share are read once.
    """
    table = DeltaTable(workspace.lake.uri(name))
    if not table.metadata().partition_columns:
        return {"": fingerprint.of_table(workspace.lake.read(name))}
    files: dict[date, list[str]] = {}
    for path in sorted(pa.table(table.get_add_actions()).column("path").to_pylist()):
        day = date.fromisoformat(path.partition("/")[0].removeprefix(f"{DATA_DAY}="))
        files.setdefault(day, []).append(path)
    if new := [day for day, its in files.items() if tuple(its) not in _HASHES]:
        found = fingerprint.of_days(workspace.lake.read(name, new), new)
        _HASHES.update({tuple(files[day]): found[day] for day in new})
    return {str(day): _HASHES[tuple(its)] for day, its in files.items()}


_HASHES: dict[tuple[str, ...], str] = {}
"""Files of a day → hash of its rows: Delta never writes a file of the same name twice."""
