"""What a use case's `baseline.sql` says: a prediction without a model, for a model to beat.

The SQL sees

- `days`: the data days asked for (`data_day`),
- `cutoffs`: data day → `cutoff`, from the declared look-back to the last day asked for,
- the dataset's lake tables by name, holding only those of these days that have landed,

and returns `data_day`, `target_date`, the entity keys and `baseline`. Like the SQL of features
it may read only rows whose `known_at` is at or before a day's cut-off; training proves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd
import pyarrow as pa

from include.declare import UseCase
from include.declare_personal import refuse
from include.errors import ConfigurationError, RowsLost
from include.features.build import CHUNK_DAYS
from include.features.landed import TARGET_DATE, lake_views, reading, run_sql
from include.features.sql_errors import require_columns
from include.lake import delta
from include.lake.schema import DATA_DAY
from include.whereabouts import shown
from include.window import Window
from include.workspace import Workspace

FILE = "baseline.sql"
BASELINE = "baseline"
"""The column of what it says."""


def add_baseline(workspace: Workspace, use_case: UseCase, frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows with what the declared baseline says of each; the frame itself without one.

    Args:
        workspace: whose lake is read, at its newest or as it is pinned.
        use_case: declares the baseline.
        frame: `data_day`, `target_date` and the entity keys.

    Returns:
        The same rows in the same order with `baseline` (float64), missing where it says nothing.

    Raises:
        ConfigurationError: `baseline.sql` is not there, does not run, lacks a column, says what
            is no number, or the rows have a column of the name already.
        RowsLost: it speaks of an entity twice.
    """
    if use_case.baseline is None:
        return frame
    if BASELINE in frame:
        raise ConfigurationError(
            f"{use_case.name}: a column of the entity frame or its features is called {BASELINE}, "
            f"as the column of {FILE} is; give it another name"
        )
    said = baseline_rows(workspace, use_case, sorted(set(frame[DATA_DAY])))
    ours, theirs = (_keys(use_case, it) for it in (frame, said))
    found = ours.merge(theirs.assign(**{BASELINE: said[BASELINE]}), "left", on=list(ours))
    return frame.assign(**{BASELINE: found[BASELINE].to_numpy()})


def baseline_rows(workspace: Workspace, use_case: UseCase, days: Sequence[date]) -> pd.DataFrame:
    """Return all that the declared baseline says on data days, ordered by day and key.

    The rows of a day do not depend on the days beside it. Raises what `add_baseline` raises.
    """
    chunks = [days[start : start + CHUNK_DAYS] for start in range(0, len(days), CHUNK_DAYS)]
    found = [_rows(workspace, use_case, chunk) for chunk in chunks]
    keys = _key_names(use_case)
    if not found:
        return pd.DataFrame(columns=[*keys, BASELINE]).astype({BASELINE: "float64"})
    rows = pd.concat(found, ignore_index=True)
    if twice := int(rows.duplicated(keys).sum()):
        raise RowsLost(
            f"{use_case.name}/{FILE} speaks of {twice} entities twice; group by {', '.join(keys)}"
        )
    return rows


def _rows(workspace: Workspace, use_case: UseCase, days: Sequence[date]) -> pd.DataFrame:
    """Return what the SQL gives for days, checked."""
    assert use_case.baseline is not None, "asked for by callers that know it is declared"
    back = timedelta(days=use_case.baseline.lookback_days - 1)
    with delta.connect() as duck:
        lake_views(workspace, use_case, duck, Window(min(days) - back, max(days)).days)
        duck.from_arrow(pa.table({DATA_DAY: pa.array(days, pa.date32())})).create("days")
        relation = run_sql(use_case, duck, FILE)
        _require_columns(use_case, relation.columns)
        keys = ", ".join(f'"{name}"' for name in _key_names(use_case))
        said = relation.project(f"{keys}, {BASELINE}::DOUBLE AS {BASELINE}").order(keys)
        with reading(use_case, duck, FILE):
            found: pd.DataFrame = said.to_df()
    for name in (DATA_DAY, TARGET_DATE):
        found[name] = pd.to_datetime(found[name]).dt.date
    return found


def _require_columns(use_case: UseCase, found: Sequence[str]) -> None:
    file, declaration = use_case.folder / FILE, use_case.folder / "declaration.py"
    needed = {DATA_DAY: "the data day", TARGET_DATE: "the day that is predicted"}
    needed |= {BASELINE: "what it says", **dict.fromkeys(use_case.key_names, "an entity key")}
    require_columns(file, found, needed, declaration, use_case.key_names[-1])
    refuse(shown(file), use_case.dataset.personal, {"its result": found})


def _key_names(use_case: UseCase) -> list[str]:
    return [DATA_DAY, TARGET_DATE, *use_case.key_names]


def _keys(use_case: UseCase, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the keys of rows with one type per meaning, wherever the rows are from."""
    keys: pd.DataFrame = frame[_key_names(use_case)].reset_index(drop=True)
    for name in (DATA_DAY, TARGET_DATE):
        keys[name] = pd.to_datetime(keys[name]).astype("datetime64[s]")
    for key in use_case.entity_keys:
        if key.type == "timestamp":
            keys[key.name] = pd.to_datetime(keys[key.name], utc=True).astype("datetime64[us, UTC]")
    return keys
