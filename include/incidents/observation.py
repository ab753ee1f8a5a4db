"""Everything that is wrong now, read off the warehouse: nothing is remembered between looks.

What cannot be looked at, such as a use case whose declaration is broken, is a cause itself and
hides no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from include import catalog
from include.declare import Dataset, UseCase
from include.errors import NightshiftError, TransientError
from include.incidents import mornings, signals, stage_days, stage_runs
from include.incidents.cause import NOT_WATCHED, OPERATIONS, Cause, Key
from include.incidents.look import Look
from include.scoring import readiness
from include.warehouse import runs
from include.workspace import Workspace

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Observation:
    """What one look found.

    Attributes:
        causes: all that is wrong, datasets first.
        unseen: subject → why it could not be looked at; nothing is known about it.
    """

    causes: tuple[Cause, ...]
    unseen: dict[str, str]


def observe(workspace: Workspace, look: Look) -> Observation:
    """Look at every dataset and use case; brings their readiness up to date first."""
    causes: list[Cause] = []
    unseen: dict[str, str] = {}
    subjects: list[tuple[str, Callable[[], list[Cause]]]] = [
        (OPERATIONS, lambda: _operations(workspace, look)),
        *((name, _dataset(workspace, look, name)) for name in catalog.dataset_names()),
        *((name, _use_case(workspace, look, name, causes)) for name in catalog.use_case_names()),
    ]
    for subject, find in subjects:
        try:
            causes += find()
        except Exception as error:  # whatever is wrong with one must not hide the others
            unseen[subject] = runs.one_line(error)
            unforeseen = not isinstance(error, NightshiftError)
            _log.error("%s: not watched: %s", subject, unseen[subject], exc_info=unforeseen)
            if not isinstance(error, TransientError):  # a lock held elsewhere is no news
                told = stage_runs.discreet(unseen[subject])
                causes.append(Cause(subject, NOT_WATCHED, "critical", told))
    return Observation(tuple(causes), unseen)


def _operations(workspace: Workspace, look: Look) -> list[Cause]:
    with workspace.warehouse.reading() as connection:
        return list(stage_runs.of_subject(connection, OPERATIONS, look))


def _dataset(workspace: Workspace, look: Look, name: str) -> Callable[[], list[Cause]]:
    def find() -> list[Cause]:
        dataset = catalog.dataset(name)
        with workspace.warehouse.reading() as connection:
            return list(_of_dataset(connection, dataset, look))

    return find


def _use_case(
    workspace: Workspace, look: Look, name: str, before: list[Cause]
) -> Callable[[], list[Cause]]:
    def find() -> list[Cause]:
        use_case = catalog.use_case(name)
        readiness.refresh(workspace, use_case)
        with workspace.warehouse.reading() as connection:
            return list(_of_use_case(connection, use_case, look, {it.key for it in before}))

    return find


def _of_dataset(connection: sa.Connection, dataset: Dataset, look: Look) -> Iterator[Cause]:
    yield from stage_days.of_dataset(connection, dataset, look)
    yield from stage_runs.of_subject(connection, dataset.name, look)
    yield from signals.of_dataset(connection, dataset, look)


def _of_use_case(
    connection: sa.Connection, use_case: UseCase, look: Look, before: set[Key]
) -> Iterator[Cause]:
    failed = list(stage_runs.of_subject(connection, use_case.name, look))
    yield from stage_days.of_use_case(connection, use_case, look)
    yield from failed
    wrong = before | {it.key for it in failed}
    yield from mornings.of_use_case(connection, use_case, look, wrong)
    yield from signals.of_use_case(connection, use_case, look)
