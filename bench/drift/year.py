"""Monitors a year of scored nights as a backfill does, stage by stage."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench import child
from bench.drift import plan, rows
from bench.measuring import measured
from bench.scores import sites
from bench.scores.plan import DATASET, TRAINED, USE_CASE
from include.ingestion.quality import measure_quality
from include.lake import fingerprint
from include.monitoring.digests import write_digests
from include.monitoring.monitor import monitor
from include.monitoring.outcomes import write_outcomes
from include.monitoring.performance import measure_performance
from include.scoring.score import score
from include.settings import WarehouseAddress
from include.warehouse.monitoring_tables import data_quality, drift_verdicts, model_performance
from include.warehouse.stages import StageResult, done_days
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from include.workspace import Workspace

IMPORTED = ("evidently", "matplotlib.figure", "xgboost")
"""What the stages import when they first need it; a task pays for it once, and not here."""

FOUND = {
    drift_verdicts: ("data_day", "model_version", "drifted", "weight", "words"),
    model_performance: ("target_date", "model_version", "slice", "metric", "value"),
    data_quality: ("data_day", "table_name", "column_name", "metric", "value", "unusual"),
}
"""What monitoring came to, which must be the same in any warehouse; the first names order it."""


def measure(base: str, site: str, sizes: dict[str, Any], dialect: str) -> dict[str, Any]:
    """Score the window, then monitor it in a process of its own; see `monitor_window`."""
    with sites.warehoused(Path(site), dialect) as workspace:
        sites.repeat_states(Path(base), workspace, ("ingest", "features"), TRAINED)
        place = workspace.settings.warehouse
        address = asdict(place) if dialect == "postgresql" else None
        given = {"site": site, "year": sizes["year"], "address": address}
        child.run("bench.drift.year:score_window", **given)
        found: dict[str, Any] = child.run("bench.drift.year:monitor_window", **given)
        return found


def score_window(site: str, year: tuple[str, str], address: dict[str, Any] | None) -> None:
    """Score a window whose days have landed and have features."""
    with sites.opened(Path(site), _place(address)) as workspace:
        score(workspace, USE_CASE, rows.between(year))


def monitor_window(
    site: str, year: tuple[str, str], address: dict[str, Any] | None
) -> dict[str, Any]:
    """Run the stages of monitoring over a scored window.

    Returns:
        The fields of `Cost`; `rows` scored; `fingerprint` of what was found; `stages`, stage →
        seconds; `faults` in words.
    """
    for name in IMPORTED:
        importlib.import_module(name)
    window = rows.between(year)
    seconds: dict[str, float] = {}
    with sites.opened(Path(site), _place(address)) as workspace:
        work: dict[str, Callable[[], StageResult]] = {
            "outcomes": lambda: write_outcomes(workspace, USE_CASE, window),
            "performance": lambda: measure_performance(workspace, USE_CASE, window),
            "monitor": lambda: monitor(workspace, USE_CASE, window),
            "quality": lambda: measure_quality(workspace, DATASET, window),
            "digest": lambda: write_digests(workspace, USE_CASE, window),
        }

        def run() -> None:
            for stage in plan.STAGES:
                start = time.perf_counter()
                work[stage]()
                seconds[stage] = time.perf_counter() - start

        _, cost = measured(run)
        return {
            **asdict(cost),
            **_examine(workspace),
            "stages": seconds,
            "faults": list(_faults(workspace, window)),
        }


def _examine(workspace: Workspace) -> dict[str, Any]:
    """Return how many `rows` were scored, and the `fingerprint` of what monitoring found."""
    found = []
    with workspace.warehouse.reading() as connection:
        for table, names in FOUND.items():
            columns = [table.c[name] for name in names]
            # Not by the database: its order of words is a matter of its language.
            found.append(sorted(map(repr, connection.execute(sa.select(*columns)))))
        scores = use_case_tables(USE_CASE).scores
        count = connection.scalar(sa.select(sa.func.count()).select_from(scores)) or 0
    return {"rows": count, "fingerprint": fingerprint.of_values(*found)}


def _faults(workspace: Workspace, window: Window) -> Iterator[str]:
    """Yield which stages have not done all their days; those of outcomes mature later."""
    with workspace.warehouse.reading() as connection:
        names = {"monitor": USE_CASE.name, "quality": DATASET.name}
        for stage, subject in names.items():
            done = len(done_days(connection, stage, subject, window.days))
            if done != len(window):
                yield f"{stage} has done {done} of {len(window)} days"
        outcomes, performance = (
            set(done_days(connection, stage, USE_CASE.name)) for stage in plan.STAGES[:2]
        )
    last = USE_CASE.label.mature_after + max(USE_CASE.horizons)
    if len(outcomes) < len(window) - last:
        yield f"outcomes of {len(outcomes)} target dates are there"
    if outcomes != performance:
        yield f"{len(outcomes ^ performance)} target dates have outcomes and no performance"


def _place(address: dict[str, Any] | None) -> WarehouseAddress | None:
    if address is None:
        return None
    options = tuple((name, value) for name, value in address["options"])
    return WarehouseAddress(**{**address, "options": options})
