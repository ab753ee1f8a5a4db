"""The outcomes stage: what became of what was scored, once it can no longer change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from include import healing
from include.declare import UseCase
from include.features import truth
from include.features.landed import TARGET_DATE
from include.lake import fingerprint
from include.lake.schema import DATA_DAY
from include.warehouse.bulk import insert_rows
from include.warehouse.stages import Commit, StageResult, done_days, stage_run
from include.warehouse.use_cases import use_case_tables
from include.window import Window, describe_days
from include.workspace import Workspace

STAGE = "outcomes"


def write_outcomes(
    workspace: Workspace, use_case: UseCase, window: Window, heal_days: int = 0
) -> StageResult:
    """Write the outcomes of scored target dates that are mature and due.

    The days of this stage are target dates: those that the scores of `window` and of the days
    healed before it are about, and those that the window's own days make mature. A date is
    mature `label.mature_after` days after it, as of the newest landed day. It is due when it
    was never written, or when a day it is read from has landed again since: those from its
    plan to its maturity. Rows that stay the same keep their run.

    Raises:
        ConfigurationError: `labels.sql` or `entities.sql` does not run.
        RowsLost: an entity has two labels.
        UsageError: the window is not one of the dataset.
    """
    back = heal_days + use_case.label.mature_after + max(use_case.horizons)
    reached = healing.reach(use_case.dataset, window, back, workspace.now)
    with stage_run(workspace.warehouse, STAGE, use_case.name, window, workspace.context) as run:
        ready = _ready(workspace, use_case, reached)
        due = run.due(ready.inputs)
        found = truth.outcomes(workspace, use_case, due) if due else None
        run.begin(due)
        with run.commit() as commit:
            if found is not None:
                before = {day: state.output_hash for day, state in run.states.items()}
                _record(use_case, commit, found, {day: ready.inputs[day] for day in due}, before)
            if ready.missing:
                commit.note(
                    f"no outcome for {describe_days(ready.missing)}: the day has not landed, "
                    "and those after it have"
                )
        return run.result


@dataclass(frozen=True)
class _Ready:
    """Mature target dates that were scored.

    Attributes:
        inputs: date → fingerprint of what its outcomes are read from.
        missing: those whose own day has not landed.
    """

    inputs: Mapping[date, str]
    missing: Sequence[date]


def _ready(workspace: Workspace, use_case: UseCase, reached: Window) -> _Ready:
    with workspace.warehouse.reading() as connection:
        landed = done_days(connection, "ingest", use_case.dataset.name)
        scored = done_days(connection, "score", use_case.name, reached.days)
    after = timedelta(days=use_case.label.mature_after)
    horizons = [timedelta(days=horizon) for horizon in use_case.horizons]
    newest = max(landed, default=date.min)
    targets = sorted({day + horizon for day in scored for horizon in horizons})
    mature = [target for target in targets if target + after <= newest]
    constant = fingerprint.of_values(
        use_case.label.column,
        use_case.label.mature_after,
        use_case.key_names,
        *(
            (use_case.folder / file).read_text(encoding="utf-8")
            for file in ("entities.sql", "labels.sql")
        ),
    )

    def read(target: date) -> list[str | None]:
        span = Window(target - max(horizons), target + after)
        return [landed.get(day) for day in span]

    inputs = {
        target: fingerprint.of_values(constant, read(target))
        for target in mature
        if target in landed
    }
    return _Ready(inputs, [target for target in mature if target not in landed])


def _record(
    use_case: UseCase,
    commit: Commit,
    found: pa.Table,
    inputs: Mapping[date, str],
    before: Mapping[date, str | None],
) -> None:
    """Replace the dates whose outcomes differ from those before; say what is done."""
    table = use_case_tables(use_case).outcomes
    names = [DATA_DAY if name == TARGET_DATE else name for name in found.column_names]
    hashes = fingerprint.of_days(found.rename_columns(names), sorted(inputs))
    changed = [day for day in inputs if hashes[day] != before.get(day)]
    if changed:
        commit.connection.execute(
            sa.delete(table).where(table.c.target_date == sa.bindparam("gone_day")),
            [{"gone_day": day} for day in changed],
        )
        within = pc.is_in(found[TARGET_DATE], value_set=pa.array(changed, pa.date32()))
        rows = found.filter(within)
        run_ids = pa.array([commit.run_id] * rows.num_rows, pa.string())
        insert_rows(commit.connection, table, rows.append_column("run_id", run_ids))
    commit.count(rows_in=found.num_rows, rows_out=found.num_rows)
    for day, input_hash in inputs.items():
        commit.done(day, input_hash, hashes[day])
