"""The training stage: a model as of a day, registered, judged and, if it may, promoted.

The order of writes is what makes a kill harmless: files and version in the registry first,
then one transaction with the ledger's entries, then the alias. A version the ledger does not
know is found again by its SHA-256; an alias that lags is set on the next run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from include.declare import UseCase
from include.errors import ConfigurationError, UsageError
from include.lake import fingerprint
from include.training import ledger, release
from include.training.boosting import xgb
from include.training.candidate import build
from include.training.frame import TrainingFrame, labelled_frame
from include.training.ledger import Entry
from include.training.registry import Registry, Version, open_registry
from include.warehouse.stages import Commit, StageResult, StageRun, stage_run
from include.window import Window
from include.workspace import Workspace

STAGE = "train"


@dataclass(frozen=True)
class TrainingResult:
    """What a training came to.

    Attributes:
        metrics: metric → value, lower, upper on the out-of-time rows.
        baselines: baseline → the same metrics on the same rows.
        verdict: promoted, kept, refused, or registered when nobody asked for promotion.
        reasons: why, in words with numbers.
        promoted: whether this version is champion now.
        evidence: everything measured, as in the ledger.
        stage: the stage run; unchanged when this very model was there already.
    """

    use_case: str
    as_of: date
    model_version: str
    sha256: str
    metrics: Mapping[str, Mapping[str, float]]
    baselines: Mapping[str, Mapping[str, Mapping[str, float]]]
    verdict: str
    reasons: tuple[str, ...]
    promoted: bool
    evidence: Mapping[str, Any]
    stage: StageResult

    def summary(self) -> str:
        """Return the training in one line for a person."""
        auc = self.metrics["auc"]
        return (
            f"train {self.use_case} as of {self.as_of}: version {self.model_version} "
            f"{self.verdict}, AUC {auc['value']:.4f} [{auc['lower']:.4f}, {auc['upper']:.4f}]; "
            f"{'; '.join(self.reasons)}"
        )


def train(
    workspace: Workspace, use_case: UseCase, as_of: date, promote: bool, actor: str
) -> TrainingResult:
    """Train a model on labels mature on `as_of` and register it.

    With `promote` the gate decides: the first model that passes becomes champion, a later one
    only if it is better on the same out-of-time rows. A model with the bytes of a registered
    version is that version: it is not registered or judged against the same champion twice.
    `actor` is who asked, for the ledger.

    Raises:
        UsageError: `as_of` has not ended.
        DataError: too few rows or days, one class only, or a model file that was tampered with.
        ConfigurationError: `./nightshift init` has not been run, or the task is not binary.
        StorageUnavailable: MLflow, lake or warehouse cannot be used; worth retrying.
    """
    _check(workspace, use_case, as_of)
    night = Window.night(as_of)
    with stage_run(workspace.warehouse, STAGE, use_case.name, night, workspace.context) as run:
        registry = open_registry(workspace.settings, use_case.name)
        data = labelled_frame(workspace, use_case, as_of)
        inputs = _input_hash(use_case, data)
        known = _trained_before(workspace, use_case, run, as_of, inputs)
        if known is None or (promote and _undecided(workspace, known)):
            order = _Order(workspace, use_case, as_of, promote, actor)
            known = _train(order, run, registry, data, inputs)
        else:
            run.finish(f"version {known.model_version} was trained from the same rows before")
        release.repeat_champion(workspace, registry)
    return _told(workspace, known, run.result)


@dataclass(frozen=True)
class _Order:
    """What was asked for."""

    workspace: Workspace
    use_case: UseCase
    as_of: date
    promote: bool
    actor: str

    def enter(
        self,
        commit: Commit,
        version: Version,
        sha256: str,
        event: ledger.Event,
        reason: str,
        evidence: Mapping[str, Any],
    ) -> None:
        """Append an entry about a version to the ledger."""
        ledger.append(
            commit.connection,
            use_case=self.use_case.name,
            model_version=version.version,
            sha256=sha256,
            event=event,
            actor=self.actor,
            reason=reason,
            evidence=evidence,
            artifact_uri=version.artifact_uri,
            as_of=self.as_of,
            at=commit.at,
        )


def _check(workspace: Workspace, use_case: UseCase, as_of: date) -> None:
    if use_case.task != "binary":
        raise ConfigurationError(
            f"{use_case.name} is declared as {use_case.task}; only binary use cases can be "
            "trained in this version"
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
            "xgboost": xgb.__version__,
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


def _undecided(workspace: Workspace, entry: Entry) -> bool:
    """Tell whether the gate has not yet judged a version against the present champion."""
    with workspace.warehouse.reading() as connection:
        serving = ledger.champion(connection, entry.use_case)
        verdict = ledger.verdict(connection, entry.use_case, entry.model_version)
    if serving is not None and serving.model_version == entry.model_version:
        return False
    if verdict is None:
        return True
    return verdict.evidence.get("champion") != (serving.model_version if serving else None)


def _train(
    order: _Order, run: StageRun, registry: Registry, data: TrainingFrame, inputs: str
) -> Entry:
    """Fit, register, judge and commit; return the version's registration."""
    warehouse, use_case, as_of = order.workspace.warehouse, order.use_case, order.as_of
    candidate = build(use_case, data, as_of)
    sha256, evidence = candidate.model.sha256, candidate.evidence(data)
    run.begin([as_of])
    with warehouse.reading() as connection:
        known = ledger.find(connection, use_case.name, sha256)
        champion = ledger.champion(connection, use_case.name)
    if known is not None:
        version = Version(known.model_version, known.artifact_uri)
    else:
        version = release.register(registry, use_case, candidate, evidence, as_of)
    verdict = None
    if order.promote and (known is None or _undecided(order.workspace, known)):
        verdict = release.judge(use_case, candidate, champion)
    with run.commit() as commit:
        if known is None:
            beside = f"trained as of {as_of}: {release.beside_baselines(candidate)}"
            order.enter(commit, version, sha256, "registered", beside, evidence)
        if verdict is not None:
            reason = "; ".join(verdict.reasons)
            order.enter(commit, version, sha256, verdict.decision, reason, verdict.evidence)
        commit.count(rows_in=data.rows_due, rows_out=len(data.frame))
        commit.versions(inputs=data.lake_versions)
        if data.missing_days:
            commit.note(f"{len(data.missing_days)} data day(s) of the history have no features")
        commit.done(as_of, inputs, sha256)
    with warehouse.reading() as connection:
        registered = ledger.find(connection, use_case.name, sha256)
    assert registered is not None, "the registration was just committed"
    return registered


def _told(workspace: Workspace, entry: Entry, stage: StageResult) -> TrainingResult:
    with workspace.warehouse.reading() as connection:
        serving = ledger.champion(connection, entry.use_case)
        verdict = ledger.verdict(connection, entry.use_case, entry.model_version)
    told = verdict or entry
    baselines = entry.evidence["baselines"]
    assert entry.as_of is not None, "training writes the as-of day"
    return TrainingResult(
        use_case=entry.use_case,
        as_of=entry.as_of,
        model_version=entry.model_version,
        sha256=entry.sha256,
        metrics=entry.evidence["model"]["metrics"],
        baselines={name: found["metrics"] for name, found in baselines.items()},
        verdict=told.event,
        reasons=(told.reason,),
        promoted=serving is not None and serving.model_version == entry.model_version,
        evidence=entry.evidence,
        stage=stage,
    )
