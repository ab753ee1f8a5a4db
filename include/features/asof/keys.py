"""Join keys of the entity frame, brought to the type the source has them in.

Values are equal if they are the same key, never because they look alike: text is not a number,
and a number that the source's type cannot hold exactly is no key of the source.
"""

from __future__ import annotations

from include.features.asof.errors import KeyTypeMismatch
from include.features.asof.plan import ViewPlan
from include.features.asof.tables import SourceTable, quote

NOTHING = '"NULL"'
"""DuckDB's type of a column that holds no value at all."""

KINDS = {
    "number": "TINYINT SMALLINT INTEGER BIGINT HUGEINT "
    "UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT FLOAT DOUBLE DECIMAL",
    "text": "VARCHAR ENUM",
    "time": "TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS TIMESTAMPTZ_NS DATE",
}


def entity_key(plan: ViewPlan, source: SourceTable, key: str, column: str, entity_type: str) -> str:
    """Return SQL of the entity frame's key `column` in the type of the source's `key`.

    Raises `KeyTypeMismatch` where the two hold different kinds of values.
    """
    source_type = source.value_type(key, "join key")
    quoted = quote(f"key:{column}")
    if NOTHING in (entity_type, source_type):
        known = entity_type if source_type == NOTHING else source_type
        return f"CAST({quoted} AS {'INTEGER' if known == NOTHING else known})"
    if entity_type == source_type:
        return quoted
    if _kind(entity_type) != _kind(source_type):
        raise KeyTypeMismatch(
            f"{plan.subject}: join key {column!r} is {entity_type} in the entity frame, but "
            f"{source_type} in column {key!r} of the source {source.location}; "
            "give the entity frame the source's type"
        )
    # pandas turns integers beside a null into floats: 7.0 is the key 7, 7.5 is no key.
    cast = f"TRY_CAST({quoted} AS {source_type})"
    return f"CASE WHEN TRY_CAST({cast} AS {entity_type}) = {quoted} THEN {cast} END"


def _kind(duckdb_type: str) -> str:
    if duckdb_type.endswith("]"):
        return duckdb_type
    head = duckdb_type.partition("(")[0].partition(" ")[0]
    for kind, types in KINDS.items():
        if head in types.split():
            return kind
    return duckdb_type
