"""The training stage: a model as of a day, registered, judged and, if it may, promoted.

The order of writes is what makes a kill harmless: files and versions in the registry first,
then one transaction with the ledger's entries, then alias and cards. A version the ledger does
not know is found again by its SHA-256; an alias that lags is set on the next run.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date

import optuna

from include.declare import UseCase
from include.errors import ConfigurationError, UsageError
from include.lake import fingerprint
from include.training import comparison, leakage, ledger, promotion, release
from include.training.boosting import xgb
from include.training.brief import brief
from include.training.candidate import Candidate, build
from include.training.evaluation.evaluate import better_when_higher, metric_names
from include.training.frame import TrainingFrame, labelled_frame
from include.training.ledger import Entry, Event
from include.training.promotion import Verdict
from include.training.turn import Turn, take_turn
from include.warehouse.stages import StageResult, StageRun, stage_run
from include.window import Window
from include.workspace import Workspace

STAGE = "train"


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Attributes:
        registered: the registration of the version, with everything measured as evidence.
        decision: the newest decision about it; the registration itself when nobody asked.
        champion: who serves now, which may be its refit; None before the first promotion.
        stage: the stage run; unchanged when this very model was there already.
    """

    registered: Entry
    decision: Entry
    champion: Entry | None
    stage: StageResult

    @property
    def model_version(self) -> str:
        """The version that was trained and measured."""
        return self.registered.model_version

    @property
    def sha256(self) -> str:
        """SHA-256 of the model file."""
        return self.registered.sha256

    @property
    def verdict(self) -> Event:
        """promoted, kept, refused, proposed, shadowed, or registered when nobody asked."""
        return self.decision.event

    @property
    def promoted(self) -> bool:
        """Whether this version, or its refit, is champion now."""
        serving = self.champion
        return serving is not None and self.model_version in (
            serving.model_version,
            serving.refit_of,
        )

    def summary(self) -> str:
        """Return the training in one line for a person."""
        entry, serving = self.registered, self.champion
        told = (
            f"train {entry.use_case} as of {entry.as_of}: version {self.model_version} "
            f"{self.verdict}; {self.decision.reason}"
        )
        if self.verdict == "proposed":
            command = f"./nightshift approve {entry.use_case} {self.model_version} --reason …"
            told += f"; it waits for a person: {command} (or reject)"
        if self.promoted and serving and serving.model_version != self.model_version:
            told += f"; its refit, version {serving.model_version}, serves"
        return told

    def brief(self) -> str:
        """Return the evidence as Markdown, for the person who approves."""
        return brief(self.registered, self.decision)


def train(
    workspace: Workspace, use_case: UseCase, as_of: date, promote: bool, actor: str
) -> TrainingResult:
    """Train a model on labels mature on `as_of` and register it.

    With `promote` the gate decides: the first model that passes becomes champion, a later one
    only if it is better on the same out-of-time rows; where a shadow or an approval is declared,
    it waits for that. A model with the bytes of a registered version is that version: it is not
    registered or judged against the same champion twice. `actor` is who asked, for the ledger.

    Raises:
        UsageError: `as_of` has not ended.
        LeakFound: a feature knows the answer; nothing was fitted.
        DataError: too few rows or days, one class only, a model file that was tampered with, or
            ledger and alias disagree.
        ConfigurationError: `./nightshift init` has not been run, or the declaration lacks what
            its task needs.
        LockHeld: another training of the use case does not end in time.
        StorageUnavailable: MLflow, lake or warehouse cannot be used; worth retrying.
    """
    _check(workspace, use_case, as_of)
    night = Window.night(as_of)
    with stage_run(workspace.warehouse, STAGE, use_case.name, night, workspace.context) as run:
        with take_turn(workspace, use_case):
            pass  # an alias that lags is set, and one that was moved is told, before the work
        data = labelled_frame(workspace, use_case, as_of)
        inputs = _input_hash(use_case, data)
        known = _trained_before(workspace, use_case, run, as_of, inputs)
        order = _Order(workspace, use_case, run, data, inputs, promote, actor)
        if known is None:
            looked_at = leakage.refuse(workspace, use_case, data, as_of)
            made = build(use_case, data, as_of)
            known = order.carry_out(replace(made, evidence={**made.evidence, **looked_at}))
        elif promote and _undecided(workspace, use_case, known):
            order.carry_out(known)
        else:
            run.finish(f"version {known.model_version} was trained from the same rows before")
            with take_turn(workspace, use_case) as turn:
                turn.publish(known, turn.champion())
    return _told(workspace, known, run.result)


