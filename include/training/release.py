"""What becomes of a fitted candidate outside its own process: version, verdict, alias."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from include.declare import UseCase
from include.errors import NightshiftError
from include.training import ledger, model, promotion
from include.training.candidate import SCHEDULE_ONLY, Candidate
from include.training.fit import labels_of
from include.training.ledger import Champion
from include.training.promotion import Rows, Verdict
from include.training.registry import Registry, Version
from include.training.split import as_days
from include.window import parse_day
from include.workspace import Workspace

_log = logging.getLogger(__name__)


def register(
    registry: Registry,
    use_case: UseCase,
    candidate: Candidate,
    evidence: Mapping[str, Any],
    as_of: date,
) -> Version:
    """Return the registry's version of these bytes, made now unless a killed run made it."""
    sha256 = candidate.model.sha256
    found = registry.find(sha256)
    if found is not None and _readable(found, sha256):
        return found
    with tempfile.TemporaryDirectory(prefix="nightshift-train-") as name:
        candidate.save(Path(name), evidence)
        return registry.register(
            Path(name),
            run_name=f"as of {as_of}",
            sha256=sha256,
            description=f"Trained as of {as_of}: {beside_baselines(candidate)}",
            params={
                **use_case.training.parameters,
                "rounds": candidate.rounds,
                "seed": use_case.training.seed,
                "features": ", ".join(candidate.model.facts.features),
            },
            metrics=_metrics(candidate),
            tags={
                "as_of": as_of.isoformat(),
                "feature_service": use_case.feature_service,
                "frame_sha256": str(evidence["frame_sha256"]),
            },
        )


def judge(use_case: UseCase, candidate: Candidate, champion: Champion | None) -> Verdict:
    """Let the gate decide between a candidate and the champion, if there is one.

    Raises `DataError` when the champion's file is not the one that was promoted.
    """
    if champion is None:
        verdict = promotion.decide_first(use_case, candidate.evaluation)
    else:
        verdict = _against(use_case, candidate, champion)
    evidence = {"champion": champion and champion.model_version, **verdict.evidence}
    return Verdict(verdict.decision, verdict.reasons, evidence)


def repeat_champion(workspace: Workspace, registry: Registry) -> None:
    """Let the registry's alias say what the ledger says."""
    with workspace.warehouse.reading() as connection:
        serving = ledger.champion(connection, registry.name)
    if serving is not None and registry.point(serving.model_version):
        _log.info("%s: the alias champion is now version %s", registry.name, serving.model_version)


def beside_baselines(candidate: Candidate) -> str:
    """Return how good a candidate is beside the schedule alone, in words."""
    found = candidate.evaluation.metrics["auc"]
    plain = candidate.baselines[SCHEDULE_ONLY].metrics["auc"]
    gain = candidate.history_gain
    told = "beats" if gain.lower > 0 else "does not clearly beat"
    return (
        f"AUC {found}, the schedule alone {plain}; with history the model {told} the schedule "
        f"alone ({gain.value:+.4f} [{gain.lower:+.4f}, {gain.upper:+.4f}])"
    )


def _against(use_case: UseCase, candidate: Candidate, champion: Champion) -> Verdict:
    """Compare on the candidate's out-of-time rows that the champion has not seen either."""
    theirs = model.load(champion.artifact_uri, champion.sha256)
    missing = [name for name in theirs.facts.features if name not in candidate.test.columns]
    if missing:
        return Verdict(
            "kept",
            (
                f"champion {champion.model_version} needs {', '.join(missing)}, which the frame "
                "no longer has, so the two cannot be compared on the same rows",
            ),
        )
    seen = parse_day(theirs.facts.seen_through)
    test = candidate.test[[day.item() > seen for day in as_days(candidate.test["target_date"])]]
    rows = Rows(
        labels_of(test, candidate.model.facts.label),
        as_days(test["target_date"]),
        (candidate.model.predict(test), candidate.model.facts.threshold),
        (theirs.predict(test), theirs.facts.threshold),
    )
    return promotion.decide(
        use_case, candidate.evaluation, champion.model_version, rows, use_case.training.seed
    )


def _metrics(candidate: Candidate) -> dict[str, float]:
    metrics = {
        f"{name}{suffix}": value
        for name, found in candidate.evaluation.metrics.items()
        for suffix, value in (("", found.value), ("_lower", found.lower), ("_upper", found.upper))
    }
    for baseline, evaluation in candidate.baselines.items():
        metrics |= {f"{baseline}_{n}": found.value for n, found in evaluation.metrics.items()}
    return metrics


def _readable(version: Version, sha256: str) -> bool:
    try:
        model.load(version.artifact_uri, sha256)
    except NightshiftError as error:
        _log.warning("registered version %s is not used: %s", version.version, error)
        return False
    return True
