"""Who is measured on which case, and how often.

Standard library only: the process that starts the children imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bench.features import cases
from bench.features.cases import Case
from bench.machine import GB


@dataclass(frozen=True)
class Contender:
    """One way to retrieve the features.

    Attributes:
        name: key of the contender.
        title: what it is, for people.
        prepare: `package.module:function` that returns a `Retrieval`.
        options: its keyword arguments.
        repetitions: how often it is measured.
        needs: bytes of free memory without which it is not started.
        loses_rows: known not to return every entity row, so that this is told and no fault.
    """

    name: str
    title: str
    prepare: str
    options: Mapping[str, Any] = field(default_factory=dict)
    repetitions: int = 3
    needs: int = 0
    loses_rows: bool = False


NIGHTSHIFT = "bench.features.stores:nightshift"
STOCK = "bench.features.stores:stock"
SQL = "bench.features.rivals:sql"
MERGE_ASOF = "bench.features.rivals:merge_asof"

OURS = Contender("ours", "this store → DataFrame", NIGHTSHIFT)
OURS_ARROW = Contender("ours_arrow", "this store → arrow", NIGHTSHIFT, {"result": "arrow"})
OURS_STREAM = Contender("ours_stream", "this store → batches", NIGHTSHIFT, {"result": "batches"})
OURS_DELTA = Contender(
    "ours_delta", "this store, tables in Delta → DataFrame", NIGHTSHIFT, {"delta": True}
)
OURS_QUERY = Contender(
    "ours_query",
    "this store, entities by SQL → arrow",
    NIGHTSHIFT,
    {"entities": "sql", "result": "arrow"},
)
BY_HAND = Contender("sql", "SQL by hand → DataFrame", SQL)
BY_HAND_ARROW = Contender("sql_arrow", "SQL by hand → arrow", SQL, {"result": "arrow"})
BY_HAND_QUERY = Contender(
    "sql_query", "SQL by hand, entities by SQL → arrow", SQL, {"entities": "sql", "result": "arrow"}
)
PANDAS = Contender("merge_asof", "pandas merge_asof → DataFrame", MERGE_ASOF)
DUCKDB_STORE = Contender(
    "duckdb_store", "Feast's DuckDB store → DataFrame", STOCK, {"kind": "duckdb"}, needs=4 * GB
)
LONG_DUCKDB_STORE = replace(DUCKDB_STORE, repetitions=1, needs=14 * GB)
"""Over a TTL of weeks it takes up to a minute and 9 GB, so it runs once."""

LONGEST_DUCKDB_STORE = replace(LONG_DUCKDB_STORE, needs=18 * GB)

DASK_STORE = Contender(
    "dask_store",
    "Feast's Dask store → DataFrame",
    STOCK,
    {"kind": "dask"},
    repetitions=1,
    needs=4 * GB,
    loses_rows=True,
)

LIMIT = "1GB"
LIMITED = Contender(
    "ours_limited",
    f"this store, limit {LIMIT} → DataFrame",
    NIGHTSHIFT,
    {"memory_limit": LIMIT},
    repetitions=2,
)
LIMITED_STREAM = Contender(
    "ours_limited_stream",
    f"this store, limit {LIMIT} → batches",
    NIGHTSHIFT,
    {"memory_limit": LIMIT, "result": "batches"},
    repetitions=2,
)
LIMITED_QUERY_STREAM = Contender(
    "ours_limited_query_stream",
    f"this store, limit {LIMIT}, entities by SQL → batches",
    NIGHTSHIFT,
    {"memory_limit": LIMIT, "entities": "sql", "result": "batches"},
    repetitions=2,
)
LONG_BY_HAND = replace(BY_HAND, repetitions=2, needs=10 * GB)
LONG_PANDAS = replace(PANDAS, repetitions=2, needs=8 * GB)

PLAN: tuple[tuple[Case, tuple[Contender, ...]], ...] = (
    (
        cases.YEAR,
        (
            OURS,
            OURS_ARROW,
            OURS_STREAM,
            OURS_DELTA,
            OURS_QUERY,
            BY_HAND,
            BY_HAND_ARROW,
            BY_HAND_QUERY,
            PANDAS,
            DUCKDB_STORE,
        ),
    ),
    (cases.MONTH, (OURS, BY_HAND, PANDAS, LONG_DUCKDB_STORE)),
    (cases.TWO_MONTHS, (OURS, LONGEST_DUCKDB_STORE)),
    (cases.DEPARTURES, (OURS, BY_HAND, PANDAS, DUCKDB_STORE)),
    (cases.CORRECTED, (OURS, DUCKDB_STORE)),
    (cases.CORRECTED_MONTH, (OURS, LONG_DUCKDB_STORE)),
    (cases.SAMPLED, (OURS, DASK_STORE)),
    (
        cases.TEN_YEARS,
        (LIMITED, LIMITED_STREAM, LIMITED_QUERY_STREAM, LONG_BY_HAND, LONG_PANDAS),
    ),
)
"""Per case who is measured; every result is compared with the first one's."""
