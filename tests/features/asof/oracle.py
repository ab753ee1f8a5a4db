"""Brute force, obviously right and slow; and the rows that hypothesis tries it on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, Phase
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.features.asof.views import (
    at,
)

modest = examples(
    max_examples=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # an example costs 0.1 s: shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def newest_visible(
    entity_row: dict[str, Any],
    feature_rows: Iterable[dict[str, Any]],
    keys: Sequence[str],
    values: Sequence[str],
    ttl: timedelta | None,
    as_known: bool = False,
) -> dict[str, Any]:
    """Return the feature values an entity row may see, by looking at every feature row."""
    now = entity_row["event_timestamp"]
    visible = [
        row
        for row in feature_rows
        if now is not None
        and all(entity_row[key] is not None and row[key] == entity_row[key] for key in keys)
        and row["event_timestamp"] is not None
        and row["event_timestamp"] <= now
        and (ttl is None or row["event_timestamp"] >= now - ttl)
        and (not as_known or (row["created"] is not None and row["created"] <= now))
    ]

    def rank(row: dict[str, Any]) -> list[Any]:
        ranked = [row["event_timestamp"], row.get("created")] + [row[value] for value in values]
        return [(value is not None, value) for value in ranked]

    best = max(visible, key=rank, default=dict.fromkeys(values))
    return {value: best[value] for value in values}


codes = st.sampled_from(["1", "11", "", None])
hours = st.sampled_from([0, 1, 2**53, 2**53 + 1, None])
instants = st.integers(-3, 4).map(lambda n: None if n == 4 else at(n))
numbers = st.integers(-3, 4).map(lambda n: None if n == 4 else n)
route_rows = st.fixed_dictionaries(
    {
        "origin": codes,
        "dest": codes,
        "event_timestamp": instants,
        "created": instants,
        "x": numbers,
        "y": numbers,
    }
)
slot_rows = st.fixed_dictionaries({"hour": hours, "event_timestamp": instants, "x": numbers})
entity_rows = st.fixed_dictionaries(
    {"origin": codes, "dest": codes, "hour": hours, "event_timestamp": instants, "note": numbers}
)

ENTITY_TYPES = {
    "origin": "object",
    "dest": "object",
    "hour": "Int64",  # through a float column, 2**53 + 1 would not survive
    "event_timestamp": "datetime64[us, UTC]",
    "note": "Int64",
}


def entity_frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    columns = {
        name: pd.Series([row[name] for row in rows], dtype=kind)
        for name, kind in ENTITY_TYPES.items()
    }
    return pd.DataFrame(columns)


def prefixed(name: str, values: dict[str, Any]) -> dict[str, Any]:
    return {f"{name}__{column}": value for column, value in values.items()}


daily_rows = st.fixed_dictionaries(
    {
        "carrier": st.sampled_from(["AA", "A", "U A", None]),
        "event_timestamp": st.builds(
            lambda days, micros: at(micros) + timedelta(days=days),
            st.integers(-3, 3),
            st.integers(-1, 1),
        ),
        "rate": st.one_of(st.floats(allow_nan=False, width=32), st.none()),
    }
)
