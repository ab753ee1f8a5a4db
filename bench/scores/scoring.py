"""Runs the score stage into a new Postgres warehouse, timed in parts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.measuring import measured
from bench.scores import sites
from bench.scores.plan import LARGE, USE_CASE
from bench.stopwatch import stopwatch
from include.declare import UseCase
from include.features import retrieval
from include.scoring import batch
from include.scoring.publication import Publication
from include.scoring.sanity import Figures
from include.scoring.score import score
from include.scoring.spool import Spool
from include.warehouse.staging import Staging
from include.warehouse.tables import score_runs
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from include.workspace import Workspace

PARTS = {
    "frame": (retrieval, "entity_batches"),
    "features": (retrieval, "add_features"),
    "predict": (batch, "predict"),
    "reasons": (batch, "explain"),
    "figures": (Figures, "add"),
    "stage": (Staging, "add"),
    "spool": (Spool, "add"),
    "lake": (Publication, "write_lake"),
    "swap": (Staging, "publish"),
}
"""Part → where the score stage calls it."""


def measure(base: str, site: str, window: Window, exact: int, batch_rows: int) -> dict[str, Any]:
    """Score a window of days that have landed and have features.

    Args:
        base: folder of the home that the other is a copy of; its large model scores.
        site: folder of the home to score in.
        window: data days.
        exact: rows per night whose reasons are exact.
        batch_rows: how many entities are read at a time.

    Returns:
        The fields of `Cost`; `rows` scored; the content hash as `fingerprint`; `parts` in
        seconds; `faults` in words.
    """
    use_case = replace(USE_CASE, scoring=replace(USE_CASE.scoring, exact_reasons=exact))
    with sites.warehoused(Path(site), "postgresql") as workspace, _batches_of(batch_rows):
        sites.repeat_states(Path(base), workspace, ("ingest", "features"), LARGE)
        with stopwatch(PARTS) as parts:
            _, cost = measured(lambda: score(workspace, use_case, window))
        outcome = examined(workspace, use_case, window)
    return {**asdict(cost), **outcome, "parts": with_rest(parts, cost.seconds)}


def examined(workspace: Workspace, use_case: UseCase, window: Window) -> dict[str, Any]:
    """Return how many `rows` the one run of the stage has scored, its `fingerprint`, `faults`."""
    table = use_case_tables(use_case).scores
    with workspace.warehouse.reading() as connection:
        stored = connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
        content = connection.scalars(sa.select(score_runs.c.content_hash)).one()
    due = sum(map(len, retrieval.entity_batches(workspace, use_case, window.days)))
    faults = [] if stored == due else [f"{due:,} entities are due and {stored:,} scores there"]
    return {"rows": stored, "fingerprint": content, "faults": faults}


def with_rest(parts: dict[str, float], seconds: float) -> dict[str, float]:
    """Return the parts with what they leave of the seconds."""
    return {**parts, "other": seconds - sum(parts.values())}


@contextmanager
def _batches_of(rows: int) -> Iterator[None]:
    """Let the score stage read so many entities at a time."""
    original = retrieval.entity_batches
    setattr(retrieval, "entity_batches", partial(original, rows=rows))  # noqa: B010 (for mypy)
    try:
        yield
    finally:
        setattr(retrieval, "entity_batches", original)  # noqa: B010
