"""Two registered models on the same rows, rows that neither has seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import sqlalchemy as sa

from include.declare import UseCase
from include.errors import DataError, UsageError
from include.training import declared, ledger, model, promotion
from include.training.constant import Constant
from include.training.evaluation.bootstrap import told
from include.training.fit import labels_of
from include.training.frame import labelled_frame
from include.training.guardrails import Contest
from include.training.ledger import Entry
from include.training.model import Model
from include.training.promotion import Verdict
from include.training.split import as_days
from include.warehouse.stages import done_days
from include.window import parse_day
from include.workspace import Workspace


@dataclass(frozen=True)
class Comparison:
    """What the gate would say if version `b` challenged version `a`.

    Attributes:
        metrics: version → metric → value, lower, upper on the common rows.
        stands_for: version → the evaluated version measured in its place, for refits.
    """

    use_case: str
    a: str
    b: str
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    stands_for: Mapping[str, str]
    verdict: Verdict

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The metrics side by side, a header first."""
        names = list(self.metrics[self.b])
        lines: list[tuple[str, ...]] = [("metric", f"version {self.a}", f"version {self.b}")]
        for name in names:
            cells = (told(self.metrics[version].get(name)) for version in (self.a, self.b))
            lines.append((name, *cells))
        return lines

    def summary(self) -> str:
        """Return the verdict in one line for a person."""
        stands = "".join(
            f"; version {version} is a refit and is measured by version {evaluated}"
            for version, evaluated in self.stands_for.items()
            if version != evaluated
        )
        decision = {"promoted": "would be promoted", "kept": "would not replace it"}
        verb = decision.get(self.verdict.decision, "would be refused")
        why = "; ".join(self.verdict.reasons)
        return f"{self.use_case}: version {self.b} against version {self.a} {verb}: {why}{stands}"


def compare(
    workspace: Workspace, use_case: UseCase, a: str, b: str, as_of: date | None = None
) -> Comparison:
    """Let the gate compare two registered versions; nothing is decided or written.

    Args:
        workspace: where ledger and features are.
        use_case: whose gate it is.
        a: the version in the champion's place.
        b: the version in the challenger's.
        as_of: labels mature on this day are used; the newest day with features if None.

    Raises:
        UsageError: a version is not registered, or both are one.
        DataError: a file was tampered with.
    """
    if a == b:
        raise UsageError(f"{use_case.name}: give two versions to compare, not {a} twice")
    with workspace.warehouse.reading() as connection:
        entries = {it: registered(connection, use_case, it) for it in (a, b)}
        stand_ins = {it: evaluated(connection, use_case, e) for it, e in entries.items()}
    loaded = {it: model.load(e.artifact_uri, e.sha256) for it, e in stand_ins.items()}
    rows = labelled_frame(workspace, use_case, as_of or newest_day(workspace, use_case)).frame
    constant = Constant.recorded(use_case, stand_ins[b].evidence)
    contest = meet(use_case, rows, loaded[b], loaded[a], a, constant)
    verdict = promotion.judge(use_case, contest)
    evidence = verdict.evidence
    return Comparison(
        use_case=use_case.name,
        a=a,
        b=b,
        metrics={a: evidence.get("incumbent", {}), b: evidence.get("challenger", {})},
        stands_for={version: entry.model_version for version, entry in stand_ins.items()},
        verdict=verdict,
    )


def judge(
    workspace: Workspace,
    use_case: UseCase,
    rows: pd.DataFrame,
    entry: Entry,
    champion: Entry | None,
) -> Verdict:
    """Let the gate decide about an evaluated model on rows; both are read from their entries.

    A champion that is a refit is measured by the evaluated model it repeats: the refit has
    seen the rows, and what is compared are two ways to make a model.

    Raises `DataError` when a model's file is not the one that was registered.
    """
    challenger = model.load(entry.artifact_uri, entry.sha256)
    constant = Constant.recorded(use_case, entry.evidence)
    if champion is None:
        return promotion.judge(use_case, meet(use_case, rows, challenger, None, None, constant))
    with workspace.warehouse.reading() as connection:
        stand_in = evaluated(connection, use_case, champion)
    theirs = model.load(stand_in.artifact_uri, stand_in.sha256)
    evidence = {"champion": champion.model_version, "compared_with": stand_in.model_version}
    why = _incomparable(use_case, rows, challenger, theirs)
    if why is not None:
        # It cannot score any more either, or says nothing of what is asked now.
        alone = promotion.judge(use_case, meet(use_case, rows, challenger, None, None, constant))
        told = f"champion {champion.model_version} cannot be compared: {why}"
        return Verdict(alone.decision, (told, *alone.reasons), {**alone.evidence, **evidence})
    contest = meet(use_case, rows, challenger, theirs, champion.model_version, constant)
    verdict = promotion.judge(use_case, contest)
    return Verdict(verdict.decision, verdict.reasons, {**verdict.evidence, **evidence})


def _incomparable(
    use_case: UseCase, rows: pd.DataFrame, challenger: Model, champion: Model
) -> str | None:
    """Return why a champion cannot be measured as the use case is declared now, or None."""
    missing = [name for name in champion.facts.features if name not in rows.columns]
    if missing:
        return f"it needs {', '.join(missing)}, which the frame no longer has"
    ours, theirs = challenger.facts, champion.facts
    if (ours.task, ours.label) != (theirs.task, theirs.label):
        return f"it predicts {theirs.label} ({theirs.task}), not {ours.label} ({ours.task})"
    if ours.quantiles != theirs.quantiles:
        return "it predicts other quantiles"
    return None


def meet(
    use_case: UseCase,
    rows: pd.DataFrame,
    challenger: Model,
    champion: Model | None,
    champion_version: str | None,
    constant: Constant | None,
) -> Contest:
    """Return the rows that neither model has seen, and what both say of them.

    `constant` stands in where the declared baseline says nothing.
    """
    models = [challenger] if champion is None else [challenger, champion]
    seen = max(parse_day(it.facts.seen_through) for it in models)
    # Of the dates in between, labels that a model was fitted on were not known in time.
    last = np.datetime64(seen + timedelta(days=use_case.label.mature_after), "D")
    unseen = rows[as_days(rows["target_date"]) > last].reset_index(drop=True)
    return Contest(
        frame=unseen,
        labels=labels_of(unseen, use_case.label.column),
        days=as_days(unseen["target_date"]),
        challenger=challenger.predictions(unseen),
        champion=None if champion is None else champion.predictions(unseen),
        champion_version=champion_version,
        baseline=declared.rule_predictions(use_case, unseen, constant),
    )


def registered(connection: sa.Connection, use_case: UseCase, version: str) -> Entry:
    """Return the registration of a version; raises `UsageError` naming those there are."""
    entry = ledger.registration(connection, use_case.name, version)
    if entry is None:
        known = ledger.versions(connection, use_case.name)
        listed = f"registered are {', '.join(known)}" if known else "none is registered yet"
        raise UsageError(f"{use_case.name} has no model version {version}; {listed}")
    return entry


def evaluated(connection: sa.Connection, use_case: UseCase, entry: Entry) -> Entry:
    """Return the registration of the model that was measured: of a refit, the one it repeats."""
    return registered(connection, use_case, entry.refit_of or entry.model_version)


def newest_day(workspace: Workspace, use_case: UseCase) -> date:
    """Return the newest data day with features; raises `DataError` when there is none."""
    name = use_case.dataset.name
    with workspace.warehouse.reading() as connection:
        days = done_days(connection, "features", name)
    if not days:
        raise DataError(f"no day of {name} has features yet; run {name}_backfill first")
    return max(days)
