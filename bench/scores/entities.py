"""A night on which very many flights are planned, and its scores."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.scores import scoring, sites
from bench.scores.plan import BATCH, DECLARED, Sizes
from include.lake import delta
from include.window import Window

PLAN = "nyc_flights/schedule"

MANY = """
    SELECT
        * EXCLUDE (place, range) REPLACE (
            $night::DATE AS data_day,
            time_hour + to_days(($night::DATE - data_day)::INTEGER) AS time_hour,
            known_at + to_days(($night::DATE - data_day)::INTEGER) AS known_at,
            flight + 10000 * ((range * $days) + ($night::DATE - data_day)) AS flight
        )
    FROM plan, range($copies)
    WHERE range * $planned + place < $rows
"""
"""The plans of some days brought to one night, each day's under flight numbers of its own."""


def prepare(base: str, site: str, sizes: dict[str, Any], rows: int) -> None:
    """Make a home in which so many flights are planned for one night."""
    wanted = Sizes(**sizes)
    night, days = wanted.the_night, wanted.plan_days
    sites.copy(Path(base), Path(site))
    with sites.opened(Path(site)) as workspace, delta.connect() as duck:
        table = workspace.lake.read(PLAN, [night - timedelta(days=ago) for ago in range(days)])
        place = pa.array(range(len(table)), pa.int64())
        duck.register("plan", table.append_column("place", place))
        given = {"night": night, "days": days, "rows": rows, "planned": len(table)}
        many = duck.sql(MANY, params={**given, "copies": rows // len(table) + 1})
        workspace.lake.replace_days(PLAN, _as(table.schema, many.to_arrow_reader(BATCH)), [night])


def measure(
    base: str,
    site: str,
    sizes: dict[str, Any],
    batch_rows: int = BATCH,
    exact: int = DECLARED,
) -> dict[str, Any]:
    """Score the night, see `scoring.measure`."""
    night = Window.night(Sizes(**sizes).the_night)
    return scoring.measure(base, site, night, exact, batch_rows)


def _as(schema: pa.Schema, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Return the rows with the types that the lake's table has."""
    batches = (
        it for batch in reader for it in pa.Table.from_batches([batch]).cast(schema).to_batches()
    )
    return pa.RecordBatchReader.from_batches(schema, batches)
