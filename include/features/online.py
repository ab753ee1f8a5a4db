"""The last task of a dataset's night: the newest features into the online store."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from datetime import date, timedelta

from include.declare import Dataset
from include.features import parity
from include.features.quick_feast import FeatureStore
from include.features.store import open_store
from include.lake import fingerprint, names
from include.warehouse.stages import StageResult, done_days, stage_run
from include.window import Window
from include.workspace import Workspace

STAGE = "online"


def materialise(workspace: Workspace, dataset: Dataset) -> StageResult:
    """Write the features of the newest day that is done into the online store.

    The online store keeps whatever is written last, with no guard against older values: only
    the newest day is ever written, one run at a time. A day is done once a sample of what the
    store serves equals the offline features.

    Raises:
        DaysStopped: values differ; names them. The next run writes and compares again.
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
            _write(store, dataset, day)
            rows = {
                view.name: workspace.lake.read(names.features(dataset, view), [day])
                for view in dataset.feature_views
            }
            found = parity.compare(store, dataset, day, rows)
            with run.commit() as commit:
                if found.differences:
                    commit.stopped(day, inputs[day], f"{found}; {_remedy(dataset)}")
                else:
                    written = sum(map(len, rows.values()))
                    commit.done(day, inputs[day], inputs[day])
                    commit.count(rows_in=written, rows_out=written)
                    commit.note(str(found))
            run.result.or_raise()
    return run.result


def _write(store: FeatureStore, dataset: Dataset, day: date) -> None:
    """Write the day's rows of every feature view."""
    cutoff = dataset.cutoff(day)
    with redirect_stdout(io.StringIO()):  # Feast prints its progress bars
        store.materialize(
            start_date=cutoff - timedelta(hours=1),
            end_date=cutoff,
            feature_views=[view.name for view in dataset.feature_views],
        )


def _remedy(dataset: Dataset) -> str:
    return (
        f"run ./nightshift materialise {dataset.name}, which writes the day again; if they differ "
        "again, somebody else writes the online store or the offline tables, or a type in "
        "feature_repo/ cannot hold the view's values"
    )
