"""Rows for the lake, kept in files until it is certain that they may be written."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from include.errors import StorageUnavailable
from include.settings import Settings

BATCHES = 5
"""Batches read in one go: the lake holds about as much in memory as one commit brings."""

FOLDER = "spool"
"""Below the home; what a killed process leaves there, housekeeping removes."""


class Spool:
    """Batches of rows in a folder; made by `spooled`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._schemas: list[pa.Schema] = []
        self._days: list[frozenset[date]] = []

    def add(self, rows: pa.Table) -> None:
        """Keep a batch; raises `StorageUnavailable` when the disk does not take it."""
        path = self._path(len(self._schemas))
        try:
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
                writer.write_table(rows)
        except OSError as error:
            raise _unkept(path, error) from error
        self._schemas.append(rows.schema)
        self._days.append(frozenset(rows["data_day"].unique().to_pylist()))

    def readers(self, days: Collection[date]) -> Iterator[pa.RecordBatchReader]:
        """Yield the rows of `days` in the order they came, few batches with each reader.

        There is at least one reader, if one without rows. Columns a batch lacks are null.
        """
        schema = pa.unify_schemas(self._schemas)
        found = [place for place, held in enumerate(self._days) if not held.isdisjoint(days)]
        for start in range(0, max(len(found), 1), BATCHES):
            batches = self._batches(schema, days, found[start : start + BATCHES])
            yield pa.RecordBatchReader.from_batches(schema, batches)

    def _batches(
        self, schema: pa.Schema, days: Collection[date], places: Sequence[int]
    ) -> Iterator[pa.RecordBatch]:
        wanted = pa.array(sorted(days), pa.date32())
        for place in places:
            with pa.memory_map(str(self._path(place))) as file:
                rows = pa.ipc.open_file(file).read_all()
                rows = rows.filter(pc.is_in(rows["data_day"], wanted))
                whole = pa.concat_tables([schema.empty_table(), rows], promote_options="default")
                yield from whole.to_batches()

    def _path(self, place: int) -> Path:
        return self._folder / f"{place:06}.arrow"


@contextmanager
def spooled(settings: Settings, run_id: str) -> Iterator[Spool]:
    """Open a spool of a run; its files are removed at the end."""
    folder = settings.home / FOLDER / run_id
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise _unkept(folder, error) from error
    try:
        yield Spool(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unkept(path: Path, error: OSError) -> StorageUnavailable:
    return StorageUnavailable(
        f"what was predicted cannot be kept in {path}: {error}; check its permissions and free "
        "space, then run again"
    )
