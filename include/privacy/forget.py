"""Forgets a subject: erases it from lake, warehouse and online store, and keeps it out.

The request is recorded first, in one transaction with new fingerprints of the days that lose
rows: from then on landings discard the subject, and whatever was built from those days is due.
A process killed later leaves a request that is not finished; asking again finishes it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from include import catalog
from include.declare import Dataset, UseCase
from include.features import erasure as online
from include.lake import erasure as lake_rows
from include.lake import names
from include.lake.erasure import Found
from include.privacy import request
from include.scoring.spool import FOLDER as SPOOL
from include.warehouse import erasure as warehouse_rows
from include.warehouse.locks import lock
from include.warehouse.migrate import require_current
from include.warehouse.tables import stage_runs
from include.warehouse.use_cases import UseCaseTables, use_case_tables
from include.window import Window
from include.workspace import Workspace

DATASET_STAGES = ("ingest", "features", "online")
USE_CASE_STAGES = ("score", "shadow", "outcomes")


@dataclass(frozen=True)
class Erasure:
    """What was erased of a subject.

    Attributes:
        rows: place → rows: lake tables, tables of the warehouse, `online/<view>`.
        files: data files of the lake removed, those of older versions included.
        before: whether the subject had been forgotten before.
        notes: what is left for a person to do.
    """

    dataset: str
    columns: tuple[str, ...]
    rows: Mapping[str, int]
    files: int
    before: bool
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Return the erasure in one line, which does not name the subject."""
        named = f"{self.dataset} by {', '.join(self.columns)}"
        if not self.rows and not self.files:
            told = f"forget {named}: it had been forgotten before, and nothing of it is left"
        else:
            places = ", ".join(f"{name} {rows:,}" for name, rows in self.rows.items()) or "no rows"
            told = f"forget {named}: erased {places}; {self.files} file(s) of the lake removed"
        return "; ".join([told, *self.notes])


def forget(
    workspace: Workspace,
    dataset: Dataset,
    values: Mapping[str, str],
    *,
    actor: str,
    reason: str,
    use_cases: Sequence[UseCase] | None = None,
) -> Erasure:
    """Erase the rows that have all of `values`, everywhere they are, old versions included.

    Tables that lack one of the columns are left alone. Repeating it is harmless.

    Args:
        values: column → value, as text.
        use_cases: of the dataset; those declared when None.

    Raises:
        UsageError: no table has all the columns, a value does not fit its column, or nothing
            of the subject is there and nobody asked before.
        ConfigurationError: the login may not erase, or the online store is not ours to change.
        LockHeld: a stage of the dataset or of a use case is running.
        StorageUnavailable: somebody reads what must be written anew; run again.
    """
    cases = catalog.use_cases_of(dataset.name) if use_cases is None else use_cases
    require_current(workspace.warehouse)
    warehouse_rows.require_owner(workspace.warehouse)
    work = _Work(workspace, dataset, tuple(cases), request.parse(dataset, values))
    with _locked(workspace, DATASET_STAGES, dataset.name):
        return work.run(actor, reason)


@dataclass(frozen=True)
class _Work:
    """One request, under the locks of the dataset's stages."""

    workspace: Workspace
    dataset: Dataset
    use_cases: tuple[UseCase, ...]
    subject: Mapping[str, Any]

    def run(self, actor: str, reason: str) -> Erasure:
        """Find, record, erase, and record that it is finished.

        The use cases come after what they read, so that none brings the subject back.
        """
        lake, subject = self.workspace.lake, self.subject
        tables = [*self._tables(), *(names.scored(it) for it in self.use_cases)]
        found = {name: lake_rows.find(lake, name, subject) for name in tables}
        rows = {name: it.rows for name, it in found.items() if it.rows} | self._beside_the_lake()
        files = sum(len(it.files) for it in found.values())
        days = self._landed_days(found)
        entry, before = request.record(
            self.workspace, self.dataset, subject, rows, files, days, actor, reason
        )
        for name in self._tables():
            lake_rows.erase(lake, name, subject)
        online.erase(self.workspace.settings, self.dataset, subject)
        for case in self.use_cases:
            with _locked(self.workspace, USE_CASE_STAGES, case.name):
                self._erase_scores(case)
        with self.workspace.warehouse.transaction() as connection:
            warehouse_rows.erase(connection, self.dataset.name, subject)
        warehouse_rows.compact(self.workspace.warehouse, self._cases)
        request.finish(self.workspace, entry)
        return Erasure(
            dataset=self.dataset.name,
            columns=tuple(subject),
            rows=rows,
            files=files,
            before=before,
            notes=tuple(self._notes(days)),
        )

    @property
    def _cases(self) -> list[UseCaseTables]:
        return [use_case_tables(it) for it in self.use_cases]

    def _tables(self) -> list[str]:
        """Return the lake tables of the dataset."""
        landed = [names.landed(self.dataset, it) for it in self.dataset.tables]
        built = [names.features(self.dataset, it) for it in self.dataset.feature_views]
        return [*landed, *built]

    def _beside_the_lake(self) -> dict[str, int]:
        with self.workspace.warehouse.reading() as connection:
            found = warehouse_rows.find(connection, self.dataset.name, self._cases, self.subject)
        return found | online.find(self.workspace.settings, self.dataset, self.subject)

    def _landed_days(self, found: Mapping[str, Found]) -> list[date]:
        """Return the days of landed tables that lose rows."""
        landed = (names.landed(self.dataset, it) for it in self.dataset.tables)
        return sorted({day for name in landed for day in found[name].days})

    def _erase_scores(self, case: UseCase) -> None:
        """Erase what was scored, and what killed runs left; no run of the use case is alive."""
        lake_rows.erase(self.workspace.lake, names.scored(case), self.subject)
        with self.workspace.warehouse.transaction() as connection:
            warehouse_rows.erase_scores(connection, use_case_tables(case), self.subject)
        folder = self.workspace.settings.home / SPOOL
        left = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        runs = stage_runs.c
        query = sa.select(runs.run_id).where(runs.run_id.in_(left), runs.subject == case.name)
        with self.workspace.warehouse.reading() as connection:
            for run_id in connection.scalars(query):
                shutil.rmtree(folder / run_id, ignore_errors=True)

    def _notes(self, days: Sequence[date]) -> Iterator[str]:
        for case in self.use_cases:
            training = case.training
            carried = sorted(
                self.subject.keys() & {*training.schedule_features, *training.categorical}
            )
            if carried:
                yield (
                    f"{', '.join(carried)} is a feature of {case.name}: its models and reference "
                    "samples may name the value; train again and remove old versions"
                )
        if days:
            newest = self.dataset.newest_ended_day(self.workspace.now)
            last = min(newest, max(days) + timedelta(days=self.dataset.lookback_days - 1))
            window = Window(min(days), max(last, max(days)))
            yield (
                f"features of {window} rest on erased rows: run ./nightshift features "
                f"{self.dataset.name} --from {window.start} --to {window.end}"
            )


@contextmanager
def _locked(workspace: Workspace, stages: Sequence[str], subject: str) -> Iterator[None]:
    """Hold the locks of stages that read or write what is erased."""
    with ExitStack() as held:
        for stage in stages:
            timeout = workspace.context.lock_timeout
            held.enter_context(lock(workspace.warehouse, stage, subject, timeout=timeout))
        yield
