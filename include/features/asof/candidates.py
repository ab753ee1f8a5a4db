"""The rows of one source that some entity row could see, one for each key and instant.

Tables made here have columns `k0`, `k1`, … (join keys), `t` (event timestamp), `s` (the instant
from which the row is visible), `c` (created timestamp, where declared) and `f0`, `f1`, …
(features). Instants are integer microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from include.features.asof.plan import ViewPlan
from include.features.asof.tables import SourceTable, TimeRange

PARTITION_CELLS = 24_000_000
"""Values that are matched at a time: more is split by a hash of the keys, so that the sort of
the ASOF join stays in memory. 8 bytes each, and the join holds its input about twice."""


def partitions(
    con: duckdb.DuckDBPyConnection, plan: ViewPlan, source: SourceTable, bounds: TimeRange
) -> list[str]:
    """Return SQL conditions on `k0`, `k1`, … that split keys into parts of bearable size."""
    if not plan.keys:
        return ["TRUE"]
    where = " AND ".join(source.within(plan.timestamp, bounds))
    found = con.execute(f"SELECT count(*) FROM {source.relation} WHERE {where}").fetchall()
    parts = 1 + found[0][0] * (len(plan.columns) + 2) // PARTITION_CELLS
    if parts == 1:
        return ["TRUE"]
    keys = ", ".join(key_names(plan))
    return [f"hash({keys}) % {parts} = {part}" for part in range(parts)]


def load(
    con: duckdb.DuckDBPyConnection,
    plan: ViewPlan,
    source: SourceTable,
    bounds: TimeRange,
    part: str,
) -> None:
    """Create `candidates` from the source's rows in `bounds` whose keys are in `part`."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE candidates AS {_select(plan, source, bounds, part)}")
    _resolve_ties(con, plan, source, bounds, part)
    if plan.as_known:
        _drop_superseded(con, plan)


def key_names(plan: ViewPlan) -> list[str]:
    """Return the names of the key columns."""
    return [f"k{n}" for n in range(len(plan.keys))]


def _select(
    plan: ViewPlan,
    source: SourceTable,
    bounds: TimeRange,
    part: str,
    extra: Sequence[str] = (),
) -> str:
    """Return the query of candidate rows; `extra` columns come as `x0`, `x1`, …."""
    names = key_names(plan)
    keys = [source.value(key, "join key") for key, _ in plan.keys]
    usable = [f"{name} IS NOT NULL" for name in names]
    t = source.instant(plan.timestamp, "event timestamp")
    columns = dict(zip(names, keys, strict=True)) | {"t": t, "s": t}
    if plan.created and plan.as_known:
        c = source.instant(plan.created, "created timestamp")
        usable.append("c IS NOT NULL")
        columns |= {"c": c, "s": f"greatest({t}, {c})"}
    elif plan.created:
        columns["c"] = source.value(plan.created, "created timestamp")
    for n, (column, _) in enumerate(plan.features):
        columns[f"f{n}"] = source.value(column, "feature")
    for n, column in enumerate(extra):
        columns[f"x{n}"] = source.value(column, "feature")
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    within = " AND ".join(source.within(plan.timestamp, bounds))
    rows = f"SELECT {selected} FROM {source.relation} WHERE {within}"
    return f"SELECT * FROM ({rows}) WHERE {' AND '.join([*usable, part])}"


def _resolve_ties(
    con: duckdb.DuckDBPyConnection,
    plan: ViewPlan,
    source: SourceTable,
    bounds: TimeRange,
    part: str,
) -> None:
    """Keep one of the candidates that become visible to the same key at the same instant.

    The one with the newest event wins, then the newest created, nulls last; then the one with
    the greatest values of the view's features: the choice depends on the rows alone, not on
    the features asked for nor on the order of files or threads.
    """
    same = ", ".join([*key_names(plan), "s"])
    con.execute(
        "CREATE OR REPLACE TEMP TABLE ties AS "
        f"SELECT {same} FROM candidates GROUP BY {same} HAVING count(*) > 1"
    )
    if not con.execute("SELECT 1 FROM ties LIMIT 1").fetchall():
        return
    ranked = [column for column in plan.view_features if source.has(column)]
    order = ["t", *(["c"] if plan.created else []), *(f"x{n}" for n in range(len(ranked)))]
    order = [f"{column} DESC NULLS LAST" for column in order]
    rows = _select(plan, source, bounds, part, ranked)
    tied = f"SELECT * FROM ({rows}) SEMI JOIN ties USING ({same})"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE candidates AS "
        f"SELECT * FROM candidates ANTI JOIN ties USING ({same}) UNION ALL BY NAME "
        f"SELECT * EXCLUDE ({', '.join(f'x{n}' for n in range(len(ranked)))}) FROM ({tied}) "
        f"QUALIFY row_number() OVER (PARTITION BY {same} ORDER BY {', '.join(order)}) = 1"
    )


def _drop_superseded(con: duckdb.DuckDBPyConnection, plan: ViewPlan) -> None:
    """Drop candidates that a newer event had overtaken when they became known."""
    keys = ", ".join(key_names(plan))
    window = f"{f'PARTITION BY {keys} ' if keys else ''}ORDER BY s"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE candidates AS SELECT * FROM candidates "
        f"QUALIFY t >= coalesce(max(t) OVER ({window} "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), t)"
    )
