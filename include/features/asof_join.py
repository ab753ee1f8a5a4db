"""The point-in-time join: for each entity row, the newest feature row it may see.

Per feature view, the distinct (keys, time) pairs of the entity frame are matched by one ASOF
join, and the matches are joined back to every entity row. Times are compared as integer
microseconds, keys column by column. SQL here holds only names made up in this module (`k0`,
`f3`, …); declared column names come quoted from `asof_sources`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.features.asof_errors import EntityRowsLost, KeyTypeMismatch
from include.features.asof_plan import ViewPlan
from include.features.asof_tables import SourceTable, TimeRange, describe, quote, reading

NOTHING = '"NULL"'
"""DuckDB's type of a column that holds no value at all."""

KINDS = {
    "integer": "TINYINT SMALLINT INTEGER BIGINT HUGEINT "
    "UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT",
    "float": "FLOAT DOUBLE",
    "decimal": "DECIMAL",
    "text": "VARCHAR ENUM",
    "time": "TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS TIMESTAMPTZ_NS DATE",
}
NUMBERS = frozenset({"integer", "float", "decimal"})


Opener = Callable[[ViewPlan, str, TimeRange], SourceTable]
"""Registers a plan's source under a relation name, for a range of event timestamps."""


def join(
    con: duckdb.DuckDBPyConnection, entities: pa.Table, plans: Sequence[ViewPlan], opener: Opener
) -> pa.Table:
    """Return the feature columns of all plans, one row per entity row in the same order.

    `entities` holds `t` (int64 microseconds since 1970 UTC, null where a row has no time) and
    the key columns under their own names prefixed `key:`. Raises `EntityRowsLost` if the
    result is not exactly the entity rows, and what reading the sources raises.
    """
    span = pc.min_max(entities["t"]).as_py()
    seen = TimeRange(span["min"], span["max"])
    sources = [opener(plan, f"source{i}", plan.visible(seen)) for i, plan in enumerate(plans)]
    entity_keys = _load_entities(con, entities, plans, sources)
    for i, (plan, source) in enumerate(zip(plans, sources, strict=True)):
        with reading(plan.subject, source.location):
            _load_source(con, i, plan, source, plan.visible(seen))
            _resolve_ties(con, i, plan)
            _match(con, i, plan, entity_keys[i])
    with reading("the point-in-time join", "of all feature views asked for"):
        result = con.sql(_assemble(plans, entity_keys)).to_arrow_table()
    _assert_rows(result, entities.num_rows)
    names = [name for plan in plans for _, name in plan.features]
    return result.drop_columns(["row"]).rename_columns(names)


def _load_entities(
    con: duckdb.DuckDBPyConnection,
    entities: pa.Table,
    plans: Sequence[ViewPlan],
    sources: Sequence[SourceTable],
) -> list[list[str]]:
    """Create `entities` (row, t, and each key in each type that a source needs it in).

    Returns, per plan, the columns of `entities` that hold its keys.
    """
    row = pa.array(np.arange(entities.num_rows))
    con.register("entity_frame", entities.append_column("row", row))
    types = describe(con, "entity_frame")
    columns: dict[str, str] = {}
    per_plan = []
    for plan, source in zip(plans, sources, strict=True):
        expressions = [
            _entity_key(plan, source, key, column, types[f"key:{column}"])
            for key, column in plan.keys
        ]
        per_plan.append([columns.setdefault(sql, f"e{len(columns)}") for sql in expressions])
    selected = ["row", "t"] + [f"{sql} AS {name}" for sql, name in columns.items()]
    con.execute(f"CREATE TEMP TABLE entities AS SELECT {', '.join(selected)} FROM entity_frame")
    con.unregister("entity_frame")
    return per_plan


def _entity_key(
    plan: ViewPlan, source: SourceTable, key: str, column: str, entity_type: str
) -> str:
    """Return SQL of an entity key that can be compared with the source's key."""
    source_type = source.type_of(key, "join key")
    quoted = quote(f"key:{column}")
    if NOTHING in (entity_type, source_type):
        known = entity_type if source_type == NOTHING else source_type
        return f"CAST({quoted} AS {'INTEGER' if known == NOTHING else known})"
    entity_kind, source_kind = _kind(entity_type), _kind(source_type)
    if entity_kind == "float" and source_kind == "integer":
        # pandas turns integers beside a null into floats: 7.0 is the key 7, 7.5 is no key.
        whole = f"isfinite({quoted}) AND {quoted} = trunc({quoted})"
        return f"CASE WHEN {whole} THEN TRY_CAST({quoted} AS {source_type}) END"
    if entity_kind != source_kind and not {entity_kind, source_kind} <= NUMBERS:
        raise KeyTypeMismatch(
            f"{plan.subject}: join key {column!r} is {entity_type} in the entity frame, but "
            f"{source_type} in column {key!r} of the source {source.location}; "
            "give the entity frame the source's type"
        )
    return quoted


def _kind(duckdb_type: str) -> str:
    if duckdb_type.endswith("]"):
        return duckdb_type
    head = duckdb_type.partition("(")[0].partition(" ")[0]
    for kind, types in KINDS.items():
        if head in types.split():
            return kind
    return duckdb_type


