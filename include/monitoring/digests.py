"""The digest stage: one page per week of a use case, and the index of all pages.

Its days are the Sundays of weeks. A week's digest is due when the week is over and what stages
have done about it differs from what the page was written from: a healed night, a restated one and
an outcome that has matured bring it up to date by themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import date

import sqlalchemy as sa

from include import healing
from include.declare import UseCase
from include.errors import UsageError
from include.lake import fingerprint
from include.monitoring import index, pages
from include.monitoring.digest.record import STAGE, read, stages
from include.monitoring.week import Week, weeks_of
from include.training.model import write_aside
from include.warehouse import runs
from include.warehouse.days import day_states, done_days
from include.warehouse.migrate import require_current
from include.warehouse.stages import StageResult, StageRun, stage_run
from include.window import Window
from include.workspace import Workspace

MOST_WEEKS = 4
"""Weeks that one run writes, newest first; a backfill of a year writes no more."""

_log = logging.getLogger(__name__)


def write_digests(
    workspace: Workspace, use_case: UseCase, window: Window, heal_days: int = 0
) -> StageResult:
    """Write the digests that are due of weeks a run has reached, and the index of all pages.

    A week is over when a later day, or its Sunday, was asked for or scored. A page that cannot
    be written stops its week and no other, and is tried again by the next run.
    """
    reached = healing.reach(use_case.dataset, window, heal_days, workspace.now)
    with stage_run(workspace.warehouse, STAGE, use_case.name, window, workspace.context) as run:
        with workspace.warehouse.reading() as connection:
            weeks = _over(connection, use_case, reached)
            inputs = {week: _input(connection, use_case, week) for week in weeks}
        due = set(run.due({week.end: found for week, found in inputs.items()}))
        home = workspace.settings.home
        wanted = {
            week: found
            for week, found in inputs.items()
            if week.end in due or not pages.digest_path(home, use_case.name, week).exists()
        }
        _write(workspace, use_case, run, wanted)
        return run.result


def write_week(workspace: Workspace, use_case: UseCase, week: Week | None = None) -> StageResult:
    """Write the digest of one week, over or not; of the newest that is over if none is named.

    Raises:
        UsageError: the score stage has not touched the week.
        ConfigurationError: before `./nightshift init`.
        DaysStopped: the page cannot be written.
    """
    require_current(workspace.warehouse)
    with workspace.warehouse.reading() as connection:
        weeks = weeks_with_nights(connection, use_case)
        newest = max(done_days(connection, "score", use_case.name), default=date.min)
    if week is None:
        week = max((it for it in weeks if it.end <= newest), default=None)
        if week is None:
            raise UsageError(
                f"{use_case.name}: no week with scores is over; name one that is not: "
                f"./nightshift digest {use_case.name} --week YYYY-Www"
            )
    if week not in weeks:
        known = f"it has {weeks[0]} to {weeks[-1]}" if weeks else "it has none at all"
        raise UsageError(f"{use_case.name} has no night in {week}; {known}")
    with stage_run(
        workspace.warehouse, STAGE, use_case.name, week.window, workspace.context
    ) as run:
        with workspace.warehouse.reading() as connection:
            wanted = {week: _input(connection, use_case, week)}
        _write(workspace, use_case, run, wanted)
        return run.result.or_raise()


def weeks_with_nights(connection: sa.Connection, use_case: UseCase) -> list[Week]:
    """Return the weeks that the score stage has touched, oldest first."""
    days = day_states(connection, "score", use_case.name)
    return sorted({Week.of(day) for day in days})


def _over(connection: sa.Connection, use_case: UseCase, reached: Window) -> list[Week]:
    """Return the newest weeks within reach that are over and have nights, oldest first."""
    touched = set(weeks_with_nights(connection, use_case))
    newest = max([*done_days(connection, "score", use_case.name), reached.end])
    over = [week for week in weeks_of(reached) if week in touched and week.end <= newest]
    return over[-MOST_WEEKS:]


def _input(connection: sa.Connection, use_case: UseCase, week: Week) -> str:
    """Return the fingerprint of what stages have done about a week, times aside."""
    done = stages(connection, use_case, week.window)
    return fingerprint.of_values([(stage, str(day), what) for stage, day, what, _ in done])


def _write(
    workspace: Workspace, use_case: UseCase, run: StageRun, wanted: Mapping[Week, str]
) -> None:
    run.begin(week.end for week in wanted)
    written: dict[Week, tuple[str, str]] = {}
    failed: dict[Week, str] = {}
    for week in wanted:
        try:
            written[week] = _write_page(workspace, use_case, week)
        except Exception as error:  # one page must not keep the others from being written
            _log.warning("the digest of %s could not be written", week, exc_info=True)
            failed[week] = f"the digest of {week} could not be written: {runs.one_line(error)}"
    notes = [f"{week}: {words}" for week, (_, words) in written.items()]
    notes += _rebuild_index(workspace)
    with run.commit() as commit:
        for week, (content, _) in written.items():
            commit.done(week.end, wanted[week], content)
        for week, why in failed.items():
            commit.stopped(week.end, None, why)
        for note in notes:
            commit.note(note)


def _write_page(workspace: Workspace, use_case: UseCase, week: Week) -> tuple[str, str]:
    """Write one page, whole or not at all; return its fingerprint and what it says in a line."""
    from include.monitoring.digest import page, trust  # matplotlib: half a second

    with workspace.warehouse.reading() as connection:
        found = read(connection, use_case, week)
    verdict = trust.judge(found)
    text = page.render(found, verdict)
    write_aside(pages.digest_path(workspace.settings.home, use_case.name, week), text.encode())
    return fingerprint.of_values(text), verdict.words


def _rebuild_index(workspace: Workspace) -> Sequence[str]:
    try:
        index.rebuild(workspace)
    except Exception as error:  # the pages are there all the same
        _log.warning("the index of reports could not be written", exc_info=True)
        return [f"the index of reports could not be written: {runs.one_line(error)}"]
    return []
