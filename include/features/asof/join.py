"""The point-in-time join: for each entity row, the newest feature row it may see.

Per feature view, the distinct (keys, time) pairs of the entity frame are matched by one ASOF
join with the candidates of its source. The matches are then joined back to the entity rows, a
batch at a time. Times are compared as integer microseconds, keys column by column. SQL
here holds only names made up in this package (`k0`, `f3`, …); declared column names come
quoted from `tables`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import duckdb
import numpy as np
import pyarrow as pa

from include.features.asof import candidates
from include.features.asof.errors import EntityRowsLost
from include.features.asof.keys import entity_key
from include.features.asof.plan import ViewPlan
from include.features.asof.tables import SourceTable, TimeRange, describe, reading, to_utc

Opener = Callable[[ViewPlan, str, TimeRange], SourceTable]
"""Registers a plan's source under a relation name, for a range of event timestamps."""


def join(
    con: duckdb.DuckDBPyConnection,
    entities: str,
    plans: Sequence[ViewPlan],
    opener: Opener,
    batch_rows: int,
) -> Iterator[pa.Table]:
    """Give the feature columns of all plans, one row per entity row in the same order.

    `entities` names a relation of `row` (0, 1, …), `t` (microseconds since 1970 UTC, null where
    a row has no time) and the key columns under their own names prefixed `key:`. Tables come
    with `batch_rows` rows each; at least one comes, be it empty. Raises `EntityRowsLost` if a
    table is not exactly its entity rows, and what reading the sources raises.
    """
    spans = con.execute(f"SELECT count(*), min(t), max(t) FROM {entities}").fetchall()
    rows, first, last = spans[0]
    seen = TimeRange(first, last)
    sources = [opener(plan, f"source{i}", plan.visible(seen)) for i, plan in enumerate(plans)]
    with reading("the entity frame", "as given"):
        keys = _load_entities(con, entities, plans, sources)
    for i, (plan, source) in enumerate(zip(plans, sources, strict=True)):
        with reading(plan.subject, source.location):
            _match(con, i, plan, source, plan.visible(seen), keys[i])
    names = [name for plan in plans for _, name in plan.features]
    for start in range(0, max(rows, 1), batch_rows):
        stop = min(start + batch_rows, rows)
        with reading("the point-in-time join", "of all feature views asked for"):
            joined = con.sql(_assemble(con, plans, keys, start, stop)).to_arrow_table()
        _assert_rows(joined, start, stop)
        yield to_utc(joined.drop_columns(["row"]).rename_columns(names))


def _load_entities(
    con: duckdb.DuckDBPyConnection,
    entities: str,
    plans: Sequence[ViewPlan],
    sources: Sequence[SourceTable],
) -> list[list[str]]:
    """Create `entities` (row, t, and each key in each type that a source needs it in).

    Returns, per plan, the columns of `entities` that hold its keys.
    """
    types = describe(con, entities)
    columns: dict[str, str] = {}
    per_plan = []
    for plan, source in zip(plans, sources, strict=True):
        expressions = [
            entity_key(plan, source, key, column, types[f"key:{column}"])
            for key, column in plan.keys
        ]
        per_plan.append([columns.setdefault(sql, f"e{len(columns)}") for sql in expressions])
    selected = ["row", "t"] + [f"{sql} AS {name}" for sql, name in columns.items()]
    con.execute(f"CREATE TEMP TABLE entities AS SELECT {', '.join(selected)} FROM {entities}")
    return per_plan


def _match(
    con: duckdb.DuckDBPyConnection,
    i: int,
    plan: ViewPlan,
    source: SourceTable,
    bounds: TimeRange,
    entity_keys: Sequence[str],
) -> None:
    """Create `matched{i}` (k…, t, f…): per distinct entity key and time, what it sees."""
    keys = candidates.key_names(plan)
    distinct = [f"{name} AS {k}" for name, k in zip(entity_keys, keys, strict=True)] + ["t"]
    present = " AND ".join(f"{name} IS NOT NULL" for name in [*keys, "t"])
    on = " AND ".join([*(f"e.{k} = r.{k}" for k in keys), "e.t >= r.s"])
    kept = [f"e.{k}" for k in keys] + ["e.t"] + [f"r.f{n}" for n in range(len(plan.features))]
    valid = f"r.t >= e.t - {plan.ttl}" if plan.ttl is not None else "TRUE"
    target = f"CREATE TEMP TABLE matched{i} AS"
    for part in candidates.partitions(con, plan, source, bounds):
        candidates.load(con, plan, source, bounds, part)
        con.execute(
            f"{target} SELECT {', '.join(kept)} FROM (SELECT DISTINCT * FROM "
            f"(SELECT {', '.join(distinct)} FROM entities) WHERE {present} AND {part}) e "
            f"ASOF JOIN candidates r ON {on} WHERE {valid}"
        )
        target = f"INSERT INTO matched{i}"
    con.execute("DROP TABLE candidates")


def _assemble(
    con: duckdb.DuckDBPyConnection,
    plans: Sequence[ViewPlan],
    entity_keys: Sequence[Sequence[str]],
    start: int,
    stop: int,
) -> str:
    """Return the query of all feature columns for entity rows `start` up to `stop`."""
    rows = f"SELECT * FROM entities WHERE row >= {start} AND row < {stop}"
    # Entity rows mostly come in time order: few of the matches are those of these rows.
    first, last = con.execute(f"SELECT min(t), max(t) FROM ({rows})").fetchall()[0]
    inside = f"t BETWEEN {first} AND {last}" if first is not None else "FALSE"
    columns, joins = ["e.row"], ""
    for i, plan in enumerate(plans):
        columns += [f"m{i}.f{n} AS v{i}_{n}" for n in range(len(plan.features))]
        on = [f"e.{name} = m{i}.k{n}" for n, name in enumerate(entity_keys[i])] + [f"e.t = m{i}.t"]
        joins += f" LEFT JOIN (FROM matched{i} WHERE {inside}) m{i} ON {' AND '.join(on)}"
    return f"SELECT {', '.join(columns)} FROM ({rows}) e{joins} ORDER BY e.row"


def _assert_rows(found: pa.Table, start: int, stop: int) -> None:
    """Raise `EntityRowsLost` unless the table is entity rows `start` up to `stop`, each once."""
    asked = stop - start
    if found["row"].combine_chunks().equals(pa.array(np.arange(start, stop))):
        return
    raise EntityRowsLost(
        f"the point-in-time join returned {found.num_rows} rows for {asked} entity rows, or "
        "the right number but not each entity row once; they were not handed out. "
        "This is a defect of the offline store: please report it with the feature views asked for"
    )
