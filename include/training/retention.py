"""Which lake versions housekeeping must keep, so that champions' training sets can be rebuilt."""

from __future__ import annotations

from include.declare import UseCase
from include.errors import UsageError
from include.training import ledger
from include.workspace import Workspace


def needed_versions(
    workspace: Workspace, use_case: UseCase, champions: int = 3
) -> dict[str, set[int]]:
    """Return lake table → versions that training sets still in use were read at.

    In use are those of the last `champions` distinct versions that came into service, by
    promotion or rollback, the champion first, and of versions that may come next: waiting for
    a person or scoring in shadow. A refit's is that of its own registration.

    Raises `UsageError` for fewer than one champion.
    """
    if champions < 1:
        raise UsageError(f"{champions} champions to keep; the one in service is always kept")
    needed: dict[str, set[int]] = {}
    for entry in _registrations(workspace, use_case, champions):
        for table, version in entry.evidence.get("lake_versions", {}).items():
            needed.setdefault(table, set()).add(int(version))
    return needed


def _registrations(workspace: Workspace, use_case: UseCase, champions: int) -> list[ledger.Entry]:
    """Return the entries that registered the versions in use."""
    with workspace.warehouse.reading() as connection:
        entries = ledger.history(connection, use_case.name)
        served = [e.model_version for e in reversed(entries) if e.event in ledger.INTO_SERVICE]
        waiting = [ledger.pending(connection, use_case.name, event) for event in ledger.PENDING]
    chosen = set(list(dict.fromkeys(served))[:champions])
    chosen |= {entry.model_version for entry in waiting if entry is not None}
    return [e for e in entries if e.event == "registered" and e.model_version in chosen]
