"""The newest features into the online store, as the last task of a night does it."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.features import cases
from bench.features.flights import opened
from bench.measuring import measured
from include.datasets.nyc_flights.declaration import DATASET
from include.features.online import materialise


def measure(folder: str) -> dict[str, Any]:
    """Materialise the newest day into an empty online store.

    Returns:
        The fields of `Cost`, `rows` of the day in the offline tables and `written`: entities
        found in the online store afterwards, over all views.
    """
    built = cases.home(Path(folder))
    with tempfile.TemporaryDirectory(prefix="bench-online-") as fresh:
        # A home of its own that knows the built days: materialising a day twice does nothing.
        home = Path(shutil.copytree(built, Path(fresh) / "home", ignore=_only_state))
        with opened(Path(folder), at=home) as workspace:
            result, cost = measured(lambda: materialise(workspace, DATASET))
        written = _entities(home / "feast" / "online.db")
    return {**asdict(cost), "rows": result.rows_out, "written": written}


def _only_state(folder: str, names: list[str]) -> set[str]:
    """Leave out the lake, which is read where it is."""
    return {"lake"} & set(names)


def _entities(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        count = "SELECT count(DISTINCT entity_key) FROM {}"
        tables = [f'"nightshift_{view.name}"' for view in DATASET.feature_views]
        assert {table.strip('"') for table in tables} <= {name for (name,) in found}
        return sum(connection.execute(count.format(table)).fetchone()[0] for table in tables)
