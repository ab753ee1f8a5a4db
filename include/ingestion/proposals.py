"""What a person asks to be decided: checked, tried and shown with what follows, then recorded.

A proposal changes nothing until it is recorded. From then on its days are due: the next landing
that reaches them applies it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from include import catalog
from include.declare import Dataset, Table, UseCase
from include.errors import UsageError
from include.ingestion import cascade, correction, decisions, held, outlook
from include.ingestion.decisions import Action, Decision, InForce, of_the_row
from include.ingestion.held import Choice, HeldRow
from include.warehouse.migrate import require_current
from include.window import describe_days
from include.workspace import Workspace


@dataclass(frozen=True)
class Desk:
    """Where a person decides about a dataset, and why.

    Attributes:
        use_cases: those on the dataset; the declared ones when None.
    """

    workspace: Workspace
    dataset: Dataset
    actor: str
    reason: str
    use_cases: Sequence[UseCase] | None = None

    def in_force(self) -> InForce:
        """Return what is decided now.

        Raises:
            ConfigurationError: before `./nightshift init`.
            UsageError: no reason was given.
        """
        if not self.reason.strip():
            raise UsageError(f"{self.dataset.name}: say why; the reason stays with the decision")
        require_current(self.workspace.warehouse)
        with self.workspace.warehouse.reading() as connection:
            return decisions.read(connection, self.dataset)

    def decision(
        self, action: Action, table: Table, day: date, row_hash: str | None, rule: str, **more: Any
    ) -> Decision:
        """Return a decision of this person, not recorded yet."""
        return Decision(
            entry=None,
            dataset=self.dataset.name,
            table_name=table.name,
            data_day=day,
            row_hash=row_hash,
            rule=rule,
            action=action,
            payload=more.get("payload"),
            actor=self.actor,
            reason=self.reason,
            at=self.workspace.context.instant(),
        )

    def propose(self, summary: str, made: Sequence[Decision]) -> Proposal:
        """Return decisions with what they would come to; raises as `outlook.look_ahead` does."""
        ahead = outlook.look_ahead(self.workspace, self.dataset, made)
        snapshots = {it.name for it in self.dataset.tables if it.kind == "snapshot"}
        cases = self.use_cases
        follows = cascade.follow(
            self.workspace,
            self.dataset,
            catalog.use_cases_of(self.dataset.name) if cases is None else cases,
            {it.data_day for it in made if it.table_name not in snapshots},
            snapshots=sorted({it.table_name for it in made} & snapshots),
        )
        return Proposal(tuple(made), summary, (*ahead, *follows))


@dataclass(frozen=True)
class Proposal:
    """Decisions that are not recorded yet.

    Attributes:
        summary: what they say, in a line without personal values.
        consequences: what the next landing would make of them, and what follows, a line each.
    """

    decisions: tuple[Decision, ...]
    summary: str
    consequences: tuple[str, ...]


def release(desk: Desk, choice: Choice) -> Proposal:
    """Propose to accept rows although a rule fails; all rules that hold them if none is named.

    Raises:
        UsageError: there is no such row, it is released already, or it is corrected or discarded
            for another rule.
    """
    rows = held.choose(desk.workspace, desk.dataset, choice, desk.in_force())
    made: list[Decision] = []
    for row in rows:
        rules = row.rules if choice.rule is None else (choice.rule,)
        new = [rule for rule in rules if _action(row, rule) != "release"]
        if not new:
            raise _decided_already(desk, row, row.decided[rules[0]])
        whole = of_the_row(row.decided)
        if whole is not None and choice.rule is not None and set(row.rules) - set(rules):
            raise UsageError(
                f"{_where(desk, row)}: row {row.row_hash} is decided as a whole "
                f"({whole.action}, for {whole.rule}): release it from all rules, or revoke that "
                "first"
            )
        made += [desk.decision("release", row.table, row.data_day, row.row_hash, it) for it in new]
    named = ", ".join(sorted({it.rule for it in made}))
    return desk.propose(f"release {_told(desk, rows)} from {named}", made)


def discard(desk: Desk, choice: Choice) -> Proposal:
    """Propose to drop rows for good; they are counted at every landing.

    Raises:
        UsageError: there is no such row, or it is discarded already.
    """
    rows = held.choose(desk.workspace, desk.dataset, choice, desk.in_force())
    made: list[Decision] = []
    for row in rows:
        whole = of_the_row(row.decided)
        if whole is not None and whole.action == "discard":
            raise _decided_already(desk, row, whole)
        made += [
            desk.decision("discard", row.table, row.data_day, row.row_hash, rule)
            for rule in row.rules
        ]
    return desk.propose(f"discard {_told(desk, rows)}", made)


def correct(desk: Desk, choice: Choice, values: Mapping[str, str]) -> Proposal:
    """Propose a row in place of one that is held; rules it is released from stay excused.

    Args:
        values: column → new value, as text; they replace values of the row as it came.

    Raises:
        UsageError: there is no such row, a column or value is wrong, the corrected row still
            fails a rule, or it was corrected like this already.
    """
    if len(choice.row_hashes) != 1:
        raise UsageError("a correction is of one row: name it by its hash")
    (row,) = held.choose(desk.workspace, desk.dataset, choice, desk.in_force())
    payload = correction.corrected(row.table, row.payload, values)
    whole = of_the_row(row.decided)
    if whole is not None and whole.action == "correct" and whole.payload == payload:
        raise _decided_already(desk, row, whole)
    unreleased = [rule for rule in row.rules if _action(row, rule) != "release"]
    made = [
        desk.decision("correct", row.table, row.data_day, row.row_hash, rule, payload=payload)
        for rule in unreleased or row.rules
    ]
    changes = correction.told(row.table, row.payload, payload)
    return desk.propose(f"correct {_told(desk, [row])}: {changes}", made)


def record(workspace: Workspace, proposal: Proposal) -> None:
    """Record a proposal, whole or not at all; raises `StorageUnavailable`."""
    with workspace.warehouse.transaction() as connection:
        decisions.record(connection, proposal.decisions)


def _action(row: HeldRow, rule: str) -> Action | None:
    return row.decided[rule].action if rule in row.decided else None


def _decided_already(desk: Desk, row: HeldRow, before: Decision) -> UsageError:
    return UsageError(
        f"{_where(desk, row)}: row {row.row_hash} has the decision {before.action} already, by "
        f"{before.actor} at {before.at:%Y-%m-%d %H:%M} UTC ({before.reason})"
    )


def _where(desk: Desk, row: HeldRow) -> str:
    return f"{desk.dataset.name}.{row.table.name} {row.data_day}"


def _told(desk: Desk, rows: Sequence[HeldRow]) -> str:
    tables = ", ".join(sorted({f"{desk.dataset.name}.{row.table.name}" for row in rows}))
    days = describe_days({row.data_day for row in rows})
    return f"{len(rows)} row{'' if len(rows) == 1 else 's'} of {tables} {days}"
