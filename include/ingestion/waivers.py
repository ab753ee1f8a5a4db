"""Proposals about a rule on a day as a whole, and taking decisions back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

import sqlalchemy as sa

from include.declare import Table
from include.errors import UsageError
from include.ingestion import held
from include.ingestion.decisions import OF_THE_ROW, ByRule, Decision, InForce
from include.ingestion.held import Choice
from include.ingestion.proposals import Desk, Proposal
from include.warehouse.tables import validation_results


def waive(desk: Desk, rule: str, day: date, table: str | None = None) -> Proposal:
    """Propose that a rule stops and holds nothing on a day of a table.

    Its result is recorded as measured all the same. A schema break is no rule.

    Raises:
        UsageError: there is no such rule or table, the day has not landed, the rule did not fail
            or only records, or it is waived already.
    """
    force = desk.in_force()
    held.require_known(desk.dataset, rule, table)
    chosen = _failed_in(desk, rule, day, table)
    name = f"{desk.dataset.name}.{chosen.name} {day}"
    if (before := force.of_day(chosen, day).get(rule)) is not None:
        raise UsageError(
            f"{name}: {rule} is waived already, by {before.actor} at "
            f"{before.at:%Y-%m-%d %H:%M} UTC ({before.reason})"
        )
    if all(it.on_failure == "record" for it in held.every_rule(chosen) if it.name == rule):
        raise UsageError(f"{name}: {rule} stops and holds nothing anyway, it only records")
    return desk.propose(
        f"waive {rule} on {name}", [desk.decision("waive", chosen, day, None, rule)]
    )


def revoke(desk: Desk, choice: Choice) -> Proposal:
    """Propose to take decisions back: on rows, or everything decided about a rule on a day.

    A correction or discard is of the whole row, and taken back whole.

    Raises:
        UsageError: it is not said what, or nothing is decided about it.
    """
    force = desk.in_force()
    held.require_known(desk.dataset, None, choice.table)
    if not choice.row_hashes and (choice.rule is None or choice.day is None):
        raise UsageError(
            "say what is taken back: rows by their hash, or all that was decided about a rule on "
            "a day with --rule and --day"
        )
    made: list[Decision] = []
    hashes: Sequence[str | None] = tuple(dict.fromkeys(choice.row_hashes)) or (None,)
    for row_hash in hashes:
        found = [
            it
            for table in desk.dataset.tables
            if choice.table in (None, table.name)
            for it in _meant(force, table, choice, row_hash)
        ]
        if not found:
            what = f"row {row_hash}" if row_hash else f"{choice.rule} on {choice.day}"
            raise UsageError(f"{desk.dataset.name}: nothing is decided about {what}")
        for it in found:
            table = desk.dataset.table(it.table_name)
            made.append(desk.decision("revoke", table, it.data_day, it.row_hash, it.rule))
    rows = len({it.row_hash for it in made if it.row_hash})
    named = [f"the decisions on {rows} row{'' if rows == 1 else 's'}"] if rows else []
    named += [f"the waiver of {it.rule} on {it.data_day}" for it in made if it.row_hash is None]
    return desk.propose(f"take back {' and '.join(named)} of {desk.dataset.name}", made)


def _meant(
    force: InForce, table: Table, choice: Choice, row_hash: str | None
) -> Iterator[Decision]:
    """Yield the decisions in force that a request to revoke means."""
    for key, by_rule in force.rows.get(table.name, {}).items():
        if row_hash in (None, key[1]):
            yield from _of_row(by_rule, choice)
    if row_hash is None and choice.day is not None and choice.rule is not None:
        waived = force.of_day(table, choice.day).get(choice.rule)
        if waived is not None:
            yield waived


def _of_row(by_rule: ByRule, choice: Choice) -> list[Decision]:
    within = [it for it in by_rule.values() if choice.day in (None, it.data_day)]
    found = [it for it in within if choice.rule in (None, it.rule)]
    if any(it.action in OF_THE_ROW for it in found):
        found += [it for it in within if it.action in OF_THE_ROW and it not in found]
    return found


def _failed_in(desk: Desk, rule: str, day: date, table: str | None) -> Table:
    """Return the one table in which a rule failed on a day."""
    state = held.require_landed(desk.workspace, desk.dataset, day)
    results = validation_results.c
    query = sa.select(results.table_name).where(
        results.dataset == desk.dataset.name,
        results.data_day == day,
        results.rule == rule,
        results.success.is_(False),
    )
    with desk.workspace.warehouse.reading() as connection:
        failed = sorted(set(connection.scalars(query)))
    declared = {it.name: it for it in desk.dataset.tables}
    found = [declared[it] for it in failed if it in declared and table in (None, it)]
    if len(found) > 1:
        names = ", ".join(it.name for it in found)
        raise UsageError(f"{desk.dataset.name} {day}: {rule} failed in {names}: add --table")
    if not found:
        why = f"; the day stopped: {state.reason}" if state.state == "stopped" else ""
        raise UsageError(
            f"{desk.dataset.name} {day}: {rule} did not fail, so there is nothing to waive (a "
            f"schema break is no rule and cannot be waived){why}"
        )
    return found[0]
