"""DuckDB with what feature SQL sees on a day, of what was landed in a rehearsal."""

from __future__ import annotations

import os

import duckdb

from include import catalog
from include.errors import UsageError
from include.features.build import prepare
from include.lake import delta
from include.rehearsal.scratch import home_of, scratch
from include.settings import Settings
from include.warehouse.stages import done_days
from include.window import parse_day
from include.workspace import open_workspace


def session(use_case: str, day: str) -> duckdb.DuckDBPyConnection:
    """Return a connection with `days`, `cutoffs`, the lake tables and the shared views.

    Args:
        use_case: one that was rehearsed with `./nightshift dev`.
        day: the data day, YYYY-MM-DD; the only row of `days`.

    Raises:
        UsageError: it was not rehearsed.
        ConfigurationError: a shared SQL file does not run; names file and line.
    """
    dataset, asked = catalog.use_case(use_case).dataset, parse_day(day)
    installed = Settings.from_env(os.environ)
    if not home_of(installed, use_case).exists():
        raise UsageError(f"there is no scratch home; run ./nightshift dev {use_case} --day {day}")
    duck = delta.connect()
    with open_workspace(scratch(installed, use_case)) as workspace:
        with workspace.warehouse.reading() as connection:
            landed = sorted(done_days(connection, "ingest", dataset.name))
        prepare(duck, workspace.lake, dataset, [asked], landed)
    return duck
