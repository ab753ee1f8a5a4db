"""What the next landing would make of decisions: read, resolved and judged, nothing written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date

from include.declare import Dataset, Table
from include.errors import DayAbsent, UsageError
from include.ingestion import decisions, forgotten
from include.ingestion.decisions import Decision, released_from
from include.ingestion.examination import Examined, count, examine
from include.ingestion.reading import event_tables
from include.ingestion.resolution import Settled
from include.ingestion.source import Source
from include.ingestion.versions import open_source
from include.lake.schema import DATA_DAY
from include.validation.gates import KEY_UNIQUE, rules_of
from include.workspace import Workspace


def look_ahead(
    workspace: Workspace, dataset: Dataset, proposed: Sequence[Decision]
) -> tuple[str, ...]:
    """Return what landing the days of proposed decisions would come to, a line per table and day.

    Raises:
        UsageError: the decisions could not take effect: the source does not have the day any
            more or sends it without the row, the day does not fit the schema, or a corrected
            row fails a rule; or two rows with the same key would land.
        SourceUnreachable: the source does not answer; nothing can be said.
    """
    source = open_source(workspace, dataset)
    with workspace.warehouse.reading() as connection:
        subjects = forgotten.read(connection, dataset)
        made = decisions.history(connection, dataset.name)
    decided = decisions.in_force(dataset, [*made, *proposed])
    lines: list[str] = []
    for table in dataset.tables:
        mine = [it for it in proposed if it.table_name == table.name]
        days = _days(dataset, table, proposed)
        for day in days:
            _require_there(dataset, source, table, day)
        if days:
            examined = examine(dataset, source, table, days, decided, subjects)
            for it in mine:
                _require_effect(dataset, examined, it)
            if any(it.action != "revoke" for it in mine):
                _require_unique(dataset, examined)
            lines += _told(dataset, examined, days, {it.data_day for it in mine})
    return tuple(lines)


def _days(dataset: Dataset, table: Table, proposed: Sequence[Decision]) -> list[date]:
    """Return the days of a table that land again; a day's event tables land together."""
    if table.kind == "snapshot":
        return sorted({it.data_day for it in proposed if it.table_name == table.name})[-1:]
    events = {it.name for it in event_tables(dataset)}
    return sorted({it.data_day for it in proposed if it.table_name in events})


def _require_there(dataset: Dataset, source: Source, table: Table, day: date) -> None:
    try:
        source.fingerprint(table, day)
    except DayAbsent as missing:
        raise UsageError(
            f"{dataset.name} {day} cannot be landed again, so a decision on it would change "
            f"nothing: the source does not have it any more ({missing})"
        ) from missing


def _require_effect(dataset: Dataset, examined: Examined, decision: Decision) -> None:
    """Raise `UsageError` if a decision could not do what it says."""
    if decision.action == "revoke":
        return
    table, day = examined.table, decision.data_day
    where = f"{dataset.name}.{table.name} {day}"
    if day in examined.reading.broken:
        raise UsageError(
            f"{where} does not fit its declared columns, which nobody can waive or release: "
            f"{examined.reading.broken[day]}"
        )
    if decision.row_hash is None:
        return
    settled = [it for it in examined.resolved.settled if it.row_hash == decision.row_hash]
    settled = [it for it in settled if table.kind == "snapshot" or it.row["data_day"] == day]
    if not settled:
        raise UsageError(
            f"{where}: the source does not send row {decision.row_hash} any more; land the day "
            "again to see what is held now"
        )
    if decision.action == "correct":
        _require_good(where, examined, settled[0])


def _require_good(where: str, examined: Examined, settled: Settled) -> None:
    """Raise `UsageError` if a corrected row fails a rule that it is not released from."""
    if settled.position is None:
        raise UsageError(
            f"{where}: the corrected row {settled.row_hash} tells of a subject that was forgotten, "
            "and would be discarded"
        )
    released = released_from(settled.decisions)
    failed = [
        rule.name
        for rule in rules_of(examined.table)
        if rule.on_failure != "record"
        and rule.name not in released
        and settled.position in examined.judgement.failing[rule.name]
    ]
    if failed:
        raise UsageError(
            f"{where}: the corrected row {settled.row_hash} still fails {', '.join(failed)}; "
            "nothing was decided"
        )


def _require_unique(dataset: Dataset, examined: Examined) -> None:
    """Raise `UsageError` if rows with the same key would land, unless the table allows them.

    Nothing built on the table could tell them apart, and a night would fail for it.
    """
    table, rows = examined.table, examined.judgement.accepted
    if any(it.name == KEY_UNIQUE and it.on_failure == "record" for it in rules_of(table)):
        return
    key = [*table.identity] if table.kind == "snapshot" else [*table.identity, DATA_DAY]
    if twice := len(rows) - rows.group_by(key).aggregate([]).num_rows:
        raise UsageError(
            f"{dataset.name}.{table.name}: {twice} row(s) would land with the key of another; "
            "discard or correct all but one of each key"
        )


def _told(
    dataset: Dataset, examined: Examined, days: Sequence[date], decided: Collection[date]
) -> Iterator[str]:
    """Say what lands on days that are decided about, and what keeps any of the days from it."""
    for day in days:
        where = f"{dataset.name}.{examined.table.name} {day}"
        stops = examined.reading.broken.get(day) or examined.judgement.stopped.get(day)
        if stops:
            yield f"{where} would stop: {stops}"
        elif day in decided:
            gone = examined.discarded_on([day]) + examined.forgotten_on([day])
            yield (
                f"{where} would land {count(examined.judgement.accepted, [day]):,} of "
                f"{count(examined.reading.rows, [day]):,} rows; "
                f"{count(examined.judgement.held, [day]):,} held, {gone:,} discarded"
            )
