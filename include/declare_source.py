"""What engineers declare about where a dataset's rows come from: files, or a SQL database.

Like `declare`, the standard library only. A source that fits neither is a class of its own,
named as `module:Class`, see `include.ingestion.source`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

Format = Literal["csv", "parquet", "json_lines"]


@dataclass(frozen=True)
class Times:
    """How the rows of one table are placed in time.

    Attributes:
        day: column, a date or a timestamp, whose day in the dataset's time zone is the data day;
            None takes the day from the file's path. Not for snapshots; of changes it is that of
            `updated_at`.
        known_at: column that says when a row became known, a date at its end; None means at the
            end of its data day, for a snapshot at the dataset's first day, for a change when it
            was made.
        known_after: added to it.
        timezone: IANA name of the zone of timestamps written without an offset; None means the
            dataset's.
    """

    day: str | None = None
    known_at: str | None = None
    known_after: timedelta = timedelta(0)
    timezone: str | None = None


@dataclass(frozen=True)
class FileTable:
    """The files of one table.

    Attributes:
        path: template of a path or object-store URL; `{day}` stands for the day, formatted as in
            `{day:%Y/%m/%d}`, and `*` for any text but `/`. Days that share a file, as with
            `{day:%Y-%m}` or without `{day}`, are told apart by `times.day`. A relative path is
            one below the repository.
        times: how its rows are placed in time.
        format: None means by the suffix, that of a compressed file before `.gz`, `.bz2`, `.zip`,
            `.xz` or `.zst`.
        options: of the reader: for CSV `delimiter`, `encoding`, `decimal`, `null_values` (texts
            that mean no value, separated by commas); for CSV and JSON lines `timestamp_format`
            (as of strptime).
        ready: template of a file that must be there before a day may be read.
        lookback_days: rows of a day may come as late as in the files of so many days after it.
        names: column of the files → column of the table, where they are called otherwise.
    """

    path: str
    times: Times = field(default_factory=Times)
    format: Format | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    ready: str | None = None
    lookback_days: int = 0
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Files:
    """A source of files.

    Attributes:
        tables: table name → where its files are.
        connection: Airflow connection with the login of the object store; None uses the
            surroundings (environment, instance role).
    """

    tables: Mapping[str, FileTable]
    connection: str | None = None


@dataclass(frozen=True)
class QueryTable:
    """One table of a SQL source.

    Attributes:
        table: name of a table or view, perhaps with its schema; or None when `query` is given.
        query: name of a file in the dataset's folder with a SELECT, without the day filter.
        times: `day` is needed for all but snapshots; it is pushed down as a range.
        version: column that grows whenever a row changes, such as `updated_at`; a day's
            fingerprint is then its count and its largest version. None hashes the day's rows; of
            changes it is their `updated_at`.
        ready: name of a file in the dataset's folder with a SELECT that takes `:day` and returns
            one true or false.
    """

    times: Times
    table: str | None = None
    query: str | None = None
    version: str | None = None
    ready: str | None = None


@dataclass(frozen=True)
class Database:
    """A source of SQL tables and queries, on Postgres or SQLite.

    Attributes:
        connection: Airflow connection, such as `shop` (environment `AIRFLOW_CONN_SHOP`).
        tables: table name → where its rows are.
        batch_rows: rows read at a time.

    Every night asks again for all days that it heals (`Dataset.heal_days`): rows that came late
    or were restated within them land, older ones by a backfill.
    """

    connection: str
    tables: Mapping[str, QueryTable]
    batch_rows: int = 50_000
