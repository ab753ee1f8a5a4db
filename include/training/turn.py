"""The right to change who serves: one lock, one transaction in the ledger, then what follows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from include.declare import UseCase
from include.errors import UsageError
from include.training import comparison, ledger, refitting, release
from include.training.frame import TrainingFrame, labelled_frame
from include.training.ledger import Entry, Event, Evidence
from include.training.promotion import Verdict
from include.training.registry import Registry, open_registry
from include.warehouse.locks import Verify, lock
from include.warehouse.migrate import require_current
from include.workspace import Workspace

LOCK = "succession"
"""Not the lock of trainings, which last: a champion can be withdrawn while one runs."""


@dataclass(frozen=True)
class Turn:
    """The right to change who serves, held by one process at a time.

    Attributes:
        verify: raises `LockHeld` when the right was lost; called before every commit.
    """

    workspace: Workspace
    use_case: UseCase
    registry: Registry
    verify: Verify

    def registered(self, version: str) -> Entry:
        """Return a version's registration; raises `UsageError` if there is none."""
        with self.workspace.warehouse.reading() as connection:
            return comparison.registered(connection, self.use_case, version)

    def evaluated(self, version: str) -> Entry:
        """Return the registration of the model that was measured for a version."""
        return self.registered(self.registered(version).refit_of or version)

    def champion(self) -> Entry | None:
        """Return who serves."""
        with self.workspace.warehouse.reading() as connection:
            return ledger.champion(connection, self.use_case.name)

    def decision(self, evaluated: Entry) -> Entry | None:
        """Return the newest decision about a version."""
        with self.workspace.warehouse.reading() as connection:
            return ledger.verdict(connection, self.use_case.name, evaluated.model_version)

    def proposal(self, evaluated: Entry) -> Entry:
        """Return the open proposal of a version; raises `UsageError` if there is none."""
        version, found = evaluated.model_version, self.decision(evaluated)
        if found is None or found.event != "proposed":
            said = f"the ledger says {found.event}" if found else "nothing was decided about it"
            raise UsageError(
                f"{self.use_case.name}: version {version} is not waiting for approval; {said}. "
                f"See ./nightshift models {self.use_case.name}"
            )
        return found

    def judge_now(self, evaluated: Entry, champion: Entry | None) -> Verdict:
        """Let the gate judge a version on what is mature today."""
        day = comparison.newest_day(self.workspace, self.use_case)
        rows = labelled_frame(self.workspace, self.use_case, day).frame
        return comparison.judge(self.workspace, self.use_case, rows, evaluated, champion)

    def shadow(self) -> Entry | None:
        """Return the entry of the version in shadow."""
        with self.workspace.warehouse.reading() as connection:
            return ledger.shadow(connection, self.use_case.name)

    def refit_of(self, evaluated: Entry, data: TrainingFrame | None = None) -> Entry | None:
        """Return what serves in place of a version, if a refit is declared."""
        return refitting.refit_of(self.workspace, self.registry, self.use_case, evaluated, data)

    def settle(
        self, about: Entry, event: Event, reasons: Sequence[str], evidence: Evidence, actor: str
    ) -> Entry:
        """Commit a decision, the refit that serves included; return its entry."""
        refit = self.refit_of(about) if event == "promoted" else None
        at, before = self.workspace.context.instant(), self.champion()
        with self.workspace.warehouse.transaction() as connection:
            self.decide(connection, about, event, reasons, evidence, actor, at, refit)
            history = ledger.history(connection, self.use_case.name)
            self.verify()
        release.repeat_champion(self.workspace, self.registry)
        self.publish(about, refit, before)
        mine = (event, about.model_version)
        return next(it for it in reversed(history) if (it.event, it.model_version) == mine)

    def decide(
        self,
        connection: sa.Connection,
        about: Entry,
        event: Event,
        reasons: Sequence[str],
        evidence: Evidence,
        actor: str,
        at: datetime,
        refit: Entry | None,
    ) -> None:
        """Write the entries that a decision comes to into an open transaction."""
        reason = "; ".join(reasons)
        ledger.decide(
            connection, about, event, actor=actor, reason=reason, evidence=evidence, at=at
        )
        if refit is not None:
            refitting.install(connection, refit, actor, evidence, at)

    def publish(self, *entries: Entry | None) -> None:
        """Write the cards of versions, and of the evaluated models that they repeat."""
        known = [it for it in entries if it is not None]
        versions = {name for it in known for name in (it.model_version, it.refit_of)}
        release.publish_cards(self.workspace, self.registry, self.use_case, versions)


@contextmanager
def take_turn(workspace: Workspace, use_case: UseCase, heal: bool = True) -> Iterator[Turn]:
    """Wait for other changes to end; begin with the alias as the ledger says.

    Without `heal` an alias that lags is left for the change itself to set: MLflow may have lost
    the very version that is to be replaced.
    """
    require_current(workspace.warehouse)
    timeout = workspace.context.lock_timeout
    with lock(workspace.warehouse, LOCK, use_case.name, timeout=timeout) as verify:
        registry = open_registry(workspace.settings, use_case.name)
        release.repeat_champion(workspace, registry, heal)
        yield Turn(workspace, use_case, registry, verify)
