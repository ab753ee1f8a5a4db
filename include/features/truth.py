"""What became of what was planned, read from the lake without the feature store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pyarrow as pa

from include.declare import UseCase
from include.errors import RowsLost
from include.features.landed import ENTITIES, LABELS, TARGET_DATE, lake_views, reading, run_sql
from include.lake import delta
from include.workspace import Workspace


def outcomes(workspace: Workspace, use_case: UseCase, targets: Sequence[date]) -> pa.Table:
    """Return what was planned for mature target dates, and what became of it.

    A label counts if it was known at the cut-off of the day on which it became mature, so that
    the answer is the same whenever it is asked for.

    Returns:
        `target_date`, the entity keys, `label` (float64, null where there is no truth) and
        `matured_at` (UTC), of every entity that was planned or has a label.

    Raises:
        RowsLost: an entity has two labels for one target date.
    """
    keys = [TARGET_DATE, *use_case.key_names]
    key, label = ", ".join(f'"{name}"' for name in keys), f'"{use_case.label.column}"'
    planned = {target - timedelta(days=it) for target in targets for it in use_case.horizons}
    with delta.connect() as plan, delta.connect() as duck:
        lake_views(workspace, use_case, plan, planned)
        entities = run_sql(use_case, plan, ENTITIES).project(key).distinct()
        with reading(use_case, plan, ENTITIES):
            duck.from_arrow(entities.to_arrow_table()).create("_planned")
        lake_views(workspace, use_case, duck, None)
        run_sql(use_case, duck, LABELS).create_view("_known")
        duck.from_arrow(_maturity(use_case, targets)).create("_mature")
        known = f"""
            SELECT {key}, {label} FROM _known JOIN _mature USING ({TARGET_DATE})
            WHERE known_at <= matured_at"""
        with reading(use_case, duck, LABELS):
            found = duck.sql(f"""
                SELECT {key}, {label}::DOUBLE AS label, matured_at
                FROM ({known}) FULL JOIN _planned USING ({key}) JOIN _mature USING ({TARGET_DATE})
            """).to_arrow_table()
    if twice := found.num_rows - found.group_by(keys).aggregate([]).num_rows:
        raise RowsLost(f"{use_case.name}/labels.sql gives {twice} entities a second label")
    return found


def _maturity(use_case: UseCase, targets: Sequence[date]) -> pa.Table:
    """Return target dates and the cut-offs at which their labels become mature."""
    after = timedelta(days=use_case.label.mature_after)
    cutoffs = [use_case.dataset.cutoff(target + after) for target in targets]
    columns = {
        TARGET_DATE: pa.array(targets, pa.date32()),
        "matured_at": pa.array(cutoffs, pa.timestamp("us", tz="UTC")),
    }
    return pa.table(columns)