def _load_source(
    con: duckdb.DuckDBPyConnection, i: int, plan: ViewPlan, source: SourceTable, bounds: TimeRange
) -> None:
    """Create `rows{i}` (k…, t, c, f…): the source's rows that some entity row could see."""
    keys = [source.value(key, "join key") for key, _ in plan.keys]
    selected = [f"{sql} AS k{n}" for n, sql in enumerate(keys)]
    selected.append(f"{source.instant(plan.timestamp, 'event timestamp')} AS t")
    if plan.created:
        selected.append(f"{source.value(plan.created, 'created timestamp')} AS c")
    selected += [
        f"{source.value(column, 'feature')} AS f{n}" for n, (column, _) in enumerate(plan.features)
    ]
    within = source.within(plan.timestamp, bounds) + [f"{sql} IS NOT NULL" for sql in keys]
    con.execute(
        f"CREATE TEMP TABLE rows{i} AS SELECT {', '.join(selected)} "
        f"FROM {source.relation} WHERE {' AND '.join(within)}"
    )


def _resolve_ties(con: duckdb.DuckDBPyConnection, i: int, plan: ViewPlan) -> None:
    """Keep one row of those that share keys and time in `rows{i}`.

    The newest created one wins, nulls last; then the greatest values in feature order, so that
    the choice depends on the rows alone and not on the order of files or threads.
    """
    same = [f"k{n}" for n in range(len(plan.keys))] + ["t"]
    grouped = ", ".join(same)
    con.execute(
        f"CREATE TEMP TABLE ties{i} AS "
        f"SELECT {grouped} FROM rows{i} GROUP BY {grouped} HAVING count(*) > 1"
    )
    found = con.execute(f"SELECT count(*) FROM ties{i}").fetchone()
    if found is not None and found[0]:
        ranks = ["c"] if plan.created else []
        ranks += [f"f{n}" for n in range(len(plan.features))]
        order = ", ".join(f"{column} DESC NULLS LAST" for column in ranks) or "t"
        con.execute(
            f"CREATE TEMP TABLE resolved{i} AS "
            f"SELECT * FROM rows{i} ANTI JOIN ties{i} USING ({grouped}) UNION ALL BY NAME "
            f"SELECT * FROM (SELECT * FROM rows{i} SEMI JOIN ties{i} USING ({grouped})) "
            f"QUALIFY row_number() OVER (PARTITION BY {grouped} ORDER BY {order}) = 1"
        )
        con.execute(f"DROP TABLE rows{i}; ALTER TABLE resolved{i} RENAME TO rows{i}")
    con.execute(f"DROP TABLE ties{i}")


def _match(
    con: duckdb.DuckDBPyConnection, i: int, plan: ViewPlan, entity_keys: Sequence[str]
) -> None:
    """Create `matched{i}` (k…, t, f…): per distinct entity key and time, what it sees."""
    distinct = [f"{name} AS k{n}" for n, name in enumerate(entity_keys)] + ["t"]
    present = [f"{name} IS NOT NULL" for name in [*entity_keys, "t"]]
    on = [f"e.k{n} = r.k{n}" for n in range(len(plan.keys))] + ["e.t >= r.t"]
    kept = [f"e.k{n}" for n in range(len(plan.keys))] + ["e.t"]
    kept += [f"r.f{n}" for n in range(len(plan.features))]
    valid = f"WHERE r.t >= e.t - {plan.ttl}" if plan.ttl is not None else ""
    con.execute(
        f"CREATE TEMP TABLE matched{i} AS SELECT {', '.join(kept)} FROM "
        f"(SELECT DISTINCT {', '.join(distinct)} FROM entities WHERE {' AND '.join(present)}) e "
        f"ASOF JOIN rows{i} r ON {' AND '.join(on)} {valid}"
    )
    con.execute(f"DROP TABLE rows{i}")


def _assemble(plans: Sequence[ViewPlan], entity_keys: Sequence[Sequence[str]]) -> str:
    """Return the query of all feature columns by entity row."""
    columns, joins = ["e.row"], ""
    for i, plan in enumerate(plans):
        columns += [f"m{i}.f{n} AS v{i}_{n}" for n in range(len(plan.features))]
        on = [f"e.{name} = m{i}.k{n}" for n, name in enumerate(entity_keys[i])] + [f"e.t = m{i}.t"]
        joins += f" LEFT JOIN matched{i} m{i} ON {' AND '.join(on)}"
    return f"SELECT {', '.join(columns)} FROM entities e{joins} ORDER BY e.row"


def _assert_rows(result: pa.Table, expected: int) -> None:
    """Raise `EntityRowsLost` unless the result is entity rows 0 … expected-1, each once."""
    if result.num_rows == expected and result["row"].equals(
        pa.chunked_array([pa.array(np.arange(expected))])
    ):
        return
    raise EntityRowsLost(
        f"the point-in-time join returned {result.num_rows} rows for {expected} entity rows, or "
        "the right number but not each entity row once; nothing was returned. "
        "This is a defect of the offline store: please report it with the feature views asked for"
    )