@dataclass(frozen=True)
class _Order:
    """What was asked for, and what it is carried out with."""

    workspace: Workspace
    use_case: UseCase
    run: StageRun
    data: TrainingFrame
    inputs: str
    promote: bool
    actor: str

    def carry_out(self, made: Candidate | Entry) -> Entry:
        """Register a fitted model, or take up a registered one; let the gate judge; commit."""
        day = self.run.window.end
        self.run.begin([day])
        with take_turn(self.workspace, self.use_case) as turn:
            entry, known = self._registration(turn, made)
            champion, verdict, event, refit = turn.champion(), None, None, None
            if self.promote and (not known or _undecided(self.workspace, self.use_case, entry)):
                verdict, event = self._judge(turn, entry, champion)
            if event == "promoted":
                refit = turn.refit_of(entry, self.data)
            with self.run.commit() as commit:
                if not known:
                    ledger.enter(commit.connection, entry, commit.at)
                if verdict is not None and event is not None:
                    turn.decide(
                        commit.connection,
                        entry,
                        event,
                        verdict.reasons,
                        verdict.evidence,
                        self.actor,
                        commit.at,
                        refit,
                    )
                commit.count(rows_in=self.data.rows_due, rows_out=len(self.data.frame))
                commit.versions(inputs=self.data.lake_versions)
                if missing := len(self.data.missing_days):
                    commit.note(f"{missing} data day(s) of the history have no features")
                commit.done(day, self.inputs, entry.sha256)
                turn.verify()
            release.repeat_champion(self.workspace, turn.registry)
            turn.publish(entry, refit, champion if verdict else None)
        return entry

    def _registration(self, turn: Turn, made: Candidate | Entry) -> tuple[Entry, bool]:
        """Return the entry that registers a model, and whether the ledger has it already."""
        if isinstance(made, Entry):
            return made, True
        name, sha256 = self.use_case.name, made.model.sha256
        with self.workspace.warehouse.reading() as connection:
            known = ledger.find(connection, name, sha256)
        if known is not None:
            return known, True
        version = release.register(turn.registry, self.use_case, made)
        as_of = self.run.window.end
        revision = self.workspace.context.code_revision
        entry = Entry(
            entry=0,
            use_case=name,
            model_version=version.version,
            sha256=sha256,
            event="registered",
            actor=self.actor,
            reason=f"trained as of {as_of}: {release.beside_baselines(made.evidence)}",
            evidence={**made.evidence, "code_revision": revision},
            artifact_uri=version.artifact_uri,
            as_of=as_of,
            at=self.workspace.now,
        )
        return entry, False

    def _judge(self, turn: Turn, entry: Entry, champion: Entry | None) -> tuple[Verdict, Event]:
        """Return the gate's verdict and what becomes of it: shadow first, then a person."""
        gate = self.use_case.gate
        verdict = comparison.judge(self.workspace, self.use_case, self.data.frame, entry, champion)
        if verdict.decision != "promoted":
            return verdict, verdict.decision
        if gate.shadow_nights and champion is not None:
            other = turn.shadow()
            if other is None:
                return verdict, "shadowed"
            why = f"version {other.model_version} is in shadow until the gate decides about it"
            return Verdict("kept", (why, *verdict.reasons), verdict.evidence), "kept"
        return verdict, "proposed" if gate.approval == "required" else "promoted"


def _check(workspace: Workspace, use_case: UseCase, as_of: date) -> None:
    if use_case.task == "binary" and use_case.costs is None:
        raise ConfigurationError(
            f"{use_case.name} decides yes or no and declares no costs; declare what a false alarm "
            "and a miss cost: costs=Costs(false_alarm=1, miss=3)"
        )
    judged = [it for it in metric_names(use_case) if better_when_higher(it) is not None]
    if use_case.gate.metric not in judged:
        raise ConfigurationError(
            f"{use_case.name}: the gate's metric {use_case.gate.metric!r} is none of "
            f"{', '.join(judged)}; correct Gate.metric in the declaration"
        )
    dataset, history = use_case.dataset, use_case.training.history_days
    if dataset.repeats_after is not None and history > dataset.repeats_after:
        raise UsageError(
            f"{use_case.name} wants {history} days of history, but {dataset.name} repeats itself "
            f"after {dataset.repeats_after}: a model would be judged on rows it was trained on"
        )
    newest = dataset.newest_ended_day(workspace.now)
    if as_of > newest:
        raise UsageError(
            f"{use_case.name}: as-of day {as_of} has not ended; the newest that has is {newest}"
        )


def _input_hash(use_case: UseCase, data: TrainingFrame) -> str:
    """Return the fingerprint of all that decides which bytes a training gives."""
    return fingerprint.of_values(
        {
            "frame": data.sha256,
            "features": data.features,
            "categorical": data.categorical,
            "words": data.words,
            "service": use_case.feature_service,
            "mature_after": use_case.label.mature_after,
            "training": asdict(use_case.training),
            "monitoring": asdict(use_case.monitoring),
            "task": use_case.task,
            "costs": use_case.costs and asdict(use_case.costs),
            **({"baseline": asdict(use_case.baseline)} if use_case.baseline else {}),
            "gate": [use_case.gate.metric, [asdict(it) for it in use_case.gate.slices]],
            "xgboost": xgb.__version__,
            "optuna": use_case.training.tuning and optuna.__version__,
        }
    )


def _trained_before(
    workspace: Workspace, use_case: UseCase, run: StageRun, as_of: date, inputs: str
) -> Entry | None:
    """Return the version this training gave before, if its inputs are the same."""
    before = run.states.get(as_of)
    if before is None or run.due({as_of: inputs}):
        return None
    with workspace.warehouse.reading() as connection:
        return ledger.find(connection, use_case.name, before.output_hash or "")


def _undecided(workspace: Workspace, use_case: UseCase, entry: Entry) -> bool:
    """Tell whether the present gate has not yet judged a version against the present champion."""
    with workspace.warehouse.reading() as connection:
        serving = ledger.champion(connection, use_case.name)
        verdict = ledger.verdict(connection, use_case.name, entry.model_version)
    if serving and entry.model_version in (serving.model_version, serving.refit_of):
        return False
    if verdict is None:
        return True
    judged = (verdict.evidence.get("champion"), verdict.evidence.get("gate"))
    return judged != (serving and serving.model_version, promotion.identity(use_case))


def _told(workspace: Workspace, known: Entry, stage: StageResult) -> TrainingResult:
    name, version = known.use_case, known.model_version
    with workspace.warehouse.reading() as connection:
        registered = ledger.registration(connection, name, version)
        decision = ledger.verdict(connection, name, version)
        serving = ledger.champion(connection, name)
    assert registered is not None, "the registration was just committed"
    return TrainingResult(registered, decision or registered, serving, stage)
