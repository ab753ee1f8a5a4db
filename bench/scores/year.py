"""Fills a year of real flights as a backfill does, stage by stage, into a new Postgres."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from bench.measuring import measured
from bench.scores import scoring, sites
from bench.scores.plan import BATCH, DATASET, DECLARED, USE_CASE, Sizes
from bench.scores.scoring import PARTS, examined, with_rest
from bench.stopwatch import stopwatch
from include.features.build import build_features
from include.ingestion.landing import ingest
from include.monitoring.monitor import monitor
from include.scoring.score import score
from include.warehouse.stages import StageResult
from include.window import Window

IMPORTED = ("great_expectations", "evidently", "feast", "xgboost", "adbc_driver_postgresql.dbapi")
"""What the stages import when they first need it; a task pays for it once, and not here."""

STAGES = ("ingest", "features", "score")


def found(base: str, site: str, sizes: dict[str, Any]) -> None:
    """Make a home into which nothing has landed."""
    sites.found_empty(Path(site))


def copy(base: str, site: str, sizes: dict[str, Any]) -> None:
    """Make a home in which the year has landed and has features."""
    sites.copy(Path(base), Path(site))


def fill(base: str, site: str, sizes: dict[str, Any], model: str) -> dict[str, Any]:
    """Fill the window from nothing: ingest, features, score, and then monitoring.

    Returns:
        The fields of `Cost`, `seconds` without monitoring; `rows` scored; the content hash as
        `fingerprint`; `stages`, stage → seconds; `parts` of scoring; `faults` in words.
    """
    for name in IMPORTED:
        importlib.import_module(name)
    window = _window(sizes)
    seconds: dict[str, float] = {}
    with sites.warehoused(Path(site), "postgresql") as workspace:
        sites.repeat_states(Path(base), workspace, (), model)
        work: dict[str, Callable[[], StageResult]] = {
            "ingest": lambda: ingest(workspace, DATASET, window),
            "features": lambda: build_features(workspace, DATASET, window),
            "score": lambda: score(workspace, USE_CASE, window),
            "monitor": lambda: monitor(workspace, USE_CASE, window),
        }

        def run() -> None:
            for stage, do in work.items():
                start = time.perf_counter()
                do()
                seconds[stage] = time.perf_counter() - start

        with stopwatch(PARTS) as parts:
            _, cost = measured(run)
        outcome = examined(workspace, USE_CASE, window)
    return {
        **asdict(cost),
        **outcome,
        "seconds": sum(seconds[stage] for stage in STAGES),
        "stages": seconds,
        "parts": with_rest(parts, seconds["score"]),
    }


def rescore(
    base: str,
    site: str,
    sizes: dict[str, Any],
    batch_rows: int = BATCH,
    exact: int = DECLARED,
) -> dict[str, Any]:
    """Score the window whose days have landed and have features, see `scoring.measure`."""
    return scoring.measure(base, site, _window(sizes), exact, batch_rows)


def _window(sizes: dict[str, Any]) -> Window:
    first, last = (date.fromisoformat(day) for day in Sizes(**sizes).year)
    return Window(first, last)
