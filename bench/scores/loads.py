"""Loads score rows into a new warehouse, as the project does and as others would.

The rows are in memory before: what is measured is the way from there to rows that readers see.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.csv
import sqlalchemy as sa

from bench.measuring import measured
from bench.scores import sites
from bench.scores.plan import BATCH, LARGE, NOW, USE_CASE, Sizes
from bench.stopwatch import stopwatch
from include.features.retrieval import add_features, entity_frame
from include.scoring.batch import score_batch
from include.training import model
from include.warehouse.engine import Warehouse
from include.warehouse.publish import ScoreChange
from include.warehouse.staging import Staging, staged
from include.warehouse.use_cases import use_case_tables

ROWS = "rows.arrow"
TABLES = use_case_tables(USE_CASE)
FURTHER = 100_000
"""Between the flight numbers of copies; real ones are smaller."""

CHANGED = 100
"""One row in so many is another one."""

PARTS = {"add": (Staging, "add"), "publish": (Staging, "publish")}


def write_rows(base: str, folder: str, sizes: dict[str, Any]) -> int:
    """Write the rows that are loaded: real scores of real flights, with other flight numbers.

    Returns how many there are.
    """
    wanted = Sizes(**sizes)
    last, count = wanted.load_days
    days = [date.fromisoformat(last) - timedelta(days=ago) for ago in reversed(range(count))]
    each = wanted.load // count
    parts = [_repeated(rows, each) for rows in _scored(Path(base), days)]
    table = pa.concat_tables(parts)
    with pa.OSFile(f"{folder}/{ROWS}", "wb") as file, pa.ipc.new_file(file, table.schema) as out:
        out.write_table(table)
    return int(table.num_rows)


def stage(base: str, site: str, sizes: dict[str, Any], dialect: str, before: str) -> dict[str, Any]:
    """Load all rows as the score stage does: staged, checked, published.

    Args:
        before: what the days hold: `nothing`, the `same` rows, or `other` ones among them.

    Returns:
        The fields of `Cost`; `rows`; the content hash as `fingerprint`; `parts` in seconds:
        adding batches, publishing them; `faults` in words.
    """
    batches = _batches(site)
    with sites.warehoused(Path(site), dialect) as workspace:
        warehouse = workspace.warehouse
        if before != "nothing":
            _publish(warehouse, batches if before == "same" else _others(batches), "before")
        with stopwatch(PARTS) as parts:
            change, cost = measured(lambda: _publish(warehouse, batches, "measured"))
        stored = _count(warehouse)
    rows = sum(map(len, batches))
    changed = {"nothing": rows, "same": 0, "other": sum(len(it[::CHANGED]) for it in batches)}
    faults = [] if stored == rows else [f"{stored:,} of {rows:,} rows are there"]
    if change.rows_changed != changed[before]:
        faults.append(f"{change.rows_changed:,} rows changed, not {changed[before]:,}")
    return {
        **asdict(cost),
        "rows": rows,
        "fingerprint": change.content_hash,
        "parts": parts,
        "faults": faults,
    }


def to_sql(base: str, site: str, sizes: dict[str, Any], dialect: str) -> dict[str, Any]:
    """Load the first rows with pandas into a table of the same shape."""
    batches = _stamped(_batches(site, Sizes(**sizes).slow))
    with sites.warehoused(Path(site), dialect) as workspace:
        warehouse = workspace.warehouse

        def load() -> None:
            with warehouse.engine.begin() as connection:
                for batch in batches:
                    batch.to_sql(TABLES.scores.name, connection, if_exists="append", index=False)

        _, cost = measured(load)
        return {**asdict(cost), **_loaded(warehouse, batches)}


def copy_csv(base: str, site: str, sizes: dict[str, Any]) -> dict[str, Any]:
    """Load all rows with `COPY`, batch by batch as CSV, into a table of the same shape."""
    batches = _stamped(_batches(site))
    with sites.warehoused(Path(site), "postgresql") as workspace:
        warehouse = workspace.warehouse
        at = warehouse.address

        def load() -> None:
            with psycopg.connect(host=at.host, user=at.user, dbname=at.database) as connection:
                for batch in batches:
                    _copy(connection, pa.Table.from_pandas(batch, preserve_index=False))

        _, cost = measured(load)
        return {**asdict(cost), **_loaded(warehouse, batches)}


def _publish(warehouse: Warehouse, batches: list[pd.DataFrame], run_id: str) -> ScoreChange:
    days = sorted({day for batch in batches for day in batch["data_day"].unique()})
    with staged(warehouse, TABLES, run_id) as staging:
        for batch in batches:
            staging.add(batch)
        with warehouse.transaction(staging.connection) as connection:
            return staging.publish(connection, days, run_id, NOW)


def _copy(connection: psycopg.Connection[Any], rows: pa.Table) -> None:
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(rows, buffer, pyarrow.csv.WriteOptions(include_header=False))
    names = ", ".join(f'"{name}"' for name in rows.column_names)
    statement = f"COPY {TABLES.scores.name} ({names}) FROM STDIN (FORMAT csv)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.write(buffer.getbuffer())


def _scored(base: Path, days: list[date]) -> Iterator[pd.DataFrame]:
    """Yield the scores of each day as the large model gives them, all reasons approximate."""
    use_case = replace(USE_CASE, scoring=replace(USE_CASE.scoring, exact_reasons=0))
    entry = sites.entry(base, LARGE)
    serving = model.load(entry.artifact_uri, entry.sha256)
    with sites.opened(base) as workspace:
        for day in days:
            due = add_features(workspace, use_case, entity_frame(workspace, use_case, [day]))
            yield score_batch(use_case, entry, serving, due).rows[[*TABLES.key, *TABLES.content]]


def _repeated(rows: pd.DataFrame, count: int) -> pa.Table:
    """Return the rows so often that there are `count`, in the order of their keys."""
    places = np.arange(count)
    many = rows.iloc[places % len(rows)]
    many = many.assign(flight=many["flight"] + FURTHER * (places // len(rows)))
    return pa.Table.from_pandas(many.sort_values(list(TABLES.key)), preserve_index=False)


def _batches(site: str, most: int | None = None) -> list[pd.DataFrame]:
    """Return the rows beside the site; texts are objects of their own, as fresh scores' are."""
    with pa.memory_map(str(Path(site).parent / ROWS)) as file:
        table = pa.ipc.open_file(file).read_all().slice(0, most)
        return [
            table.slice(start, BATCH).to_pandas(deduplicate_objects=False)
            for start in range(0, table.num_rows, BATCH)
        ]


def _others(batches: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Return the rows, every hundredth with another prediction."""
    return [
        batch.assign(prediction=batch["prediction"] * np.where(batch.index % CHANGED, 1, 0.5))
        for batch in batches
    ]


def _stamped(batches: list[pd.DataFrame]) -> list[pd.DataFrame]:
    return [batch.assign(scored_at=NOW, valid_from=NOW, run_id="run") for batch in batches]


def _loaded(warehouse: Warehouse, batches: list[pd.DataFrame]) -> dict[str, Any]:
    stored, rows = _count(warehouse), sum(map(len, batches))
    faults = [] if stored == rows else [f"{stored:,} of {rows:,} rows are there"]
    return {"rows": rows, "fingerprint": f"{stored} rows", "faults": faults}


def _count(warehouse: Warehouse) -> int:
    with warehouse.reading() as connection:
        found = connection.scalar(sa.select(sa.func.count()).select_from(TABLES.scores))
    return int(found or 0)
