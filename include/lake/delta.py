"""The lake: Delta tables whose days are replaced atomically."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.fs as fs
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    SchemaMismatchError,
    TableNotFoundError,
)

from include.errors import SchemaBreak, StorageUnavailable, UsageError
from include.lake.schema import DATA_DAY

WHOLE_LOG = {"delta.enableExpiredLogCleanup": "false"}
"""Of new tables: else delta-rs drops commits older than 30 days, and their versions with them,
whatever data files a vacuum has kept."""


@dataclass(frozen=True)
class Written:
    """What a snapshot's commit says of itself: what was read, and the run that read it."""

    fingerprint: str
    run_id: str


@dataclass(frozen=True)
class Lake:
    """Delta tables below one path or object-store URL.

    A table's name is its path below the root, such as `nyc_flights/flights`. Tables that hold
    days are partitioned by `data_day` (date32).

    Attributes:
        root: the path or URL.
        pinned: table → version that is read, and nothing can be written; None: the newest.
        landed: with `pinned`, the days that had landed in its tables; None: those that have
            now, which the warehouse knows.
    """

    root: str
    pinned: Mapping[str, int] | None = field(default=None, hash=False)
    landed: frozenset[date] | None = None

    def at(self, versions: Mapping[str, int], landed: Collection[date] | None = None) -> Lake:
        """Return this lake as it was: only these tables, at these versions, to be read.

        Nothing is opened before it is read. Reading raises `StorageUnavailable` for a table
        without a version here and for a version that is gone, writing `UsageError`.
        """
        return Lake(self.root, dict(versions), None if landed is None else frozenset(landed))

    def uri(self, name: str) -> str:
        """Return where a table is."""
        return f"{self.root.rstrip('/')}/{name}"

    def exists(self, name: str) -> bool:
        """Tell whether the table has ever been written."""
        return self.version(name) is not None

    def version(self, name: str) -> int | None:
        """Return the table's version that is read, or None if it was never written."""
        if self.pinned is not None:
            return self.pinned.get(name)
        with _storage(self.uri(name)):
            try:
                return int(DeltaTable(self.uri(name)).version())
            except TableNotFoundError:
                return None

    def versions(self, names: Iterable[str]) -> dict[str, int]:
        """Return name → version that is read, for the tables that exist."""
        found = {name: self.version(name) for name in names}
        return {name: version for name, version in found.items() if version is not None}

    def replace_days(
        self,
        name: str,
        rows: pa.Table | pa.RecordBatchReader,
        days: Sequence[date],
        *,
        widen: bool = False,
    ) -> int:
        """Replace the rows of `days` by `rows` in one atomic commit.

        Args:
            rows: columns of the table, `data_day` among them, which must be one of `days`;
                a reader is written as it is read. Days without rows become empty.
            days: at least one.
            widen: whether columns may be added; older rows, and columns that `rows` lacks,
                are null.

        Returns:
            The new version.

        Raises:
            SchemaBreak: `rows` has other columns than the table.
            StorageUnavailable: the table cannot be written.
        """
        uri = self._newest(name)
        chosen = ", ".join(f"'{day.isoformat()}'" for day in sorted(days))
        with _storage(uri):
            DeltaTable.create(
                uri,
                rows.schema,
                mode="ignore",
                partition_by=[DATA_DAY],
                configuration=WHOLE_LOG,
            )
            write_deltalake(
                uri,
                rows,
                mode="overwrite",
                predicate=f"{DATA_DAY} IN ({chosen})",
                schema_mode="merge" if widen else None,
            )
            return int(DeltaTable(uri).version())

    def require_types(self, name: str, schema: pa.Schema) -> None:
        """Raise `SchemaBreak` if a column of a table that exists is of another type.

        Delta would cast what is written, and cut 1.5 to 1.
        """
        with _storage(self.uri(name)):
            try:
                table = DeltaTable(self._newest(name))
            except TableNotFoundError:
                return
            there = {field.name: field.type for field in table.schema().fields}
            given = {field.name: field.type for field in DeltaSchema.from_arrow(schema).fields}
        retyped = [
            f"{column} is {there[column].type} there and {kind.type} now"
            for column, kind in given.items()
            if column in there and there[column] != kind
        ]
        if retyped:
            raise SchemaBreak(
                f"the lake table {self.uri(name)} has other columns: {'; '.join(retyped)}. Give "
                "the column a new name; or delete the table's folder and land or build all its "
                "days again with a backfill"
            )

    def append(self, name: str, rows: pa.RecordBatchReader) -> int:
        """Add rows of days that are being written, after `replace_days`; returns the version.

        For days too large for one commit, which holds what it writes in memory.

        Raises what `replace_days` raises.
        """
        uri = self._newest(name)
        with _storage(uri):
            write_deltalake(uri, rows, mode="append", schema_mode="merge")
            return int(DeltaTable(uri).version())

    def overwrite(self, name: str, rows: pa.Table, fingerprint: str, run_id: str) -> int:
        """Replace an unpartitioned table as a whole; returns the new version.

        The fingerprint of what was read and the run that wrote it are part of the same commit,
        so that table and fingerprint can never disagree.
        """
        uri = self._newest(name)
        written = CommitProperties(custom_metadata={"fingerprint": fingerprint, "run_id": run_id})
        with _storage(uri):
            write_deltalake(
                uri,
                rows,
                mode="overwrite",
                schema_mode="overwrite",
                commit_properties=written,
                configuration=WHOLE_LOG,
            )
            return int(DeltaTable(uri).version())

    def written(self, name: str) -> Written | None:
        """Return what the newest `overwrite` said of itself, or None if there was none."""
        uri = self._newest(name)
        with _storage(uri):
            try:
                commits = DeltaTable(uri).history()
            except TableNotFoundError:
                return None
        found = (commit for commit in commits if {"fingerprint", "run_id"} <= commit.keys())
        newest = next(found, None)
        return newest and Written(str(newest["fingerprint"]), str(newest["run_id"]))

    def relation(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        days: Sequence[date] | None = None,
    ) -> duckdb.DuckDBPyRelation:
        """Return the table, or only some days of it, as a DuckDB relation.

        Only the files of those days are opened. Local tables are read by DuckDB itself, which
        needs no extension; tables behind a URL through arrow.

        Raises:
            StorageUnavailable: the table was never written or cannot be read, or files of the
                version were removed.
        """
        with _storage(self.uri(name)):
            table = self._open(name)
            chosen = None if days is None else [(DATA_DAY, "in", list(days) or [date.min])]
            if "://" in self.root:
                dataset = table.to_pyarrow_dataset(file_pruning_predicate=chosen)
                self._require_files(name, dataset.files, _listed(dataset.filesystem))
                return connection.from_arrow(dataset)
            files = table.file_uris(file_pruning_predicate=chosen)
            self._require_files(name, files, filter(os.path.exists, files))
            if not files:
                empty = pa.schema(table.schema().to_arrow()).empty_table()
                return connection.from_arrow(empty)
            partitioned = bool(table.metadata().partition_columns)
            return connection.from_parquet(files, hive_partitioning=partitioned, union_by_name=True)

    def read(self, name: str, days: Sequence[date] | None = None) -> pa.Table:
        """Return the table, or only some days of it, as arrow."""
        with connect() as connection:
            return self.relation(connection, name, days).to_arrow_table()

    def _newest(self, name: str) -> str:
        """Return where a table is, to be written or asked for its newest commit."""
        if self.pinned is not None:
            raise UsageError(
                f"the lake table {self.uri(name)} is open for reading at a recorded version; "
                "write through the lake itself"
            )
        return self.uri(name)

    def _open(self, name: str) -> DeltaTable:
        """Open the version of a table that is read."""
        if self.pinned is None:
            return DeltaTable(self.uri(name))
        if name not in self.pinned:
            raise StorageUnavailable(
                f"there was no lake table {self.uri(name)} when versions were taken; land a day "
                "first (./nightshift ingest …). For what was recorded long ago, use the code of "
                "that time: the declaration has another table now"
            )
        try:
            return DeltaTable(self.uri(name), version=self.pinned[name])
        except DeltaError as error:
            raise self._gone(name, f"it cannot be opened ({error})") from error

    def _require_files(self, name: str, files: Sequence[str], there: Iterable[str]) -> None:
        """Raise if files of a pinned version were removed, before somebody reads half of it."""
        if self.pinned is None:
            return
        missing = sorted(set(files) - set(there))
        if missing:
            told = f"{len(missing)} of {len(files)} files were removed, {missing[0]} the first"
            raise self._gone(name, told)

    def _gone(self, name: str, why: str) -> StorageUnavailable:
        assert self.pinned is not None, "only a recorded version can be gone"
        return StorageUnavailable(
            f"the lake table {self.uri(name)} cannot be read at version {self.pinned[name]} any "
            f"more: {why}. What a vacuum removed comes back from a backup of the lake only; name "
            "versions that are to be read again in its keep_versions"
        )


