"""Scoring published days again with today's champion, after who serves has changed."""

from __future__ import annotations

from datetime import date

from include.declare import UseCase
from include.errors import UsageError
from include.scoring.score import STAGE, score
from include.warehouse.stages import StageResult, done_days
from include.window import Window
from include.workspace import Workspace


def window_since(workspace: Workspace, use_case: UseCase, first: date) -> Window:
    """Return the days from `first` to the newest scored one; raises `UsageError` if none are."""
    with workspace.warehouse.reading() as connection:
        newest = max(done_days(connection, STAGE, use_case.name), default=None)
    if newest is None or first > newest:
        told = "nothing is scored yet" if newest is None else f"the newest scored day is {newest}"
        raise UsageError(
            f"{use_case.name}: there is nothing to score again from {first} on; {told}"
        )
    return Window(first, newest)


def rescore(workspace: Workspace, use_case: UseCase, first: date) -> StageResult:
    """Score the days from `first` to the newest scored one with today's champion.

    What was published before stays in the revisions of the scores.

    Raises:
        UsageError: nothing is scored from `first` on, or it lies before the dataset's first day.
        DaysStopped: days have no features; the others are scored again.
    """
    window = window_since(workspace, use_case, first)
    return score(workspace, use_case, window, heal_days=0, policy="champion_now")
