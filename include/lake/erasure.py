"""Erasure of rows from a lake table, and from everything the table was before.

A new version without the rows is not enough: the files of older versions still hold them,
and the Delta log keeps the smallest and largest value of every file. All of that goes. Older
versions whose files went cannot be read any more; the others can.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as fs
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError
from deltalake.fs import DeltaStorageHandler

from include.errors import StorageUnavailable
from include.lake import delta
from include.lake.delta import Lake
from include.lake.schema import DATA_DAY

_LOG = "_delta_log"
_DAY = re.compile(rf"{DATA_DAY}=(\d{{4}}-\d\d-\d\d)/")
_COMMIT = re.compile(rf"{_LOG}/\d{{20}}\.json")

Subject = Mapping[str, Any]
"""Column → value, in the column's type; rows that have all of them belong to the subject."""


@dataclass(frozen=True)
class Found:
    """What a table holds of a subject.

    Attributes:
        rows: in the table as it is now.
        days: that have them; empty for a table without days.
        files: data files that hold any, those of older versions and orphans included.
    """

    rows: int = 0
    days: tuple[date, ...] = ()
    files: tuple[str, ...] = ()


def find(lake: Lake, name: str, subject: Subject) -> Found:
    """Return what a table holds of a subject; nothing if it was never written.

    Raises `StorageUnavailable` when it cannot be read.
    """
    if not lake.exists(name):
        return Found()
    with _reaching(lake.uri(name)):
        table = DeltaTable(lake.uri(name))
        files, current = _files(table), _current(table)
        held = {
            path: count
            for path in files
            if path.endswith(".parquet")
            and not path.startswith(_LOG)
            and (count := _count(path, _filesystem(table), subject))
        }
    now = {path: count for path, count in held.items() if path in current}
    days = {found.group(1) for path in now if (found := _DAY.match(path))}
    return Found(sum(now.values()), tuple(sorted(map(date.fromisoformat, days))), tuple(held))


def erase(lake: Lake, name: str, subject: Subject) -> Found:
    """Erase a subject's rows from a table and from all its versions; returns what there was.

    The caller holds the locks of whoever writes the table. A process killed in between leaves
    a table that can be read; running again finishes. Files go last, as they show what is left.

    Raises `StorageUnavailable`.
    """
    found = find(lake, name, subject)
    if not lake.exists(name):
        return found
    if found.rows:
        _rewrite(lake, name, subject, found.days)
    with _reaching(lake.uri(name)):
        table = DeltaTable(lake.uri(name))
        _forget_statistics(table)
        _forget_checkpoints(table)
        for path in found.files:
            _filesystem(table).delete_file(path)
    return found


def _rewrite(lake: Lake, name: str, subject: Subject, days: Collection[date]) -> None:
    """Write a version without the rows; its commit names days, never values."""
    with delta.connect() as duck:
        rows = lake.relation(duck, name, sorted(days) or None)
        columns = DeltaTable(lake.uri(name)).schema().to_arrow()
        kept = rows.select(*(field.name for field in pa.schema(columns))).to_arrow_reader(100_000)
        reader = pa.RecordBatchReader.from_batches(
            kept.schema, (batch.filter(_others(batch, subject)) for batch in kept)
        )
        if days:
            lake.replace_days(name, reader, sorted(days))
            return
        whole = reader.read_all()
    with _reaching(lake.uri(name)):
        write_deltalake(lake.uri(name), whole, mode="overwrite")


def _others(rows: pa.RecordBatch, subject: Subject) -> pa.Array:
    """Return which rows are not the subject's."""
    same = pa.scalar(True)
    for column, value in subject.items():
        values = rows.column(column)
        same = pc.and_kleene(same, pc.equal(values, pa.scalar(value, values.type)))
    return pc.invert(pc.fill_null(same, False))


def _count(path: str, files: fs.FileSystem, subject: Subject) -> int:
    """Return how many rows of a data file are the subject's."""
    fragment = ds.ParquetFileFormat().make_fragment(path, files)
    schema = fragment.physical_schema
    condition = pc.scalar(True)
    for column, value in subject.items():
        if column not in schema.names:
            return 0
        try:
            wanted = pa.scalar(value, schema.field(column).type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError):
            return 0  # a value that this column cannot hold
        condition = condition & (pc.field(column) == wanted)
    return int(fragment.count_rows(filter=condition))


def _forget_statistics(table: DeltaTable) -> None:
    """Remove the statistics of files that are not current from the log.

    They hold the smallest and largest values of files, even of files long removed; only
    current files, which do not hold the subject, are ever read by them.
    """
    files, current = _filesystem(table), _current(table)
    for path in filter(_COMMIT.fullmatch, _files(table)):
        with files.open_input_file(path) as log:
            lines = bytes(log.readall()).decode().splitlines()
        kept = [_without_statistics(line, current) for line in lines]
        if kept != lines:
            _replace(table, path, "\n".join(kept).encode())


def _replace(table: DeltaTable, path: str, content: bytes) -> None:
    """Put a file in place of another at once: the store shows it when it is closed.

    Through the handler below pyarrow's, whose stream does not take pyarrow's buffers
    (deltalake 1.6 with pyarrow 25).
    """
    stream = DeltaStorageHandler.from_table(table._table)._handler.open_output_stream(path, None)
    stream.write(content)
    stream.close()


def _without_statistics(line: str, current: Collection[str]) -> str:
    action = json.loads(line)
    for kind in ("add", "remove"):
        file = action.get(kind)
        if file and file.get("stats") and not (kind == "add" and file["path"] in current):
            file["stats"] = None
            return json.dumps(action, separators=(",", ":"))
    return line


def _forget_checkpoints(table: DeltaTable) -> None:
    """Leave no checkpoint but the current version's, which knows current files alone."""
    newest = f"{_LOG}/{table.version():020}.checkpoint.parquet"
    if newest not in _files(table):
        table.create_checkpoint()
    for path in _files(table):
        if path.startswith(_LOG) and ".checkpoint." in path and path != newest:
            _filesystem(table).delete_file(path)


def _current(table: DeltaTable) -> frozenset[str]:
    return frozenset(pa.table(table.get_add_actions()).column("path").to_pylist())


def _files(table: DeltaTable) -> list[str]:
    """Return all files below the table, those no version knows included."""
    listed = _filesystem(table).get_file_info(fs.FileSelector("", recursive=True))
    return [info.path for info in listed if info.type == fs.FileType.File]


def _filesystem(table: DeltaTable) -> fs.FileSystem:
    return fs.PyFileSystem(DeltaStorageHandler.from_table(table._table))


@contextmanager
def _reaching(uri: str) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        raise StorageUnavailable(
            f"rows cannot be erased from the lake table {uri}: {error}; check the path and its "
            "permissions, then run again"
        ) from error