def _listed(files: fs.FileSystem) -> Iterator[str]:
    """Give the paths of all files of a table, listed at once when the first is asked for."""
    for info in files.get_file_info(fs.FileSelector("", recursive=True)):
        yield info.path


@contextmanager
def _storage(uri: str) -> Iterator[None]:
    """Turn what delta-rs and the file system raise into errors an operator understands."""
    try:
        yield
    except SchemaMismatchError as error:
        raise SchemaBreak(f"the lake table {uri} has other columns: {error}") from error
    except CommitFailedError as error:
        raise StorageUnavailable(
            f"somebody else wrote the lake table {uri} at the same time; run again"
        ) from error
    except TableNotFoundError as error:
        raise StorageUnavailable(
            f"there is no lake table {uri}, or its folder cannot be written; check the path and "
            "its permissions, or land a day first (./nightshift ingest …)"
        ) from error
    except (DeltaError, OSError, duckdb.IOException, duckdb.InvalidInputException) as error:
        if "validation check" in str(error):
            raise ValueError(f"rows outside the days being replaced in {uri}: {error}") from error
        raise StorageUnavailable(
            f"the lake table {uri} cannot be read or written: {error}; check the path, its "
            "permissions and free space, then run again"
        ) from error


def quote(identifier: str) -> str:
    """Return the name of a column as SQL has it."""
    return '"' + identifier.replace('"', '""') + '"'


def connect() -> duckdb.DuckDBPyConnection:
    """Open DuckDB for one piece of work: UTC, no extension downloads, no progress bar."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET enable_progress_bar = false")
    return connection
