"""Upkeep of a lake table: small files merged, and files gone that no version kept needs.

The caller holds the lock of whoever writes the table: a file that is being written and not yet
committed looks like one that nobody needs.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.fs as fs
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.fs import DeltaStorageHandler

from include.errors import StorageUnavailable
from include.lake.delta import WHOLE_LOG, Lake
from include.lake.schema import DATA_DAY

SMALL_BYTES = 32 * 2**20
FEWEST_FILES = 4
"""Small files of a day, or of an unpartitioned table, from which they are worth merging."""

_LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\..*parquet")


@dataclass(frozen=True)
class Files:
    """Some files: how many, and their bytes."""

    count: int = 0
    size: int = 0


def keep_log(lake: Lake, name: str) -> bool:
    """Let a table made long ago keep its whole log, as new ones do; tells whether it did not."""
    with _reaching(lake.uri(name)):
        table = DeltaTable(lake.uri(name))
        if WHOLE_LOG.items() <= table.metadata().configuration.items():
            return False
        table.alter.set_table_properties(WHOLE_LOG)
        return True


def crowded(lake: Lake, name: str) -> Files:
    """Return the small files that are worth merging, see `FEWEST_FILES`."""
    with _reaching(lake.uri(name)):
        _, found = _crowded(DeltaTable(lake.uri(name)))
    return found


def compact(lake: Lake, name: str) -> Files:
    """Merge the small files of crowded days in one new version; returns the files merged.

    Rows and their order stay as they are. The small files stay too, for the versions before,
    until `clear`.

    Raises `StorageUnavailable`, also when somebody wrote the table at the same time.
    """
    with _reaching(lake.uri(name)):
        table = DeltaTable(lake.uri(name))
        days, found = _crowded(table)
        if found.count:
            chosen = [(DATA_DAY, "in", days)] if table.metadata().partition_columns else None
            table.optimize.compact(partition_filters=chosen)
    return found


def superfluous(lake: Lake, name: str, keep: Collection[int]) -> Files:
    """Return the files that neither the newest version nor one of `keep` needs.

    Versions whose part of the log is gone are passed over: their files are lost already.

    Raises `StorageUnavailable`.
    """
    with _reaching(lake.uri(name)):
        table = DeltaTable(lake.uri(name))
        listed = _vacuum(table, keep, dry_run=True)
        infos = _filesystem(table).get_file_info(listed) if listed else []
        # Of what older vacuums removed, the log still says that it is to be removed.
        sizes = [info.size or 0 for info in infos if info.type == fs.FileType.File]
    return Files(len(sizes), sum(sizes))


def clear(lake: Lake, name: str, keep: Collection[int]) -> Files:
    """Remove the files that `superfluous` finds; returns them. Nothing is written if none are.

    A process killed in between has removed some; running again removes the others.

    Raises `StorageUnavailable`.
    """
    found = superfluous(lake, name, keep)
    if found.count:
        with _reaching(lake.uri(name)):
            _vacuum(DeltaTable(lake.uri(name)), keep, dry_run=False)
    return found


def _crowded(table: DeltaTable) -> tuple[list[str], Files]:
    """Return the crowded days (one empty name for an unpartitioned table) and their files."""
    files = pa.table(table.get_add_actions(flatten=True))
    days = f"partition.{DATA_DAY}"
    placed = (
        [str(day) for day in files[days].to_pylist()]
        if days in files.column_names
        else [""] * len(files)
    )
    sizes = files["size_bytes"].to_pylist()
    small = [(day, size) for day, size in zip(placed, sizes, strict=True) if size < SMALL_BYTES]
    counts = Counter(day for day, _ in small)
    crowded_days = sorted(day for day, count in counts.items() if count >= FEWEST_FILES)
    merged = [size for day, size in small if counts[day] >= FEWEST_FILES]
    return crowded_days, Files(len(merged), sum(merged))


def _vacuum(table: DeltaTable, keep: Collection[int], dry_run: bool) -> list[str]:
    oldest = _oldest(table)
    # `full` looks at the files there are: the log forgets removed files with its checkpoints.
    removed: list[str] = table.vacuum(
        retention_hours=0,
        enforce_retention_duration=False,
        full=True,
        dry_run=dry_run,
        keep_versions=sorted(it for it in set(keep) if oldest <= it <= table.version()),
    )
    return removed


def _oldest(table: DeltaTable) -> int:
    """Return the oldest version that the log can still tell."""
    listed = _filesystem(table).get_file_info(fs.FileSelector(_LOG))
    names = [info.base_name for info in listed]
    commits = {int(found[1]) for name in names if (found := _COMMIT.fullmatch(name))}
    first = table.version()
    while first - 1 in commits:
        first -= 1
    if first == 0:
        return 0
    checkpoints = (int(found[1]) for name in names if (found := _CHECKPOINT.fullmatch(name)))
    return min((it for it in checkpoints if it >= first - 1), default=table.version())


def _filesystem(table: DeltaTable) -> fs.FileSystem:
    return fs.PyFileSystem(DeltaStorageHandler.from_table(table._table))


@contextmanager
def _reaching(uri: str) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        raise StorageUnavailable(
            f"the lake table {uri} cannot be kept in order: {error}; check the path, its "
            "permissions and free space, then run again"
        ) from error
