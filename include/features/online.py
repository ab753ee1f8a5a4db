"""The last task of a dataset's night: the newest features into the online store."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from datetime import date, timedelta

from include.declare import Dataset
from include.features.store import open_store
from include.lake import fingerprint, names
from include.warehouse.stages import StageResult, done_days, stage_run
from include.window import Window
from include.workspace import Workspace

STAGE = "online"


def materialise(workspace: Workspace, dataset: Dataset) -> StageResult:
    """Write the features of the newest day that is done into the online store.

    The online store keeps whatever is written last, with no guard against older values: only
    the newest day is ever written, one run at a time.
    """
    with workspace.warehouse.reading() as connection:
        built = done_days(connection, "features", dataset.name)
    newest = max(built, default=dataset.first_day)
    window = Window.night(newest)
    with stage_run(workspace.warehouse, STAGE, dataset.name, window, workspace.context) as run:
        inputs = {newest: fingerprint.of_values(built[newest])} if built else {}
        for day in run.due(inputs):
            run.begin([day])
            store = open_store(workspace.settings)
            cutoff = dataset.cutoff(day)
            with redirect_stdout(io.StringIO()):  # Feast prints its progress bars
                store.materialize(
                    start_date=cutoff - timedelta(hours=1),
                    end_date=cutoff,
                    feature_views=[view.name for view in dataset.feature_views],
                )
            rows = _feature_rows(workspace, dataset, day)
            with run.commit() as commit:
                commit.done(day, inputs[day], inputs[day])
                commit.count(rows_in=rows, rows_out=rows)
    return run.result


def _feature_rows(workspace: Workspace, dataset: Dataset, day: date) -> int:
    tables = (names.features(dataset, view) for view in dataset.feature_views)
    return sum(len(workspace.lake.read(table, [day])) for table in tables)
