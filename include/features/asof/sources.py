"""Reading Parquet and Delta sources into DuckDB without any DuckDB extension.

Local files are read by DuckDB itself, which is twice as fast as going through arrow; a Delta
table is resolved to its file list by `deltalake`, and files whose statistics lie outside the
asked time range are not opened. Object-store URLs, and tables whose requested columns live in
the folder names, are read through an arrow data set.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as fs
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from feast.data_format import DeltaFormat
from feast.data_source import DataSource
from feast.errors import FeastOfflineStoreUnsupportedDataSource
from feast.infra.offline_stores.file_source import FileSource

from include.features.asof.errors import StoreMisconfigured
from include.features.asof.tables import EVERYTHING, SourceTable, TimeRange, describe, reading

NATIVE_DELTA_FEATURES = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
"""Delta reader features under which the listed Parquet files hold plainly the table's rows."""

NOT_DATA = [".", "_SUCCESS", "_common_metadata", "_metadata", "_delta_log", "_temporary"]
"""How names start that are no data; other names with an underscore are (`__log_date=…`)."""

STATISTICS_SLACK = 1_000
"""Microseconds a file's largest timestamp may exceed its statistics (some writers keep ms)."""


def locate(source: DataSource | None, root: str, repository: Path | None, subject: str) -> str:
    """Return the path or URL of a source, as `place` gives it.

    Raises Feast's `FeastOfflineStoreUnsupportedDataSource` for anything but a `FileSource`.
    """
    if not isinstance(source, FileSource):
        raise FeastOfflineStoreUnsupportedDataSource("AsofOfflineStore", f"{source} of {subject}")
    return place(str(source.path), root, repository)


def place(path: str, root: str, repository: Path | None) -> str:
    """Return where a path or URL leads: relative paths lie in `root`, that in the repository."""
    if _is_url(path):
        return _local(path)
    if Path(path).is_absolute():
        return path
    if _is_url(root) and not root.startswith("file:"):
        return f"{root.rstrip('/')}/{path}"
    return str((repository or Path()) / Path(_local(root)).expanduser() / path)


def open_source(
    con: duckdb.DuckDBPyConnection,
    source: FileSource,
    *,
    subject: str,
    relation: str,
    location: str,
    version: int | None = None,
    columns: Iterable[str] | None = None,
    time_column: str | None = None,
    bounds: TimeRange = EVERYTHING,
) -> SourceTable:
    """Register a source under `relation`; it may hold more rows than `bounds` ask for.

    It has at least the `columns` asked for and the time column; without `columns`, all. A Delta
    table is read at `version`, or at its newest.

    Raises `SourceMissing`, `SourceUnreadable`, or `StoreMisconfigured` for a version of what is
    no Delta table.
    """
    told = location if version is None else f"{location} at version {version}"
    with reading(subject, told):
        if is_delta(source, location):
            table = _delta_table(source, location, version)
            wanted = None if columns is None else {*columns, time_column}
            absent = _open_delta(con, table, location, relation, wanted, time_column, bounds)
        elif version is not None:
            raise StoreMisconfigured(
                f"{subject}: offline_store.delta_versions names {location}, which is no Delta "
                "table and has no versions; take it out, or correct the path"
            )
        else:
            _open_parquet(con, source, location, relation)
            absent = {}
        types = describe(con, relation)
    for column in types:
        absent.pop(column, None)
    return SourceTable(relation, told, subject, types, absent)


def _delta_table(source: FileSource, location: str, version: int | None) -> DeltaTable:
    options = storage_options(source) or None
    try:
        return DeltaTable(location, version=version, storage_options=options)
    except TableNotFoundError as error:
        if version is None or not DeltaTable.is_deltatable(location, options):
            raise
        raise OSError(f"its log does not hold this version any more: {error}") from error


def _open_delta(
    con: duckdb.DuckDBPyConnection,
    table: DeltaTable,
    location: str,
    relation: str,
    wanted: Collection[str | None] | None,
    time_column: str | None,
    bounds: TimeRange,
) -> dict[str, str]:
    """Register a Delta table; return the types of its logical columns."""
    protocol = table.protocol()
    plain = (
        not _is_url(location)
        and set(protocol.reader_features or ()) <= NATIVE_DELTA_FEATURES
        and table.metadata().configuration.get("delta.columnMapping.mode", "none") == "none"
        and not any(
            wanted is None or column in wanted for column in table.metadata().partition_columns
        )
    )
    files = _delta_files(table, location, time_column, bounds) if plain else None
    if files is None:
        con.register(relation, table.to_pyarrow_dataset())
        return {}
    empty = pa.schema(table.schema().to_arrow()).empty_table()
    if not files:
        con.register(relation, empty)
        return {}
    gone = [file for file in files if not os.path.exists(file)]
    if gone:
        raise OSError(
            f"{len(gone)} of {len(files)} data files are gone, {gone[0]} the first; a vacuum keeps "
            "what is named in its keep_versions"
        )
    con.read_parquet(
        [glob.escape(file) for file in files], hive_partitioning=False, union_by_name=True
    ).create_view(relation)
    con.register("__logical", empty)
    logical = describe(con, "__logical")
    con.unregister("__logical")
    for column in table.metadata().partition_columns:
        logical.pop(column)
    return logical


