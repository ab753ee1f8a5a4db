"""A source of files, in a folder or on an object store, found by path templates."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as fs

from include.connections import Connections
from include.declare import Dataset, Table
from include.declare_source import Files, FileTable
from include.errors import ConfigurationError, DayAbsent, SchemaBreak
from include.ingestion.sources.formats import format_of, parse, require_distinct
from include.ingestion.sources.places import Place, open_place
from include.ingestion.sources.template import Template
from include.ingestion.sources.times import Placing
from include.lake import fingerprint
from include.lake.schema import ARROW_TYPES, DATA_DAY, of_days

VERSION = 1
"""Raise when the same files are read differently, so that days are landed again."""
TOLD_EVERY = 15.0
"""Seconds between two lines about a long reading."""

_log = logging.getLogger(__name__)


class FileSource:
    """Reads the days of a dataset from files; made for one run, in which it lists a folder once."""

    def __init__(self, dataset: Dataset, declared: Files, connections: Connections) -> None:
        """Check the declaration; raises `ConfigurationError`."""
        require_same_tables(dataset, declared.tables)
        self._tables = {
            table.name: TableFiles(
                dataset, table, declared.tables[table.name], declared, connections
            )
            for table in dataset.tables
        }
        for files in self._tables.values():
            files.require_sound()

    def fingerprint(self, table: Table, day: date) -> str:
        """Return the hash of what a day is read from; raises what `Source.fingerprint` raises."""
        return self._tables[table.name].fingerprint(day)

    def read(self, table: Table, days: Sequence[date]) -> pa.Table:
        """Return the rows of days; raises what `Source.read` raises."""
        return self._tables[table.name].read(days)


def require_same_tables(dataset: Dataset, declared: Iterable[str]) -> None:
    """Raise `ConfigurationError` if a source declares other tables than its dataset."""
    wanted, given = {table.name for table in dataset.tables}, set(declared)
    if wanted != given:
        raise ConfigurationError(
            f"{dataset.name}: tables and source must name the same tables; without a source: "
            f"{', '.join(sorted(wanted - given)) or 'none'}; without a table: "
            f"{', '.join(sorted(given - wanted)) or 'none'}"
        )


@dataclass
class TableFiles:
    """The files of one table."""

    dataset: Dataset
    table: Table
    declared: FileTable
    source: Files
    connections: Connections
    _shared: dict[str, tuple[pa.Table, list[str]]] = field(default_factory=dict)
    _hashes: dict[str, dict[date, str]] = field(default_factory=dict)

    @cached_property
    def _placing(self) -> Placing:
        return Placing(self.dataset, self.table, self.declared.times)

    @cached_property
    def _where(self) -> str:
        return f"{self.dataset.name}.{self.table.name}"

    @cached_property
    def _found(self) -> tuple[Place, Template]:
        return self._open(self.declared.path)

    @cached_property
    def _marker(self) -> tuple[Place, Template]:
        assert self.declared.ready is not None
        return self._open(self.declared.ready)

    def _open(self, path: str) -> tuple[Place, Template]:
        name = self.source.connection
        connection = None if name is None else self.connections.get(name)
        place, inside = open_place(path, connection)
        return place, Template.parse(inside, self._where)

    @cached_property
    def _shares(self) -> bool:
        """Whether days share files, so that a column tells their rows apart."""
        template = Template.parse(self.declared.path, self._where)
        return self.table.kind != "snapshot" and not template.divides

    def require_sound(self) -> None:
        """Raise `ConfigurationError` if the declaration cannot be read by."""
        format_of(self.declared, self._where)
        Template.parse(self.declared.path, self._where)
        self._placing.require_sound()
        undated = self.table.kind != "snapshot" and self._placing.day_column is None
        if undated and self._shares:
            raise ConfigurationError(
                f"{self._where}: days share the path {self.declared.path!r}; name the column that "
                "tells their rows apart in times.day, or write {day} in the path"
            )
        late = self.declared.lookback_days
        if late and undated:
            raise ConfigurationError(
                f"{self._where}: rows in the files of later days must say their day; name its "
                "column in times.day, or leave out lookback_days"
            )
        if not 0 <= late <= self.dataset.heal_days:
            raise ConfigurationError(
                f"{self._where}: lookback_days is {late}; nights look back heal_days "
                f"({self.dataset.heal_days}) days, and rows that come later would never land"
            )
        if self.declared.ready is not None:
            Template.parse(self.declared.ready, self._where)

    def fingerprint(self, day: date) -> str:
        """Return a hash of what is declared about the reading and of the files of a day.

        Of files that days share it is of the day's rows, so that new days leave old ones alone.

        Raises:
            DayAbsent: the day is not ready, or there is no file for it.
            SourceUnreachable: the files cannot be read.
        """
        place, _ = self._found
        self._require_ready(day)
        if not self._own(day):
            raise DayAbsent(f"{self._where}: there is no file {self._path(day)}")
        if self._shares:
            return self._of_shared(day)
        marks = sorted(place.mark(file) for _, file in self._reaching(day))
        return fingerprint.of_values(self._reading, marks)

    def read(self, days: Sequence[date]) -> pa.Table:
        """Return the rows of days from their files and from those of the days after.

        Raises:
            SchemaBreak: a file cannot be read as declared, or one of a day that is asked for
                holds rows of days that it may not hold.
        """
        files = {file.path: (path, file) for day in days for path, file in self._reaching(day)}
        own = {self._path(day): day for day in days}
        parts, added, told = [], set(), time.monotonic()
        for number, (path, file) in enumerate(files.values(), 1):
            rows, extra = self._rows(path, file, own.get(path))
            if self.table.kind != "snapshot":
                if path in own:
                    self._require_expected(rows, path, file)
                rows = of_days(rows, days)
            parts.append(rows)
            added.update(extra)
            if time.monotonic() - told > TOLD_EVERY:
                told = time.monotonic()
                read = sum(len(part) for part in parts)
                _log.info(
                    "%s: %d of %d files, %s rows", self._where, number, len(files), f"{read:,}"
                )
        if not parts:
            raise SchemaBreak(f"{self._where}: there is no file {self._path(days[0])} any more")
        rows = pa.concat_tables(parts)
        for name in sorted(added):  # named without values: the landing tells that it is left out
            rows = rows.append_column(name, pa.nulls(len(rows)))
        return rows

    def _rows(self, path: str, file: fs.FileInfo, day: date | None) -> tuple[pa.Table, list[str]]:
        """Return a file's rows as the lake has them, and the columns it has not."""
        if self._shares and file.path in self._shared:
            return self._shared[file.path]
        place, _ = self._found
        options = dict(self.declared.options)
        form = format_of(self.declared, self._where)
        raw = parse(place.read(file.path), file.path, form, options, self._json_schema)
        names = [self.declared.names.get(name, name) for name in raw.column_names]
        require_distinct(names, file.path)
        reader = self._placing.reader(file.path, options)
        rows, extra = self._placing.place(raw.rename_columns(names), reader, day)
        if self._shares:
            self._shared[file.path] = rows, extra
        return rows, extra

    def _reaching(self, day: date) -> list[tuple[str, fs.FileInfo]]:
        """Return template path and file of all that may hold rows of a day."""
        paths = self._paths(day)
        place, _ = self._found
        return [(path, file) for path in paths for file in place.find(path)]

    def _own(self, day: date) -> list[fs.FileInfo]:
        place, _ = self._found
        return place.find(self._path(day))

    def _paths(self, day: date) -> list[str]:
        """Return the paths of the files that may hold rows of a day, its own first."""
        late = min(self.declared.lookback_days, (date.max - day).days)
        return list(dict.fromkeys(self._path(day + timedelta(days=n)) for n in range(late + 1)))

    def _path(self, day: date) -> str:
        _, template = self._found
        return template.path(day)

    def _require_ready(self, day: date) -> None:
        if self.declared.ready is None:
            return
        place, template = self._marker
        marker = template.path(day)
        if not place.find(marker):
            raise DayAbsent(f"{self._where}: there is no file {marker} yet, which says it is ready")

    def _of_shared(self, day: date) -> str:
        found = [self._hashes_of(path, file) for path, file in self._reaching(day)]
        newest = max((max(hashes, default=date.min) for hashes in found), default=date.min)
        waits = self.table.kind == "events" and self.declared.ready is None
        if waits and newest < day:
            raise DayAbsent(f"{self._where}: {self._path(day)} has rows until {newest} only")
        return fingerprint.of_values(self._reading, [hashes.get(day) for hashes in found])

    def _hashes_of(self, path: str, file: fs.FileInfo) -> dict[date, str]:
        """Return the hash of the rows of every day that a shared file has."""
        if file.path not in self._hashes:
            rows, _ = self._rows(path, file, None)
            days = rows.column(DATA_DAY).unique().to_pylist()
            self._hashes[file.path] = fingerprint.of_days(rows, days)
        return self._hashes[file.path]

    def _require_expected(self, rows: pa.Table, path: str, file: fs.FileInfo) -> None:
        """Raise `SchemaBreak` if a file holds rows of days that no landing would look for here."""
        found = pc.value_counts(rows.column(DATA_DAY)).to_pylist()
        counts = {it["values"]: it["counts"] for it in found}
        strays = {day: count for day, count in counts.items() if path not in self._paths(day)}
        if strays:
            raise SchemaBreak(
                f"{file.path}: {sum(strays.values())} of {len(rows)} rows are of other days "
                f"({min(strays)} to {max(strays)}) and would be lost. If rows come late, raise "
                f"lookback_days ({self.declared.lookback_days}) of {self._where}; else repair the "
                "file"
            )

    @cached_property
    def _reading(self) -> list[object]:
        """What the rows depend on besides the files."""
        it = self.declared
        zone = self.dataset.timezone
        names: Mapping[str, str] = it.names
        return [VERSION, repr(it.times), it.format, dict(it.options), dict(names), zone]

    @cached_property
    def _json_schema(self) -> pa.Schema:
        """What JSON values are read as: times stay text, to be read as those of CSV are."""
        types = {c.name: ARROW_TYPES[c.type] for c in self.table.columns if c.type != "timestamp"}
        called = {name: column for column, name in self.declared.names.items()}
        placed = (self._placing.day_column, self._placing.known_column)
        stamps = {c.name for c in self.table.columns if c.type == "timestamp"}
        stamps |= {name for name in placed if name is not None}
        types |= dict.fromkeys(stamps, pa.string())
        return pa.schema([(called.get(name, name), kind) for name, kind in types.items()])
