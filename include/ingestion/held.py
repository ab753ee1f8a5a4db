"""Which held rows a person means: by hash, or all that a rule holds on a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from include.declare import Dataset, Rule, Table
from include.errors import UsageError
from include.ingestion import quarantine
from include.ingestion.decisions import ByRule, InForce, of_the_row
from include.validation.gates import rules_of
from include.warehouse.days import DayState, day_states
from include.workspace import Workspace


@dataclass(frozen=True)
class Choice:
    """What a person says about the rows meant.

    Attributes:
        row_hashes: the rows; all that `rule` holds on `day` and nobody decided about if none.
        rule: the rule concerned; all that hold a row if None.
        table: where, if it is not clear from the rest.
    """

    row_hashes: tuple[str, ...] = ()
    rule: str | None = None
    day: date | None = None
    table: str | None = None


@dataclass(frozen=True)
class HeldRow:
    """A row in quarantine.

    Attributes:
        rules: those that held it when it was last landed, decided ones too.
        payload: the row as it came.
        decided: what is in force about it, by rule; perhaps not landed yet.
    """

    table: Table
    data_day: date
    row_hash: str
    rules: tuple[str, ...]
    payload: Mapping[str, Any]
    decided: ByRule


def choose(workspace: Workspace, dataset: Dataset, choice: Choice, force: InForce) -> list[HeldRow]:
    """Return the rows meant, in the order given or of their keys.

    Raises:
        UsageError: a hash, rule, table or day is unknown, a hash is in several places, or
            nothing is held that fits.
    """
    require_known(dataset, choice.rule, choice.table)
    rows = _rows(workspace, dataset, choice, force)
    if choice.row_hashes:
        return [
            _named(dataset, rows, each, choice.rule) for each in dict.fromkeys(choice.row_hashes)
        ]
    if choice.rule is None or choice.day is None:
        raise UsageError(
            "say which rows: by their hash, or all that a rule holds on a day with --rule and --day"
        )
    require_landed(workspace, dataset, choice.day)
    undecided = [
        row
        for row in rows
        if choice.rule in row.rules
        and choice.rule not in row.decided
        and of_the_row(row.decided) is None
    ]
    if not undecided:
        raise UsageError(
            f"{dataset.name} {choice.day}: no row is held by {choice.rule} that nobody decided "
            f"about; ./nightshift quarantine list {dataset.name} --day {choice.day} --all shows "
            "what there is"
        )
    return undecided


def require_known(dataset: Dataset, rule: str | None, table: str | None) -> None:
    """Raise `UsageError` unless a rule and a table, where given, are declared."""
    tables = {it.name for it in dataset.tables}
    if table is not None and table not in tables:
        raise UsageError(
            f"{dataset.name} has no table {table!r}; its tables are: {', '.join(sorted(tables))}"
        )
    chosen = [it for it in dataset.tables if table in (None, it.name)]
    known = sorted({it.name for each in chosen for it in every_rule(each)})
    if rule is not None and rule not in known:
        where = dataset.name if table is None else f"{dataset.name}.{table}"
        raise UsageError(f"{where} has no rule {rule!r}; its rules are: {', '.join(known)}")


def require_landed(workspace: Workspace, dataset: Dataset, day: date) -> DayState:
    """Return what landing made of a day; raises `UsageError` if it never looked at it."""
    with workspace.warehouse.reading() as connection:
        state = day_states(connection, "ingest", dataset.name, [day]).get(day)
    if state is None or state.state == "absent":
        why = f"is absent ({state.reason})" if state else "has not landed"
        raise UsageError(f"{dataset.name} {day} {why}, so there is nothing to decide about it")
    return state


def every_rule(table: Table) -> Sequence[Rule]:
    """Return the row rules and day rules of a table."""
    return (*rules_of(table), *table.day_rules)


def _rows(workspace: Workspace, dataset: Dataset, choice: Choice, force: InForce) -> list[HeldRow]:
    """Return the rows in quarantine that may be meant; of a snapshot as it was last landed."""
    chosen = [it for it in dataset.tables if choice.table in (None, it.name)]
    declared = {table.name: table for table in chosen}
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    entries = quarantine.listed(
        workspace.warehouse,
        dataset.name,
        row_hashes=choice.row_hashes or None,
        days=[choice.day] if choice.day else None,
    )
    for row in entries:
        table = declared.get(row["table_name"])
        if table is None:
            continue
        key = row["table_name"], row["row_hash"]
        place = key if table.kind == "snapshot" else (*key, row["data_day"])
        same = found.setdefault(place, [])
        if not same or same[0]["data_day"] == row["data_day"]:
            same.append(row)
    rows = []
    for same in found.values():
        first = same[0]
        table, day, row_hash = declared[first["table_name"]], first["data_day"], first["row_hash"]
        rules = tuple(it["rule"] for it in same)
        decided = force.of_row(table, day, row_hash)
        rows.append(HeldRow(table, day, row_hash, rules, first["payload"], decided))
    return rows


def _named(dataset: Dataset, rows: Sequence[HeldRow], row_hash: str, rule: str | None) -> HeldRow:
    found = [row for row in rows if row.row_hash == row_hash]
    if not found:
        raise UsageError(
            f"no row {row_hash} of {dataset.name} is in quarantine; a day that stopped holds "
            f"none, and ./nightshift quarantine list {dataset.name} shows what there is"
        )
    if len(found) > 1:
        places = ", ".join(f"{row.table.name} {row.data_day}" for row in found)
        raise UsageError(
            f"row {row_hash} is in quarantine more than once ({places}): add --day or --table"
        )
    (row,) = found
    if rule is not None and rule not in row.rules:
        raise UsageError(
            f"row {row_hash} is not held by {rule}; what holds it: {', '.join(row.rules)}"
        )
    return row
