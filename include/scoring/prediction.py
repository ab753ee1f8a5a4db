"""Everything due, streamed batch by batch through its models into places nobody reads yet.

Scores go to the warehouse's staging, what was scored to a spool for the lake, and figures of
each night to whoever judges them. Memory is bounded by the batch, whatever the window.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from include.declare import UseCase
from include.errors import RowsLost
from include.lake.schema import ARROW_TYPES
from include.scoring.assignment import Assignment
from include.scoring.batch import Batch, score_batch
from include.scoring.frame import as_recorded, due_batches
from include.scoring.sanity import Figures
from include.scoring.spool import Spool, spooled
from include.training import model
from include.warehouse.staging import Staging, staged
from include.warehouse.use_cases import use_case_tables
from include.workspace import Workspace

_log = logging.getLogger(__name__)


@dataclass
class Predicted:
    """What the models said of some days; not published.

    Attributes:
        staging: the scores, beside the published ones.
        spool: keys, features as the models saw them, predictions.
        figures: of each night's predictions.
        lake_versions: lake table → version that all features were read at.
        days: the data days, also those on which nothing was due.
        rows: data day → scores predicted.
    """

    staging: Staging
    spool: Spool
    figures: Figures
    lake_versions: Mapping[str, int]
    days: tuple[date, ...]
    rows: Counter[date] = field(default_factory=Counter)

    def add(self, batch: Batch) -> None:
        """Take a batch in."""
        self.staging.add(batch.rows)
        self.spool.add(batch.lake_rows)
        self.figures.add(batch)
        self.rows.update(batch.rows["data_day"])

    def count(self, days: Sequence[date]) -> int:
        """Return how many scores some days have."""
        return sum(self.rows[day] for day in days)


@contextmanager
def predicted(
    workspace: Workspace, use_case: UseCase, models: Assignment, days: Sequence[date], run_id: str
) -> Iterator[Predicted]:
    """Predict and explain what is due on `days`; what is not published by the end is gone.

    Raises:
        RowsLost: entities due and scores differ in number.
        DataError: a model's file is not the one that was registered, or a prediction is not a
            number.
    """
    recorded = as_recorded(workspace, use_case)
    with (
        staged(workspace.warehouse, use_case_tables(use_case), run_id) as staging,
        spooled(workspace.settings, run_id) as spool,
    ):
        # Days without an entity must be emptied in the lake, too.
        spool.add(_no_rows(use_case))
        found = Predicted(staging, spool, Figures(), recorded.lake.pinned or {}, tuple(days))
        due = 0
        for entry, mine in models.groups(days):
            serving = model.load(entry.artifact_uri, entry.sha256)
            for batch in due_batches(recorded, use_case, mine):
                due += len(batch)
                found.add(score_batch(use_case, entry, serving, batch))
                _log.info("%s: %d scores predicted", use_case.name, due)
        staging.finish()
        if not due == staging.rows == sum(found.rows.values()):
            raise RowsLost(f"{use_case.name}: {due} due, {staging.rows} scored")
        yield found


def _no_rows(use_case: UseCase) -> pa.Table:
    """Return no rows with the columns that all scored rows have."""
    day = pa.date32()
    keys = [(column.name, ARROW_TYPES[column.type]) for column in use_case.entity_keys]
    said = [("prediction", pa.float64()), ("model_version", pa.string())]
    return pa.schema([("data_day", day), ("target_date", day), *keys, *said]).empty_table()
