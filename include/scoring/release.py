"""Publishing a held night, once a person has said that it may be."""

from __future__ import annotations

from datetime import date

from include.declare import UseCase
from include.scoring import holds
from include.scoring.score import score
from include.training import ledger
from include.warehouse.stages import StageResult
from include.window import Window
from include.workspace import Workspace


def release(
    workspace: Workspace, use_case: UseCase, day: date, *, actor: str, reason: str
) -> StageResult:
    """Release what is held of a day and publish it: the same model's scores of the same input.

    Raises:
        UsageError: nothing is held of the day, it was released already, or there is no reason.
        DaysStopped: the day's features changed since it was held, and its new scores are held.
    """
    held = holds.release(workspace, use_case, day, actor=actor, reason=reason)
    with workspace.warehouse.reading() as connection:
        champion = ledger.champion(connection, use_case.name)
    night = Window.night(day)
    if champion is not None and champion.model_version == held.model_version:
        return score(workspace, use_case, night, policy="champion_now")
    return score(workspace, use_case, night, policy="pinned", pinned=held.model_version)
