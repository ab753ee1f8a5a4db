"""Which versions of lake tables are still needed, by our own clock and record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from include.declare import UseCase
from include.training.retention import needed_versions
from include.warehouse.tables import score_runs, stage_runs
from include.warehouse.use_cases import use_case_tables
from include.workspace import Workspace

SHORTEST = timedelta(days=1)
"""What is read at a version is read within a day of taking it; no version is kept for less."""

Written = tuple[datetime, int]
"""When a run ended, and the version a table had then."""


@dataclass(frozen=True)
class Kept:
    """The versions of one table that are needed, beside the newest.

    Attributes:
        since: the oldest of the young ones; every version from it on is kept.
        trained: that training sets in use were read at.
        scored: that scores in use were computed from.
    """

    since: int
    trained: frozenset[int] = frozenset()
    scored: frozenset[int] = frozenset()

    def of(self, newest: int) -> set[int]:
        """Return all of them, for a table whose newest version is `newest`."""
        return {it for it in self.trained | self.scored if it < newest} | {
            *range(self.since, newest)
        }

    def words(self, newest: int) -> str:
        """Say how many are kept and why, each counted once."""
        trained = {it for it in self.trained if it < self.since}
        scored = {it for it in self.scored if it < self.since} - trained
        told = [f"{newest - self.since + 1} from version {self.since} on"]
        told += [f"{len(trained)} of training sets"] if trained else []
        told += [f"{len(scored)} of scores"] if scored else []
        return ", ".join(told)


class Needs:
    """What the record says of versions; read once for all tables.

    Args:
        use_cases: all that are declared: what one of them needs is kept in every table.
    """

    def __init__(self, workspace: Workspace, use_cases: Sequence[UseCase]) -> None:
        self._now = workspace.now
        self._trained: dict[str, set[int]] = defaultdict(set)
        self._scored: dict[str, set[int]] = defaultdict(set)
        for use_case in use_cases:
            rules = use_case.retention
            trained = needed_versions(workspace, use_case, rules.champions)
            horizon = workspace.now - timedelta(days=rules.lineage_days)
            with workspace.warehouse.reading() as connection:
                scored = _scored(connection, use_case, horizon)
            for found, versions in ((self._trained, trained), (self._scored, scored)):
                for table, needed in versions.items():
                    found[table] |= needed
        with workspace.warehouse.reading() as connection:
            self._written = _written(connection)

    def kept(self, table: str, newest: int, days: int) -> Kept:
        """Return the versions of a table to keep; the young ones are at most `days` old."""
        horizon = self._now - max(timedelta(days=days), SHORTEST)
        return Kept(
            first_since(self._written.get(table, ()), horizon, newest),
            frozenset(self._trained[table]),
            frozenset(self._scored[table]),
        )


def first_since(written: Iterable[Written], horizon: datetime, newest: int) -> int:
    """Return the version that a table had at `horizon`, or an older one; 0 when it is unknown.

    A clock that went backwards makes it older, never younger. Records of versions beyond the
    newest are of a table that is no more, and say nothing about this one.
    """
    known = list(written)
    if any(version > newest for _, version in known):
        return 0
    before = [version for at, version in known if at <= horizon]
    after = [version for at, version in known if at > horizon]
    return min([max(before), *after]) if before else 0


def _written(connection: sa.Connection) -> Mapping[str, list[Written]]:
    """Return lake table → its versions at the end of runs, our own clock's word for their age.

    Delta's own commit times are the machine's, which a restore or a copy of the lake changes.
    """
    columns = stage_runs.c
    query = sa.select(columns.finished_at, columns.output_versions).where(
        columns.finished_at.is_not(None)
    )
    found: dict[str, list[Written]] = defaultdict(list)
    for at, versions in connection.execute(query):
        for table, version in (versions or {}).items():
            found[table].append((at, int(version)))
    return found


def _scored(connection: sa.Connection, use_case: UseCase, horizon: datetime) -> dict[str, set[int]]:
    """Return lake table → versions of runs since `horizon` whose scores stand or are revisions."""
    tables = use_case_tables(use_case)
    if not sa.inspect(connection).has_table(tables.scores.name):
        return {}
    lineage = score_runs.c
    ended = sa.func.coalesce(stage_runs.c.finished_at, stage_runs.c.started_at)
    query = (
        sa.select(lineage.lake_versions)
        .join(stage_runs, stage_runs.c.run_id == lineage.run_id)
        .where(lineage.use_case == use_case.name, ended >= horizon)
        .where(
            lineage.run_id.in_(sa.select(tables.scores.c.run_id))
            | lineage.run_id.in_(sa.select(tables.revisions.c.run_id))
        )
    )
    found: dict[str, set[int]] = defaultdict(set)
    for versions in connection.scalars(query):
        for table, version in versions.items():
            found[table].add(int(version))
    return found
