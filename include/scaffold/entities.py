"""What features may be kept of: the key of a table and columns whose values come again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from include.scaffold.profile import DAY, Column
from include.scaffold.wording import is_reserved

MOST_VIEWS = 3
FEW_VALUES = 5
"""A whole number with so few is a category, whatever it is called; 0 and 1 are a truth."""


def keys_of_views(
    rows: pd.DataFrame,
    columns: Sequence[Column],
    key: tuple[str, ...],
    days: pd.Series[Any] | None,
    wanted: tuple[tuple[str, ...], ...] | None,
) -> tuple[tuple[str, ...], ...]:
    """Return what features are kept of: the key if it comes again, and columns that do.

    What is `wanted` goes before all that, also if it is nothing.
    """
    if wanted is not None:
        return wanted
    suits = {
        column.name
        for column in columns
        if column.kind in ("string", "int64")
        and not column.personal
        and column.distinct > 1
        and not is_reserved(column.name)
    }
    if days is None:
        return (key,) if set(key) <= suits else ()
    found = []
    if set(key) <= suits and _recurs(rows, key, days):
        found.append(key)
    texts_first = sorted(columns, key=lambda it: it.kind != "string" and not it.is_identifier)
    for column in texts_first:
        alone = (column.name,)
        if alone in found or column.name not in suits:
            continue
        named = column.is_identifier or column.name in key or column.kind == "string"
        few = column.distinct <= FEW_VALUES and not column.flag and not found
        if (named or few) and _recurs(rows, alone, days):
            found.append(alone)
    return tuple(found[:MOST_VIEWS])


def _recurs(rows: pd.DataFrame, names: tuple[str, ...], days: pd.Series[Any]) -> bool:
    """Tell whether values are seen on at least two days, as most of them are."""
    seen = rows[list(names)].assign(**{DAY: days}).dropna().drop_duplicates()
    per_value = seen.groupby(list(names)).size()
    return len(per_value) > 1 and float(per_value.mean()) >= 2
