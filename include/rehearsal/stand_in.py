"""The model of a rehearsal: fitted on the few days at hand, judged by nobody.

It stands in the champion's place in the scratch home's ledger, so that the stages score and
measure as they do at night. There is no registry behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from include.declare import UseCase
from include.rehearsal.span import Span
from include.training import candidate, ledger
from include.training.candidate import Candidate
from include.training.frame import TrainingFrame, labelled_frame
from include.training.ledger import Entry
from include.workspace import Workspace

ROUNDS = 50
"""Most boosting rounds: enough to see features at work."""

ACTOR = "./nightshift dev"


@dataclass(frozen=True)
class StandIn:
    """A model in service, and what it was fitted on.

    Attributes:
        entry: its promotion.
        frame: the labelled rows.
    """

    entry: Entry
    frame: TrainingFrame


def rehearsed(use_case: UseCase, history: int) -> UseCase:
    """Return the use case as it is rehearsed: little history, no search, no gate, no bounds."""
    training = replace(
        use_case.training,
        history_days=max(1, history),
        min_rows=2,
        rounds=min(use_case.training.rounds, ROUNDS),
        tuning=None,
        refit=False,
    )
    scoring = replace(
        use_case.scoring, sanity=None, model_policy="champion_now", pinned_version=None
    )
    return replace(use_case, training=training, scoring=scoring)


def serve(workspace: Workspace, use_case: UseCase, span: Span) -> StandIn:
    """Fit a model on the labelled days of a rehearsal and put it into service.

    Args:
        workspace: the scratch home.
        use_case: as `rehearsed` returns it.
        span: the days; with labelled ones.

    Raises:
        DataError: labels are too few, or all the same.
    """
    assert span.labelled is not None, "a model needs labels"
    as_of = as_of_day(use_case, span)
    data = labelled_frame(workspace, use_case, as_of)
    made = candidate.sketch(use_case, data, as_of)
    return StandIn(_promote(workspace, use_case, made, as_of), data)


def as_of_day(use_case: UseCase, span: Span) -> date:
    """Return the day whose knowledge the labels are of: the one before, as of a champion."""
    assert span.labelled is not None, "there are labels"
    return date.fromordinal(span.labelled.end.toordinal() + use_case.label.mature_after)


def _promote(workspace: Workspace, use_case: UseCase, made: Candidate, as_of: date) -> Entry:
    sha256 = made.model.sha256
    with workspace.warehouse.reading() as connection:
        serving = ledger.champion(connection, use_case.name)
        known = ledger.find(connection, use_case.name, sha256)
    if serving is not None and serving.sha256 == sha256:
        return serving
    folder = workspace.settings.home / "models" / sha256[:12]
    made.save(folder)
    at = workspace.context.instant()
    entry = known or Entry(
        entry=0,
        use_case=use_case.name,
        model_version=f"dev-{sha256[:8]}",
        sha256=sha256,
        event="registered",
        actor=ACTOR,
        reason="fitted in a rehearsal",
        evidence=made.evidence,
        artifact_uri=folder.as_uri(),
        as_of=as_of,
        at=at,
    )
    with workspace.warehouse.transaction() as connection:
        if known is None:
            ledger.enter(connection, entry, at)
        ledger.decide(
            connection,
            entry,
            "promoted",
            actor=ACTOR,
            reason="a rehearsal needs a model; nothing was judged",
            evidence={},
            at=at,
        )
    return entry
