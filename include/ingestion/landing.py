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
from include.ingestion import forgotten, quarantine
from include.ingestion.forgotten import Subjects
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
from include.lake.schema import DATA_DAY
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

    judged: dict[str, Judgement] = field(default_factory=dict)
    readings: dict[str, Reading] = field(default_factory=dict)
    discarded: dict[str, pa.Table] = field(default_factory=dict)
    stopped: dict[date, str] = field(default_factory=dict)
    held: list[dict[str, object]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)


@dataclass
class _Landing:
    """Writes into the lake what one run found good, and remembers what it said of the rest."""

    workspace: Workspace
    dataset: Dataset
    source: Source
    run_id: str
    subjects: Subjects
    landed: _Landed = field(default_factory=_Landed)

    def land_days(self, days: Sequence[date]) -> None:
        """Judge the event tables, then replace the days that are good in all of them."""
        judged = [(table, self._judge(table, days)) for table in event_tables(self.dataset)]
        good = [day for day in days if day not in self.landed.stopped]
        for table, judgement in judged:
            self._hold(table, judgement, good)
            if good:
                name, accepted = self._name(table), _of_days(judgement.accepted, good)
                version = self.workspace.lake.replace_days(name, accepted, good)
                self.landed.versions[name] = version

    def land_snapshot(self, table: Table, mark: str, day: date) -> None:
        """Judge and overwrite one snapshot table; one that stops keeps the one before."""
        judgement = self._judge(table, [day])
        if self.landed.readings[table.name].broken or judgement.stopped:
            return
        self._hold(table, judgement, [day])
        name, accepted = self._name(table), judgement.accepted.drop_columns([DATA_DAY])
        version = self.workspace.lake.overwrite(name, accepted, mark, self.run_id)
        self.landed.versions[name] = version

    def _judge(self, table: Table, days: Sequence[date]) -> Judgement:
        reading = read(self.dataset, self.source, table, days)
        fitting = [day for day in days if day not in reading.broken]
        kept, gone = forgotten.split(self.dataset, reading.rows, self.subjects)
        judgement = gates.judge(table, kept, fitting)
        rows = f"{len(reading.rows):,}"
        _log.info("%s: %s rows of %d day(s) read and checked", self._name(table), rows, len(days))
        self.landed.readings[table.name] = reading
        self.landed.judged[table.name] = judgement
        self.landed.discarded[table.name] = gone
        for day, why in (*reading.broken.items(), *judgement.stopped.items()):
            gates.add_reason(self.landed.stopped, day, f"{table.name}: {why}")
        return judgement

    def _hold(self, table: Table, judgement: Judgement, good: Sequence[date]) -> None:
        """Keep the held rows of days that land; a day that stops holds nothing."""
        found = quarantine.held_rows(
            self.dataset, table, judgement.held, judgement.held_by, self.run_id
        )
        self.landed.held += [row for row in found if row["data_day"] in set(good)]

    def _name(self, table: Table) -> str:
        return names.landed(self.dataset, table)


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
        with workspace.warehouse.reading() as connection:
            subjects = forgotten.read(connection, dataset)
        landing = _Landing(workspace, dataset, source, run.run_id, subjects)
        if due:
            landing.land_days(due)
        for table, mark in snapshots:
            landing.land_snapshot(table, mark, window.end)
        with run.commit() as commit:
            if due:
                _record(commit, dataset, landing.landed, due, offered.inputs)
            for day, why in offered.absent.items():
                if run.states.get(day) is None or run.states[day].state != "done":
                    commit.absent(day, why)
            if heal_days:
                _warn_of_gap(commit, dataset, run, reached)
        return run.result.or_raise()


def _due_snapshots(
    workspace: Workspace, dataset: Dataset, source: Source, day: date
) -> list[tuple[Table, str]]:
    """Return the snapshot tables to land, with the fingerprint of what is read.

    Due when the fingerprint has changed, or when the run that wrote the table died before it
    could commit what it found.
    """
    due = []
    for table in snapshot_tables(dataset):
        mark = fingerprint.of_values(
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


def _record(
    commit: Commit,
    dataset: Dataset,
    landed: _Landed,
    due: Sequence[date],
    inputs: dict[date, str],
) -> None:
    """Write everything the landing says into the one transaction that makes it true."""
    good = [day for day in due if day not in landed.stopped]
    for table_name, judgement in landed.judged.items():
        scope = {"dataset": dataset.name, "table_name": table_name}
        judged_days = {result.data_day for result in judgement.results}
        replace_days(
            commit.connection,
            tables.validation_results,
            DATA_DAY,
            judged_days,
            _result_rows(scope, judgement, commit.run_id),
            scope,
        )
        mine = [row for row in landed.held if row["table_name"] == table_name]
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
    """Reconcile the landed days of every table: rows in = accepted + held + discarded."""
    rows_in = accepted = held = discarded = 0
    for table in dataset.tables:
        if table.name in landed.judged:
            judgement = landed.judged[table.name]
            ins = len(_of_days(landed.readings[table.name].rows, good))
            outs = len(_of_days(judgement.accepted, good))
            holds = len(_of_days(judgement.held, good))
            gone = len(_of_days(landed.discarded[table.name], good))
            if ins != outs + holds + gone:
                raise RowsLost(
                    f"{dataset.name}.{table.name}: {ins} rows in, {outs} accepted, {holds} held "
                    f"and {gone} discarded; nothing has been marked as done"
                )
            rows_in, accepted, held = rows_in + ins, accepted + outs, held + holds
            discarded += gone
    if discarded:
        commit.note(f"{discarded} row(s) of forgotten subjects were discarded")
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
            "severity": result.severity,
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
        day: fingerprint.of_values({name: hashes[day] for name, hashes in contents.items()})
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
