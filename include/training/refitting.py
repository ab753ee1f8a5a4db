"""The refit: an evaluated model, fitted again on all mature rows, serves in its place."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from include.declare import UseCase
from include.training import candidate, ledger, release
from include.training.frame import TrainingFrame, rebuild_frame
from include.training.ledger import Entry
from include.training.recorded import recorded_of
from include.training.registry import Registry
from include.workspace import Workspace


def refit_of(
    workspace: Workspace,
    registry: Registry,
    use_case: UseCase,
    evaluated: Entry,
    data: TrainingFrame | None = None,
) -> Entry | None:
    """Return the version that serves in place of an evaluated one, made now if there is none.

    None when no refit is declared. The entry is not in the ledger yet if it was made now.

    Args:
        workspace: where the data set's recorded lake versions are.
        registry: where the refit is registered.
        use_case: declares whether there is one.
        evaluated: registration of the model that was measured.
        data: its data set; rebuilt from the recorded versions if None.
    """
    if not use_case.training.refit:
        return None
    with workspace.warehouse.reading() as connection:
        for entry in ledger.history(connection, use_case.name):
            if entry.event == "registered" and entry.refit_of == evaluated.model_version:
                return entry
    data = data or rebuild_frame(workspace, use_case, recorded_of(evaluated))
    assert evaluated.as_of is not None, "training writes the as-of day"
    version_of = evaluated.model_version
    made = candidate.refit(use_case, data, evaluated.evidence, evaluated.as_of, version_of)
    version = release.register(registry, use_case, made)
    return Entry(
        entry=0,
        use_case=use_case.name,
        model_version=version.version,
        sha256=made.model.sha256,
        event="registered",
        actor=evaluated.actor,
        reason=(
            f"version {evaluated.model_version} fitted again on all {len(data.frame):,} mature "
            f"rows through {data.span.end}, with its parameters and {made.evidence['rounds']} "
            "rounds"
        ),
        evidence={**made.evidence, "code_revision": workspace.context.code_revision},
        artifact_uri=version.artifact_uri,
        as_of=evaluated.as_of,
        at=evaluated.at,
    )


def install(
    connection: sa.Connection, refit: Entry, actor: str, evidence: ledger.Evidence, at: datetime
) -> None:
    """Write the entries by which a refit serves in place of the version just promoted."""
    if ledger.find(connection, refit.use_case, refit.sha256) is None:
        ledger.enter(connection, refit, at)
    ledger.decide(
        connection,
        refit,
        "promoted",
        actor=actor,
        reason=f"serves in place of version {refit.refit_of}: {refit.reason}",
        evidence={**evidence, "refit_of": refit.refit_of},
        at=at,
    )
