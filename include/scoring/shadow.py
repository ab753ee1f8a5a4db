"""The shadow stage: a challenger scores what the champion scored, and nobody is told.

Its predictions go to a table of their own, for whoever wants to see what it would have said.
The gate decides once their outcomes are mature. Scores, revisions and views of the champion are
not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pandas as pd
import pyarrow as pa

from include import healing
from include.declare import UseCase
from include.lake import fingerprint
from include.scoring.batch import predict
from include.scoring.frame import as_recorded, due_batches, inputs
from include.training import ledger, model
from include.training.ledger import Entry
from include.training.shadowing import STAGE
from include.warehouse import digests, frames
from include.warehouse.replace import replace_days
from include.warehouse.stages import Commit, StageResult, day_states, stage_run
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from include.workspace import Workspace

PREDICTED = ("prediction", "decision", "threshold")


def follow(
    workspace: Workspace, use_case: UseCase, window: Window, heal_days: int = 0
) -> StageResult | None:
    """Score with the version in shadow the days that the champion has scored.

    Only days after the as-of day of the version, in `window` or up to `heal_days` before it; a
    day again when the champion's inputs or the version changed. Days the champion has not
    scored, and days whose features are just being built again, are left for the next time.

    Returns:
        What was done; None, and no run of the stage, when nothing is in shadow.

    Raises:
        UsageError: the window is outside the dataset's history.
        RowsLost: the feature store returned other rows than were due; nothing was written.
        DataError: the version's file is not the one that was registered.
    """
    reached = healing.reach(use_case.dataset, window, heal_days, workspace.now)
    with workspace.warehouse.reading() as connection:
        entry = ledger.shadow(connection, use_case.name)
    if entry is None:
        return None
    with stage_run(workspace.warehouse, STAGE, use_case.name, window, workspace.context) as run:
        days = [day for day in reached if entry.as_of is not None and day > entry.as_of]
        hashes = _inputs(workspace, use_case, entry, days)
        due = run.due(hashes)
        if not due:
            return run.finish()
        recorded = as_recorded(workspace, use_case)
        rows = _predict(recorded, use_case, entry, due)
        run.begin(due)
        with run.commit() as commit:
            written = _replace(use_case, commit, entry, rows, due)
            commit.count(rows_in=len(rows), rows_out=len(rows))
            commit.versions(inputs=recorded.lake.pinned)
            commit.note(f"version {entry.model_version} scored in shadow")
            for day in due:
                commit.done(day, hashes[day], written[day])
        return run.result


def _inputs(
    workspace: Workspace, use_case: UseCase, entry: Entry, days: list[date]
) -> dict[date, str]:
    """Return day → fingerprint of the champion's inputs and the version, of days to follow."""
    ready = inputs(workspace, use_case, days)
    with workspace.warehouse.reading() as connection:
        scored = day_states(connection, "score", use_case.name, days)
    return {
        day: fingerprint.of_values(state.input_hash, entry.sha256)
        for day, state in scored.items()
        if state.state == "done" and day in ready.hashes
    }


def _predict(
    workspace: Workspace, use_case: UseCase, entry: Entry, days: Sequence[date]
) -> pa.Table:
    """Return the version's predictions of `days` as the shadow table wants them."""
    serving = model.load(entry.artifact_uri, entry.sha256)
    tables = use_case_tables(use_case)
    columns = [*tables.key, *PREDICTED]
    parts = [
        due[list(tables.key)].join(predict(use_case, serving, due))
        for due in due_batches(workspace, use_case, days)
    ]
    rows = pd.concat(parts) if parts else pd.DataFrame(columns=columns)
    return frames.canonical(tables.shadow, columns, rows)


def _replace(
    use_case: UseCase, commit: Commit, entry: Entry, rows: pa.Table, days: Sequence[date]
) -> dict[date, str]:
    """Make `rows` all that the version has said of `days`; returns day → their fingerprint."""
    tables = use_case_tables(use_case)
    mine = {"model_version": entry.model_version}
    stamp = {**mine, "scored_at": commit.at, "run_id": commit.run_id}
    records = [{**record, **stamp} for record in frames.records(rows)]
    replace_days(commit.connection, tables.shadow, "data_day", days, records, mine)
    return digests.day_hashes(rows, tables.key, PREDICTED, days)
