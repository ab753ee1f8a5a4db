"""Writing results, feature rows and logs to file sources: whole or not at all.

A Parquet file is written beside its place and moved there; files join a folder by being renamed
from hidden names, one after the other; a Delta table commits. A process that dies leaves hidden
files (`.….parquet`) that no reader opens. On an object store an upload becomes visible when it
ends.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import FileSource

from include.features.asof.errors import DestinationUnusable
from include.features.asof.sources import filesystem, is_delta, open_folder, storage_options
from include.features.asof.tables import reading


def save(
    batches: Iterable[pa.RecordBatch], source: FileSource, location: str, overwrite: bool
) -> None:
    """Write batches as one Parquet file or Delta table at `location`.

    Raises `SavedDatasetLocationAlreadyExists` if something is there and `overwrite` is false.
    """
    reader = _reader(batches)
    if is_delta(source, location):
        options = storage_options(source) or None
        if not overwrite and DeltaTable.is_deltatable(location, options):
            raise SavedDatasetLocationAlreadyExists(location=location)
        mode = "overwrite" if overwrite else "error"
        with reading("the saved dataset", location):
            write_deltalake(
                location,
                reader,
                mode=mode,
                schema_mode="overwrite" if overwrite else None,
                storage_options=options,
            )
        return
    files, path = filesystem(source, location)
    found = files.get_file_info(path)
    if found.type == fs.FileType.Directory:
        raise DestinationUnusable(
            f"{location} is a folder; a dataset is saved as one Parquet file: name the file"
        )
    if found.type != fs.FileType.NotFound and not overwrite:
        raise SavedDatasetLocationAlreadyExists(location=location)
    with reading("the saved dataset", location):
        _write_file(files, path, reader)


def append(rows: pa.Table, source: FileSource, location: str, subject: str) -> None:
    """Add rows to a feature view's source, which is created if there is none.

    Raises `DestinationUnusable` unless the rows have the source's columns, in types that convert
    without loss.
    """
    if is_delta(source, location):
        options = storage_options(source) or None
        with reading(subject, location):
            if DeltaTable.is_deltatable(location, options):
                table = DeltaTable(location, storage_options=options)
                rows = _conform(rows, pa.schema(table.schema().to_arrow()), subject, location)
            write_deltalake(location, rows, mode="append", storage_options=options)
        return
    files, path = filesystem(source, location)
    with reading(subject, location):
        found = files.get_file_info(path)
        if found.type == fs.FileType.Directory:
            there = open_folder(files, path)
            part = next(iter(there.get_fragments()), None)
            by = ds.get_partition_keys(part.partition_expression) if part else {}
            _add_files(files, path, _conform(rows, there.schema, subject, location), list(by))
        elif found.type == fs.FileType.NotFound:
            _write_file(files, path, rows.to_reader())
        else:
            before = pq.ParquetFile(files.open_input_file(path))
            added = _conform(rows, before.schema_arrow, subject, location)
            batches = _chain(before.iter_batches(), added.to_batches())
            _write_file(
                files, path, pa.RecordBatchReader.from_batches(before.schema_arrow, batches)
            )


def log(rows: pa.Table | ds.Dataset, source: FileSource, location: str, by: list[str]) -> None:
    """Add rows to a folder of Parquet files, in folders by the values of the columns `by`."""
    files, path = filesystem(source, location)
    with reading("the feature log", location):
        _add_files(files, path, rows, by)


def _reader(batches: Iterable[pa.RecordBatch]) -> pa.RecordBatchReader:
    iterator = iter(batches)
    first = next(iterator)
    return pa.RecordBatchReader.from_batches(first.schema, _chain([first], iterator))


def _chain(*parts: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for part in parts:
        yield from part


def _write_file(files: fs.FileSystem, path: str, reader: pa.RecordBatchReader) -> None:
    folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).name
    if isinstance(files, fs.LocalFileSystem):
        files.create_dir(folder, recursive=True)
    with _hidden(files, folder, name) as hidden:
        with pq.ParquetWriter(hidden, reader.schema, filesystem=files) as writer:
            for batch in reader:
                writer.write_batch(batch)
        files.move(hidden, path)


def _add_files(
    files: fs.FileSystem, folder: str, rows: pa.Table | ds.Dataset, by: list[str]
) -> None:
    """Add rows to a folder, in one file for each partition; after an error none is left."""
    name = uuid.uuid4().hex
    hidden: list[PurePosixPath] = []
    try:
        ds.write_dataset(
            rows,
            folder,
            filesystem=files,
            format="parquet",
            basename_template=f".{name}-{{i}}.parquet",
            partitioning=by or None,
            partitioning_flavor="hive" if by else None,
            existing_data_behavior="overwrite_or_ignore",
            create_dir=isinstance(files, fs.LocalFileSystem),
            file_visitor=lambda file: hidden.append(PurePosixPath(file.path)),
        )
        for file in hidden:
            files.move(str(file), str(file.with_name(file.name.removeprefix("."))))
    except BaseException:
        for found in files.get_file_info(fs.FileSelector(folder, recursive=True)):
            if name in found.base_name:
                files.delete_file(found.path)
        raise


@contextmanager
def _hidden(files: fs.FileSystem, folder: str, name: str) -> Iterator[str]:
    """Give a path that no reader opens; what is left there after an error is removed."""
    path = f"{folder}/.{uuid.uuid4().hex}.{name}"
    try:
        yield path
    finally:
        if files.get_file_info(path).type != fs.FileType.NotFound:
            files.delete_file(path)


def _conform(rows: pa.Table, schema: pa.Schema, subject: str, location: str) -> pa.Table:
    """Return the rows in the source's column order and types; naive timestamps are UTC."""
    missing = [name for name in schema.names if name not in rows.column_names]
    unknown = [name for name in rows.column_names if name not in schema.names]
    if missing or unknown:
        raise DestinationUnusable(
            f"{subject}: the rows to write must have exactly the columns of {location}; "
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    try:
        rows = rows.select(schema.names)
        aware = [
            field.with_type(pa.timestamp(field.type.unit, "UTC"))
            if pa.types.is_timestamp(field.type) and field.type.tz is None
            else field
            for field in rows.schema
        ]
        return rows.cast(pa.schema(aware)).cast(schema)
    except pa.ArrowException as error:
        raise DestinationUnusable(
            f"{subject}: the rows to write do not fit the types of {location}: {error}"
        ) from error
