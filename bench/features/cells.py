"""The cells of a result: in one order and one type, so that any two can be compared exactly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.features.cases import COLUMNS, ROW


def in_order(result: pa.Table) -> pa.Table:
    """Return `row` and the feature columns as doubles, by row; NaN is null, as pandas has it.

    The counts among the features are far below 2^53, so a double holds them exactly.
    """
    columns = {ROW: result[ROW].cast(pa.int64())}
    for name in COLUMNS:
        values = pc.cast(result[name], pa.float64())
        columns[name] = pc.if_else(pc.is_nan(values), None, values)
    table = pa.table(columns)
    numbers = table[ROW].to_numpy()
    if bool((numbers[1:] > numbers[:-1]).all()):
        return table
    return table.sort_by(ROW)


def fingerprint(table: pa.Table) -> str:
    """Return a hash of all cells of a table from `in_order`."""
    digest = hashlib.sha256()
    for name in (ROW, *COLUMNS):
        digest.update(table[name].to_numpy().tobytes())
    return digest.hexdigest()[:16]


def write(table: pa.Table, file: Path) -> None:
    """Write a table from `in_order`."""
    pq.write_table(table, file, compression="none")


def compare(entities: str, folder: str, reference: str) -> dict[str, dict[str, int]]:
    """Compare all results written to a folder with one of them, cell by cell.

    Nulls equal nulls, everything else is compared exactly.

    Returns:
        Name of the result → `differing`: cells among the rows both have; `lost`: entity rows it
        lacks; `extra`: rows beyond one per entity row.
    """
    found = {}
    for file in sorted(Path(folder).glob("*.parquet")):
        files = {"asked": entities, "r": f"{folder}/{reference}.parquet", "o": str(file)}
        found[file.stem] = _difference(files)
    return found


def _difference(files: Mapping[str, str]) -> dict[str, int]:
    differs = " + ".join(f'(r."{name}" IS DISTINCT FROM o."{name}")::INT' for name in COLUMNS)
    queries = {
        "differing": f"SELECT coalesce(sum({differs}), 0) FROM r JOIN o USING ({ROW})",
        "lost": f"SELECT count(*) FROM asked ANTI JOIN o USING ({ROW})",
        "extra": f"SELECT count(*) - count(DISTINCT {ROW}) FROM o",
    }
    with duckdb.connect(":memory:") as con:
        for name, file in files.items():
            con.read_parquet(file).create_view(name)
        return {name: int(con.sql(query).fetchall()[0][0]) for name, query in queries.items()}
