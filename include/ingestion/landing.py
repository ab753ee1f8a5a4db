"""The first stage of the night: land days of a dataset into checked lake tables."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from include import catalog, healing
from include.declare import Dataset, Table
from include.errors import RowsLost
from include.ingestion import quarantine
from include.ingestion.reading import (
    Reading,
    declaration_hash,
    event_tables,
    offer,
    read,
    snapshot_tables,
)
from include.ingestion.source import Source
from include.lake import fingerprint, names
from include.lake.schema import DATA_DAY, arrow_schema, conform
from include.validation import gates
from include.validation.gates import Judgement
from include.warehouse import tables
from include.warehouse.replace import replace_days
from include.warehouse.stages import Commit, StageResult, StageRun, stage_run
from include.window import Window
from include.workspace import Workspace

STAGE = "ingest"

_log = logging.getLogger(__name__)


@dataclass
class _Landed:
    """What one run brought in, before it is committed."""

    judged: dict[str, Judgement]
    readings: dict[str, Reading]
    stopped: dict[date, str]
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def rows_in(self) -> int:
        return sum(len(reading.rows) for reading in self.readings.values())


def ingest(
    workspace: Workspace, dataset: Dataset, window: Window, heal_days: int = 0
) -> StageResult:
    """Land the days of `window` that are due, and due days up to `heal_days` before it.

    A day is due when it was never done, or when its source fingerprint or the declaration of
    its tables has changed. Good days land beside days that stop.

    Raises:
        UsageError: the window reaches into the future or before the first day.
        SourceNotReady: a day asked for may still come.
        SourceUnreachable: the source does not answer; worth retrying.
        DaysStopped: days asked for stopped or are absent; the others have landed.
    """
    source: Source = catalog.load_source(dataset)
    now = workspace.now
    reached = healing.reach(dataset, window, heal_days, now)
    with stage_run(workspace.warehouse, STAGE, dataset.name, window, workspace.context) as run:
        offered = offer(dataset, source, reached, window, now)
        due = run.due(offered.inputs)
        snapshots: list[tuple[Table, str]] = []
        if window.end in offered.inputs:
            snapshots = _due_snapshots(workspace, dataset, source, window.end)
        if snapshots and not due:
            due = [window.end]
        run.begin(due)
        landed = _land(workspace, dataset, source, due)
        held = _held(dataset, landed, run.run_id)
        for table, mark in snapshots:
            held += _land_snapshot(workspace, dataset, source, table, mark, window.end, landed, run)
        with run.commit() as commit:
            _record(commit, dataset, landed, held, due, offered.inputs, run.run_id)
            for day, why in offered.absent.items():
                if run.states.get(day) is None or run.states[day].state != "done":
                    commit.absent(day, why)
            if heal_days:
                _warn_of_gap(commit, dataset, run, reached)
        return run.result.or_raise()


def _land(workspace: Workspace, dataset: Dataset, source: Source, days: Sequence[date]) -> _Landed:
    """Read and judge the event tables, then replace the days that are good in all of them."""
    landed = _Landed({}, {}, {})
    if not days:
        return landed
    for table in event_tables(dataset):
        reading = read(dataset, source, table, days)
        fitting = [day for day in days if day not in reading.broken]
        judgement = gates.judge(table, reading.rows, fitting)
        _log.info(
            "%s.%s: %s rows of %d day(s) read and checked",
            dataset.name,
            table.name,
            f"{len(reading.rows):,}",
            len(days),
        )
        landed.readings[table.name], landed.judged[table.name] = reading, judgement
        for day, why in (*reading.broken.items(), *judgement.stopped.items()):
            text = f"{table.name}: {why}"
            landed.stopped[day] = (
                f"{landed.stopped[day]}; {text}" if day in landed.stopped else text
            )
    good = [day for day in days if day not in landed.stopped]
    if good:
        for table in event_tables(dataset):
            name = names.landed(dataset, table)
            accepted = _of_days(landed.judged[table.name].accepted, good)
            landed.versions[name] = workspace.lake.replace_days(name, accepted, good)
    return landed


def _due_snapshots(
    workspace: Workspace, dataset: Dataset, source: Source, day: date
) -> list[tuple[Table, str]]:
    """Return the snapshot tables to land, with the fingerprint of what is read.

    Due when the fingerprint has changed, or when the run that wrote the table died before it
    could commit what it found.
    """
    due = []
    for table in snapshot_tables(dataset):
        mark = fingerprint.of_inputs(
            {"source": source.fingerprint(table, day), "declared": declaration_hash(table)}
        )
        written = workspace.lake.written(names.landed(dataset, table))
        if (
            written is None
            or written.fingerprint != mark
            or not _committed(workspace, written.run_id)
        ):
            due.append((table, mark))
    return due


def _committed(workspace: Workspace, run_id: str) -> bool:
    """Tell whether a landing ended with its results in the warehouse."""
    runs = tables.stage_runs.c
    query = sa.select(runs.status).where(runs.run_id == run_id)
    with workspace.warehouse.reading() as connection:
        return connection.execute(query).scalar_one_or_none() in ("done", "stopped")


def _land_snapshot(
    workspace: Workspace,
    dataset: Dataset,
    source: Source,
    table: Table,
    mark: str,
    day: date,
    landed: _Landed,
    run: StageRun,
) -> list[dict[str, object]]:
    """Judge and overwrite one snapshot table; a snapshot that stops keeps the one before."""
    name = names.landed(dataset, table)
    rows, added = conform(source.read(table, [day]), arrow_schema(table), name)
    stamped = rows.append_column(DATA_DAY, pa.array([day] * len(rows), pa.date32()))
    judgement = gates.judge(table, stamped, [day])
    landed.judged[table.name] = judgement
    landed.readings[table.name] = Reading(stamped, {}, added)
    if judgement.stopped:
        landed.stopped[day] = f"{table.name}: {judgement.stopped[day]}"
        return []
    accepted = judgement.accepted.drop_columns([DATA_DAY])
    landed.versions[name] = workspace.lake.overwrite(name, accepted, mark, run.run_id)
    return list(quarantine.held_rows(dataset, table, judgement.held, judgement.held_by, run.run_id))


def _held(dataset: Dataset, landed: _Landed, run_id: str) -> list[dict[str, object]]:
    """Return the quarantine rows of the days that land; stopped days hold nothing."""
    rows: list[dict[str, object]] = []
    for table in event_tables(dataset):
        judgement = landed.judged.get(table.name)
        if judgement is not None:
            found = quarantine.held_rows(dataset, table, judgement.held, judgement.held_by, run_id)
            rows += [row for row in found if row["data_day"] not in landed.stopped]
    return rows


def _record(
    commit: Commit,
    dataset: Dataset,
    landed: _Landed,
    held: list[dict[str, object]],
    due: Sequence[date],
    inputs: dict[date, str],
    run_id: str,
) -> None:
    """Write everything the landing says into the one transaction that makes it true."""
    if not due:
        return
    good = [day for day in due if day not in landed.stopped]
    for table_name, judgement in landed.judged.items():
        scope = {"dataset": dataset.name, "table_name": table_name}
        judged_days = {result.data_day for result in judgement.results}
        replace_days(
            commit.connection,
            tables.validation_results,
            DATA_DAY,
            judged_days,
            _result_rows(scope, judgement, run_id),
            scope,
        )
        mine = [row for row in held if row["table_name"] == table_name]
        replace_days(commit.connection, tables.quarantine, DATA_DAY, judged_days, mine, scope)
    _count(commit, dataset, landed, good)
    commit.versions(inputs={}, outputs=landed.versions)
    for reading_name, reading in landed.readings.items():
        if reading.added:
            commit.note(f"{reading_name}: columns not declared are ignored: {reading.added}")
    outputs = _output_hashes(dataset, landed, good)
    for day in due:
        if day in landed.stopped:
            commit.stopped(day, inputs[day], landed.stopped[day])
        else:
            commit.done(day, inputs[day], outputs[day])


def _count(commit: Commit, dataset: Dataset, landed: _Landed, good: Sequence[date]) -> None:
    """Reconcile the landed days of every table: rows in = accepted + held."""
    rows_in = accepted = held = 0
    for table in dataset.tables:
        if table.name in landed.judged:
            judgement = landed.judged[table.name]
            ins = len(_of_days(landed.readings[table.name].rows, good))
            outs = len(_of_days(judgement.accepted, good))
            holds = len(_of_days(judgement.held, good))
            if ins != outs + holds:
                raise RowsLost(
                    f"{dataset.name}.{table.name}: {ins} rows in, {outs} accepted and "
                    f"{holds} held; nothing has been marked as done"
                )
            rows_in, accepted, held = rows_in + ins, accepted + outs, held + holds
    commit.count(rows_in=rows_in, rows_out=accepted, rows_held=held)


def _result_rows(
    scope: dict[str, str], judgement: Judgement, run_id: str
) -> list[dict[str, object]]:
    return [
        {
            **scope,
            "data_day": result.data_day,
            "rule": result.rule.name,
            "column_name": ", ".join(result.rule.columns) or None,
            "severity": gates.severity(result.rule),
            "on_failure": result.rule.on_failure,
            "success": result.success,
            "evaluated": result.evaluated,
            "unexpected": result.unexpected,
            "run_id": run_id,
        }
        for result in judgement.results
    ]


def _output_hashes(dataset: Dataset, landed: _Landed, good: Sequence[date]) -> dict[date, str]:
    contents = {
        table.name: fingerprint.of_days(_of_days(landed.judged[table.name].accepted, good), good)
        for table in event_tables(dataset)
    }
    return {
        day: fingerprint.of_inputs({name: hashes[day] for name, hashes in contents.items()})
        for day in good
    }


def _warn_of_gap(commit: Commit, dataset: Dataset, run: StageRun, reached: Window) -> None:
    done = [day for day, state in run.states.items() if state.state == "done"]
    note = healing.gap_note(dataset, done, reached, f"{dataset.name}_backfill")
    if note is not None:
        commit.note(note)


def _of_days(rows: pa.Table, days: Sequence[date]) -> pa.Table:
    if not len(rows):
        return rows
    return rows.filter(pc.is_in(rows.column(DATA_DAY), pa.array(list(days), pa.date32())))
