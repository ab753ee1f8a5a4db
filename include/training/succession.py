"""Who serves: a version is promoted, kept out, proposed to a person, or rolled back to.

Every change of champion is one transaction in the ledger, one at a time; the registry's alias
follows, and is set by the next of these functions when a process died in between.
"""

from __future__ import annotations

from include.declare import UseCase
from include.errors import UsageError
from include.training import ledger, model, shadowing
from include.training.ledger import Entry, Event
from include.training.turn import take_turn
from include.workspace import Workspace


def promote(
    workspace: Workspace, use_case: UseCase, version: str, *, actor: str, reason: str | None = None
) -> Entry:
    """Let the gate judge a registered version now, and put it into service if it may be.

    Returns the ledger's entry of the verdict. A declared approval or shadow is for trainings:
    who calls this is the person.

    Raises:
        UsageError: the version is not registered, or is champion already.
        DataError: a model file is not the one registered, or ledger and alias disagree.
    """
    with take_turn(workspace, use_case) as turn:
        evaluated = turn.evaluated(version)
        champion = turn.champion()
        if champion and version in (champion.model_version, champion.refit_of):
            raise UsageError(f"{use_case.name}: version {version} is the champion already")
        verdict = turn.judge_now(evaluated, champion)
        told = (*verdict.reasons, f"asked for: {reason}") if reason else verdict.reasons
        return turn.settle(evaluated, verdict.decision, told, verdict.evidence, actor)


def conclude(
    workspace: Workspace,
    use_case: UseCase,
    version: str,
    *,
    approved: bool | None,
    actor: str,
    reason: str,
) -> Entry:
    """Carry out a person's answer about a proposed version; None means that nobody answered.

    The same answer given again returns the entry of the first, and silence after an answer the
    entry of that answer.

    Raises:
        UsageError: the version is not proposed, or the champion is another than it was
            judged against.
    """
    with take_turn(workspace, use_case) as turn:
        evaluated = turn.evaluated(version)
        answer = f"{_answer(approved, actor)}: {reason}"
        done = turn.decision(evaluated)
        if done is not None and done.event != "proposed" and _repeats(approved, answer, done):
            turn.publish(done, turn.champion())
            return done
        proposal = turn.proposal(evaluated)
        if not approved:
            return turn.settle(evaluated, "kept", (answer,), proposal.evidence, actor)
        champion = turn.champion()
        judged_against = proposal.evidence.get("champion")
        if judged_against != (champion and champion.model_version):
            raise UsageError(
                f"{use_case.name}: version {version} was judged against champion "
                f"{judged_against or 'nobody'}, and the champion is now "
                f"{champion.model_version if champion else 'nobody'}; let the gate judge again: "
                f"./nightshift promote {use_case.name} {version}"
            )
        reasons = (answer, proposal.reason)
        return turn.settle(evaluated, "promoted", reasons, proposal.evidence, actor)


def judge_shadow(workspace: Workspace, use_case: UseCase, *, actor: str) -> Entry | None:
    """Let the gate decide about the version in shadow, once its nights can be judged.

    That is when the version has scored the declared number of nights and the labels of the
    last of them are mature. Returns the verdict's entry, None while it is too early.
    """
    with take_turn(workspace, use_case) as turn:
        with workspace.warehouse.reading() as connection:
            entry = ledger.shadow(connection, use_case.name)
            if entry is None or not shadowing.is_ripe(connection, workspace, use_case, entry):
                return None
            nights = shadowing.beside_champion(connection, use_case, entry)
        evaluated = turn.evaluated(entry.model_version)
        verdict = turn.judge_now(evaluated, turn.champion())
        event: Event = verdict.decision
        if event == "promoted" and use_case.gate.approval == "required":
            event = "proposed"
        reasons = (nights, *verdict.reasons)
        if event == "proposed":
            name, version = use_case.name, entry.model_version
            reasons += (f"decide with ./nightshift approve (or reject) {name} {version}",)
        return turn.settle(evaluated, event, reasons, verdict.evidence, actor)


def roll_back(
    workspace: Workspace, use_case: UseCase, version: str, *, actor: str, reason: str
) -> Entry:
    """Put a version that was champion before into service again; the next night scores with it.

    Asked for again with the same reason it returns the entry of the first time.

    Raises:
        UsageError: no reason is given, the version is champion, or never was.
        DataError: its file is not the one registered.
        StorageUnavailable: its file cannot be read.
    """
    if not reason.strip():
        raise UsageError("a rollback needs a reason, which the ledger keeps; give one")
    with take_turn(workspace, use_case, heal=False) as turn:
        entry = turn.registered(version)
        with workspace.warehouse.reading() as connection:
            service = ledger.in_service(connection, use_case.name)
        served = list(dict.fromkeys(it.model_version for it in service))
        if version not in served:
            raise UsageError(
                f"{use_case.name}: version {version} was never champion, so there is nothing to "
                f"roll back to; champions were {', '.join(served) or 'none'}. To let the gate "
                f"judge it: ./nightshift promote {use_case.name} {version}"
            )
        serving = service[-1]
        if serving.model_version == version:
            if serving.reason.startswith(f"{reason.strip()} (instead of version "):
                turn.publish(serving)  # a task that died after its commit asks again
                return serving
            raise UsageError(f"{use_case.name}: version {version} is the champion already")
        model.load(entry.artifact_uri, entry.sha256)
        evidence = {"champion": serving.model_version}
        if entry.refit_of:
            evidence["refit_of"] = entry.refit_of
        told = f"{reason.strip()} (instead of version {serving.model_version})"
        return turn.settle(entry, "rolled_back", (told,), evidence, actor)


def _answer(approved: bool | None, actor: str) -> str:
    if approved is None:
        return "nobody answered"
    return f"{'approved' if approved else 'rejected'} by {actor}"


def _repeats(approved: bool | None, answer: str, done: Entry) -> bool:
    """Tell whether an answer is the one carried out, or silence, which says nothing new."""
    return approved is None or f"{done.reason}; ".startswith(f"{answer}; ")
