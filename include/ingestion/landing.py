"""The first stage of the night: land days of a dataset into checked lake tables."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa

from include import healing
from include.declare import Dataset, Table
from include.errors import DayAbsent, RowsLost
from include.ingestion import decisions, forgotten
from include.ingestion.decisions import InForce
from include.ingestion.examination import Examined, count, examine
from include.ingestion.forgotten import Subjects
from include.ingestion.reading import (
    declaration_hash,
    event_tables,
    not_ready,
    offer,
    snapshot_tables,
)
from include.ingestion.source import Source
from include.ingestion.versions import open_source
from include.lake import fingerprint, names
from include.lake.schema import DATA_DAY, arrow_schema, of_days
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

    examined: dict[str, Examined] = field(default_factory=dict)
    stopped: dict[date, str] = field(default_factory=dict)
    waivable: set[date] = field(default_factory=set)
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
    decided: InForce
    landed: _Landed = field(default_factory=_Landed)

    def land_days(self, days: Sequence[date]) -> None:
        """Judge the event tables, then replace the days that are good in all of them."""
        judged = [(table, self._examine(table, days)) for table in event_tables(self.dataset)]
        good = [day for day in days if day not in self.landed.stopped]
        for table, examined in judged:
            self._hold(examined, good)
            if good:
                name, accepted = self._name(table), of_days(examined.judgement.accepted, good)
                version = self.workspace.lake.replace_days(name, accepted, good, widen=True)
                self.landed.versions[name] = version

    def land_snapshot(self, table: Table, mark: str, day: date) -> None:
        """Judge and overwrite one snapshot table; one that stops keeps the one before."""
        examined = self._examine(table, [day])
        if examined.reading.broken or examined.judgement.stopped:
            return
        self._hold(examined, [day])
        name, accepted = self._name(table), examined.judgement.accepted.drop_columns([DATA_DAY])
        version = self.workspace.lake.overwrite(name, accepted, mark, self.run_id)
        self.landed.versions[name] = version

    def _examine(self, table: Table, days: Sequence[date]) -> Examined:
        examined = examine(self.dataset, self.source, table, days, self.decided, self.subjects)
        rows = f"{len(examined.reading.rows):,}"
        _log.info("%s: %s rows of %d day(s) read and checked", self._name(table), rows, len(days))
        self.landed.examined[table.name] = examined
        stopped = examined.judgement.stopped
        self.landed.waivable.update(stopped)
        for day, why in (*examined.reading.broken.items(), *stopped.items()):
            gates.add_reason(self.landed.stopped, day, f"{table.name}: {why}")
        return examined

    def _hold(self, examined: Examined, good: Sequence[date]) -> None:
        """Keep the held rows of days that land; a day that stops holds nothing."""
        found = examined.quarantined(self.dataset, self.run_id)
        self.landed.held += [row for row in found if row["data_day"] in set(good)]

    def _name(self, table: Table) -> str:
        return names.landed(self.dataset, table)


def ingest(
    workspace: Workspace, dataset: Dataset, window: Window, heal_days: int = 0
) -> StageResult:
    """Land the days of `window` that are due, and due days up to `heal_days` before it.

    A day is due when it was never done, or when its source fingerprint, the declaration of its
    tables or what people decided about its rows has changed. Good days land beside days that
    stop.

    Raises:
        UsageError: the window reaches into the future or before the first day.
        SourceNotReady: a day asked for may still come.
        SourceUnreachable: the source does not answer; worth retrying.
        SchemaBreak: a column is declared with another type than its lake table has; nothing lands.
        DaysStopped: days asked for stopped or are absent; the others have landed.
    """
    source = open_source(workspace, dataset)
    now = workspace.now
    reached = healing.reach(dataset, window, heal_days, now)
    with stage_run(workspace.warehouse, STAGE, dataset.name, window, workspace.context) as run:
        with workspace.warehouse.reading() as connection:
            subjects = forgotten.read(connection, dataset)
            decided = decisions.read(connection, dataset, reached)
        offered = offer(dataset, source, reached, window, now, decided)
        due = run.due(offered.inputs)
        snapshots: list[tuple[Table, str]] = []
        missing: list[str] = []
        if window.end in offered.inputs:
            snapshots, missing = _due_snapshots(workspace, dataset, source, window.end, decided)
        if snapshots and window.end not in due:
            due = sorted([*due, window.end])
        if due:
            _require_types(workspace, dataset)
        run.begin(due)
        landing = _Landing(workspace, dataset, source, run.run_id, subjects, decided)
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
            for note in missing:
                commit.note(note)
            if heal_days:
                _warn_of_gap(commit, dataset, run, reached)
        return run.result.or_raise()


def _require_types(workspace: Workspace, dataset: Dataset) -> None:
    for table in event_tables(dataset):
        workspace.lake.require_types(names.landed(dataset, table), arrow_schema(table))


def _due_snapshots(
    workspace: Workspace, dataset: Dataset, source: Source, day: date, decided: InForce
) -> tuple[list[tuple[Table, str]], list[str]]:
    """Return the snapshot tables to land, with the fingerprint of what is read and decided.

    Due when the fingerprint has changed, or when the run that wrote the table died before it
    could commit what it found. One that the source does not have in time stays as it was, which
    the notes returned say.

    Raises:
        SourceNotReady: a snapshot may still come.
        DayAbsent: it did not come, and there is none from before.
    """
    due, notes = [], []
    for table in snapshot_tables(dataset):
        written = workspace.lake.written(names.landed(dataset, table))
        try:
            read = {"source": source.fingerprint(table, day), "declared": declaration_hash(table)}
        except DayAbsent as absent:
            if workspace.now < dataset.gives_up_at(day):
                raise not_ready(dataset, day, workspace.now, absent) from absent
            if written is None:
                raise
            notes.append(f"{table.name} stays as it was: {absent}")
            continue
        mark = fingerprint.of_values(read | decided.inputs([table], day))
        if (
            written is None
            or written.fingerprint != mark
            or not _committed(workspace, written.run_id)
        ):
            due.append((table, mark))
    return due, notes


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
    for table_name, examined in landed.examined.items():
        judgement = examined.judgement
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
        if examined.table.kind == "snapshot":
            has_landed = names.landed(dataset, examined.table) in landed.versions
            judged_days = _all_days(commit.connection, judged_days, scope) if has_landed else set()
        replace_days(commit.connection, tables.quarantine, DATA_DAY, judged_days, mine, scope)
    _count(commit, dataset, landed, good)
    commit.versions(inputs={}, outputs=landed.versions)
    for name, examined in landed.examined.items():
        if added := examined.reading.added:
            commit.note(f"{name}: columns not declared are ignored: {added}")
    outputs = _output_hashes(dataset, landed, good)
    for day in due:
        if day in landed.stopped:
            hint = f"; {_how_to_waive(dataset, day)}" if day in landed.waivable else ""
            commit.stopped(day, inputs[day], landed.stopped[day] + hint)
        else:
            commit.done(day, inputs[day], outputs[day])


def _all_days(connection: sa.Connection, judged: set[date], scope: dict[str, str]) -> set[date]:
    """Return the days of all held rows of a snapshot: only its last landing is in the lake."""
    held = tables.quarantine.c
    query = sa.select(held.data_day).where(*(held[name] == it for name, it in scope.items()))
    return judged | set(connection.scalars(query.distinct()))


def _how_to_waive(dataset: Dataset, day: date) -> str:
    return (
        "repair the source, or if the data is right: ./nightshift quarantine waive "
        f"{dataset.name} RULE --day {day} --reason TEXT"
    )


def _count(commit: Commit, dataset: Dataset, landed: _Landed, good: Sequence[date]) -> None:
    """Reconcile the landed days of every table: rows in = accepted + held + discarded."""
    rows_in = accepted = held = discarded = gone = 0
    for name, examined in landed.examined.items():
        ins = count(examined.reading.rows, good)
        outs = count(examined.judgement.accepted, good)
        holds = count(examined.judgement.held, good)
        dropped, forgot = examined.discarded_on(good), examined.forgotten_on(good)
        if ins != outs + holds + dropped + forgot:
            raise RowsLost(
                f"{dataset.name}.{name}: {ins} rows in, {outs} accepted, {holds} held "
                f"and {dropped + forgot} discarded; nothing has been marked as done"
            )
        rows_in, accepted, held = rows_in + ins, accepted + outs, held + holds
        discarded, gone = discarded + dropped, gone + forgot
    if gone:
        commit.note(f"{gone} row(s) of forgotten subjects were discarded")
    if discarded:
        commit.note(f"{discarded} row(s) were discarded by decision")
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
        table.name: fingerprint.of_days(
            of_days(landed.examined[table.name].judgement.accepted, good), good
        )
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