def _delta_files(
    table: DeltaTable, location: str, time_column: str | None, bounds: TimeRange
) -> list[str] | None:
    """Return the local files that may hold rows in `bounds`, or None if some lie elsewhere."""
    actions = pa.table(table.get_add_actions(flatten=True))
    keep = pa.scalar(True)
    lowest, highest = (_statistics(actions, f"{end}.{time_column}") for end in ("min", "max"))
    if bounds.first is not None and highest is not None:
        reaches = pc.greater_equal(pc.add(highest, STATISTICS_SLACK), bounds.first)
        keep = pc.and_(keep, pc.fill_null(reaches, True))
    if bounds.last is not None and lowest is not None:
        keep = pc.and_(keep, pc.fill_null(pc.less_equal(lowest, bounds.last), True))
    if not isinstance(keep, pa.Scalar):
        actions = actions.filter(keep)
    paths = [unquote(path) for path in actions["path"].to_pylist()]
    if any("://" in path for path in paths):
        return None
    return sorted(str(Path(location) / path) for path in paths)


def _statistics(actions: pa.Table, name: str) -> pa.ChunkedArray | None:
    """Return a statistics column as microseconds, or None where it says nothing about time."""
    if name not in actions.column_names:
        return None
    kind = actions.schema.field(name).type
    if not pa.types.is_timestamp(kind):
        return None
    return actions[name].cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())


def _open_parquet(
    con: duckdb.DuckDBPyConnection, source: FileSource, location: str, relation: str
) -> None:
    """Register a Parquet file, a folder of them, a glob, or a URL to either."""
    if _is_url(location):
        files, path = filesystem(source, location)
        con.register(relation, open_folder(files, path))
        return
    folder = Path(location)
    if folder.is_dir():
        found = [file.relative_to(folder) for file in folder.rglob("*.parquet")]
        inside = sorted(
            file
            for file in found
            if not any(part.startswith(tuple(NOT_DATA)) for part in file.parts)
        )
        if not inside:
            raise FileNotFoundError(f"the folder holds no .parquet file: {folder}")
        if any("=" in part for file in inside for part in file.parts[:-1]):
            con.register(relation, open_folder(fs.LocalFileSystem(), str(folder)))
            return
        paths = [str(folder / file) for file in inside]
    elif folder.is_file():
        paths = [str(folder)]
    else:
        paths = sorted(glob.glob(location, recursive=True))
        if not paths:
            raise FileNotFoundError(f"no such file or folder: {folder}")
    con.read_parquet(
        [glob.escape(path) for path in paths], hive_partitioning=False, union_by_name=True
    ).create_view(relation)


def open_folder(files: fs.FileSystem, path: str) -> ds.Dataset:
    """Return a Parquet file or folder as a data set; folders named `key=value` are columns."""
    return ds.dataset(
        path, filesystem=files, format="parquet", partitioning="hive", ignore_prefixes=NOT_DATA
    )


def filesystem(source: FileSource, location: str) -> tuple[fs.FileSystem, str]:
    """Return the file system of a path or URL, and the path in it."""
    if not _is_url(location):
        return fs.LocalFileSystem(), location
    # Arrow finds AWS_ENDPOINT_URL by itself, but then asks a host named like the bucket.
    endpoint = source.s3_endpoint_override or os.environ.get("AWS_ENDPOINT_URL", "")
    files, path = FileSource.create_filesystem_and_path(
        location, endpoint, source.resolve_credentials()
    )
    return (files, path) if files is not None else fs.FileSystem.from_uri(location)


def is_delta(source: FileSource, location: str) -> bool:
    """Return whether a source is a Delta table, declared or found."""
    if isinstance(source.file_format, DeltaFormat):
        return True
    return source.file_format is None and (Path(location) / "_delta_log").is_dir()


def _is_url(path: str) -> bool:
    return bool(urlsplit(path).scheme) and "://" in path


def _local(path: str) -> str:
    """Return a `file://` URL as a path, anything else as it is."""
    return unquote(urlsplit(path).path) if path.startswith("file:") else path


def storage_options(source: FileSource) -> dict[str, str]:
    """Return what `deltalake` needs to reach a source on an object store."""
    credentials = source.resolve_credentials() or {}
    options = {str(name): str(value) for name, value in credentials.items()}
    if source.s3_endpoint_override:
        options["AWS_ENDPOINT_URL"] = source.s3_endpoint_override
    return options
