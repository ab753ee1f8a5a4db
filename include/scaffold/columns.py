"""Makes a sample of rows as they were read: columns with types, and names that SQL takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa

from include.errors import UsageError
from include.lake.schema import DATA_DAY
from include.scaffold.inference import Kind, typed
from include.scaffold.profile import DAY, Sample
from include.scaffold.spelling import readable

_RESERVED = (DATA_DAY, "event_timestamp")
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def sample_of(
    parts: Sequence[pa.Table],
    options: Mapping[str, str],
    reach: tuple[date | None, date | None],
    is_csv: bool = False,
    renames: bool = True,
) -> Sample:
    """Return the rows of all parts with their types, without what a lake table cannot have.

    Args:
        parts: tables with the source's columns; `DAY` is the day of their path.
        options: how they were read.
        reach: first and last day of the source, if the paths tell.
        is_csv: whether all values are text, and marks of missing values are to be learnt.
        renames: whether columns can be given other names; if not, odd ones are left out.

    Raises `UsageError` if there are no rows.
    """
    rows = pa.concat_tables(parts, promote_options="permissive")
    if len(rows) == 0:
        raise UsageError("the source has columns and no rows; give one with some")
    names = _names([it for it in rows.column_names if it != DAY], renames)
    spare = [it for it in rows.column_names if it != DAY and it not in names]
    rows = rows.drop_columns(spare)
    rows = rows.rename_columns([names.get(it, it) for it in rows.column_names])
    rows, learnt = readable(rows, "delimiter" in options) if is_csv else (rows, {})
    frame, kinds = typed(rows, is_csv)
    lists = [it for it in rows.column_names if it not in kinds]
    own: dict[str, Kind] = {name: kind for name, kind in kinds.items() if name != DAY}
    return Sample(
        frame=frame,
        kinds=own,
        first_day=reach[0],
        last_day=reach[1],
        options={**learnt, **options},
        names={given: name for given, name in names.items() if given != name},
        skipped=(*spare, *lists),
    )


def _names(given: Sequence[str], renames: bool) -> dict[str, str]:
    """Return column of the source → its name in the lake; none for names that are ours."""
    found: dict[str, str] = {}
    for name in given:
        spelt = name
        if not _COLUMN.fullmatch(name):
            if not renames:
                continue
            spelt = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()
            spelt = spelt if _COLUMN.fullmatch(spelt) else f"column_{spelt or len(found) + 1}"
        taken = {*_RESERVED, *(it.lower() for it in found.values())}
        if not {name.lower(), spelt.lower()} & taken:
            found[name] = spelt
    return found
