"""What becomes of a fitted model outside its own process: version, files, card, alias."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from include.declare import UseCase
from include.errors import DataError, NightshiftError
from include.training import card as cards
from include.training import ledger, model
from include.training.assessment import SCHEDULE_ONLY
from include.training.candidate import Candidate
from include.training.declared import DECLARED
from include.training.evaluation.bootstrap import told
from include.training.ledger import Entry
from include.training.registry import Registry, Version
from include.workspace import Workspace

_log = logging.getLogger(__name__)


def register(registry: Registry, use_case: UseCase, candidate: Candidate) -> Version:
    """Return the registry's version of these bytes, made now unless a killed run made it."""
    sha256, evidence = candidate.model.sha256, candidate.evidence
    found = registry.find(sha256)
    if found is not None and _readable(found, sha256):
        return found
    as_of, refit_of = candidate.model.facts.as_of, evidence.get("refit_of")
    named = f"refit of version {refit_of} as of {as_of}" if refit_of else f"as of {as_of}"
    with tempfile.TemporaryDirectory(prefix="nightshift-train-") as name:
        candidate.save(Path(name))
        return registry.register(
            Path(name),
            run_name=named,
            sha256=sha256,
            description=f"Trained {named}: {beside_baselines(evidence)}",
            params={
                **evidence["parameters"],
                "rounds": evidence["rounds"],
                "seed": evidence["seed"],
                "features": ", ".join(candidate.model.facts.features),
            },
            metrics={} if refit_of else _metrics(evidence),
            tags={
                "as_of": as_of,
                "feature_service": use_case.feature_service,
                "frame_sha256": str(evidence["frame_sha256"]),
                **({"refit_of": str(refit_of)} if refit_of else {}),
            },
        )


def repeat_champion(workspace: Workspace, registry: Registry, heal: bool = True) -> None:
    """Let the registry's alias say what the ledger says; only look at it without `heal`.

    The alias lags when a run died between the two; then it names nothing or the champion
    before, and is set. Anything else was said by somebody else.

    Raises `DataError` naming both when the alias was moved by another hand.
    """
    with workspace.warehouse.reading() as connection:
        service = ledger.in_service(connection, registry.name)
    serving = service[-1] if service else None
    before = [
        it.model_version
        for it in service
        if serving and it.entry < serving.entry and it.model_version != serving.refit_of
    ]
    said = registry.champion()
    if said == (serving and serving.model_version):
        return
    if serving is None or said not in (None, *before[-1:]):
        ours = f"version {serving.model_version}" if serving else "nobody"
        way = f"./nightshift rollback {registry.name} --to VERSION --reason …"
        raise DataError(
            f"{registry.name}: the ledger's champion is {ours}, but MLflow's alias 'champion' "
            f"names version {said}, and the ledger decides. Set the alias back in MLflow (or "
            f"remove it); to change the champion use {way}, or ./nightshift promote"
        )
    if not heal:
        return
    registry.point(serving.model_version)
    _log.info("%s: the alias champion is now version %s", registry.name, serving.model_version)


def publish_cards(
    workspace: Workspace, registry: Registry, use_case: UseCase, versions: Iterable[str | None]
) -> None:
    """Write the cards of versions from the ledger and attach them to their models.

    A card that cannot be written, because its model's files are gone or not as registered, is
    logged: what was decided stands without it.
    """
    with workspace.warehouse.reading() as connection:
        history = ledger.history(connection, use_case.name)
    for version in sorted({it for it in versions if it is not None}):
        try:
            card = card_of(use_case, history, version)
        except NightshiftError as error:
            _log.warning("the card of version %s was not written: %s", version, error)
            continue
        with tempfile.TemporaryDirectory(prefix="nightshift-card-") as name:
            cards.write(Path(name), card)
            registry.attach(version, Path(name))


def card_of(use_case: UseCase, history: Sequence[Entry], version: str) -> cards.Card:
    """Return a version's card as the ledger stands; its model's file must be as registered."""
    entry = next(it for it in history if it.model_version == version and it.event == "registered")
    theirs = {version, entry.refit_of or version}
    theirs |= {it.model_version for it in history if it.refit_of == version}
    mine = [
        it
        for it in history
        if theirs & {it.model_version, it.refit_of, it.evidence.get("champion")}
    ]
    return cards.render(use_case, model.load(entry.artifact_uri, entry.sha256).facts, entry, mine)


def beside_baselines(evidence: Mapping[str, Any]) -> str:
    """Return how good a model is beside the schedule alone and the declared baseline, in words."""
    metric, gain = evidence["metric"], evidence["history_gain"]
    found = evidence["model"]["metrics"].get(metric)
    plain = evidence["baselines"][SCHEDULE_ONLY]["metrics"].get(metric)
    compared = f"{metric} {told(found)}, the schedule alone {told(plain)}"
    if gain is not None:
        compared += f"; with history the model {_beats(gain)} the schedule alone {_told(gain)}"
    rule = evidence.get(DECLARED)
    if rule and rule["gain"] is not None:
        compared += f"; it {_beats(rule['gain'])} {rule['meaning']} {_told(rule['gain'])}"
    return compared


def _beats(gain: Mapping[str, float]) -> str:
    return "beats" if gain["lower"] > 0 else "does not clearly beat"


def _told(gain: Mapping[str, float]) -> str:
    return f"({gain['value']:+.4f} [{gain['lower']:+.4f}, {gain['upper']:+.4f}])"


def _metrics(evidence: Mapping[str, Any]) -> dict[str, float]:
    metrics = {
        f"{name}{suffix}": found[part]
        for name, found in evidence["model"]["metrics"].items()
        for suffix, part in (("", "value"), ("_lower", "lower"), ("_upper", "upper"))
    }
    for baseline, evaluation in evidence["baselines"].items():
        metrics |= {f"{baseline}_{n}": found["value"] for n, found in evaluation["metrics"].items()}
    return metrics


def _readable(version: Version, sha256: str) -> bool:
    try:
        model.load(version.artifact_uri, sha256)
    except NightshiftError as error:
        _log.warning("registered version %s is not used: %s", version.version, error)
        return False
    return True
