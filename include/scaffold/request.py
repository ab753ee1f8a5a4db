"""What a person asks for when a dataset is added, and the plan that comes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from include.errors import UsageError
from include.scaffold import names
from include.scaffold.dataset import Plan, described, feast_objects
from include.scaffold.profile import Sample
from include.scaffold.proposals import Proposal, Wish, propose
from include.scaffold.querying import sample_table
from include.scaffold.sampling import sample_files
from include.scaffold.sources import database_source, files_source
from include.scaffold.wording import require_writable
from include.window import parse_day


@dataclass(frozen=True)
class Request:
    """A dataset as it is asked for.

    Attributes:
        files: table → its path template; nothing for a database.
        queried: table → the table or view of the database; nothing for files.
        wishes: what is wanted of each table.
    """

    name: str
    files: Mapping[str, str] = field(default_factory=dict)
    queried: Mapping[str, str] = field(default_factory=dict)
    connection: str | None = None
    wishes: Mapping[str, Wish] = field(default_factory=dict)
    timezone: str = "UTC"
    owner: str = "data-engineering"
    description: str | None = None
    first_day: str | None = None

    def __post_init__(self) -> None:
        if bool(self.files) == bool(self.queried):
            raise UsageError("give either --files, or --connection and --query-table")
        if self.queried and self.connection is None:
            raise UsageError("--connection is missing: the Airflow connection of the database")
        for table in (*self.files, *self.queried):
            names.require_table(table)
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise UsageError(
                f"--timezone: there is no zone {self.timezone!r}; write it as Europe/Berlin"
            ) from None
        require_writable("--owner", self.owner)
        require_writable("--description", self.description or "")


def sample(request: Request) -> dict[str, Sample]:
    """Look at some rows of every table; raises what the source raises, and `UsageError`."""
    if request.files:
        return {it: sample_files(path, request.connection) for it, path in request.files.items()}
    login = request.connection or ""
    return {
        it: sample_table(login, table, request.wishes.get(it, Wish()).day, request.timezone)
        for it, table in request.queried.items()
    }


def propose_tables(request: Request, samples: Mapping[str, Sample]) -> dict[str, Proposal]:
    """Return what to declare about every table; raises `UsageError`."""
    return {
        name: propose(name, found, request.wishes.get(name, Wish()), request.timezone)
        for name, found in samples.items()
    }


def plan(request: Request, samples: Mapping[str, Sample], tables: Mapping[str, Proposal]) -> Plan:
    """Return the dataset to write; raises `UsageError` if it cannot be."""
    reaches = [
        samples[name].reach(samples[name].days(it.day, request.timezone))
        for name, it in tables.items()
        if it.kind != "snapshot"
    ]
    if not reaches and request.first_day is None:
        raise UsageError("--first-day is missing: snapshots alone do not tell when history begins")
    # A day lands when all tables have it.
    first = parse_day(request.first_day) if request.first_day else max(it[0] for it in reaches)
    last = min((it[1] for it in reaches), default=first)
    if last < first:
        raise UsageError(f"there is no day from {first} on that all tables have (newest: {last})")
    chosen = tuple(tables.values())
    if request.files:
        source = files_source(request.files, samples, tables, request.connection)
    else:
        source = database_source(request.queried, tables, request.connection or "")
    made = Plan(
        name=request.name,
        description=request.description or described(chosen),
        owner=request.owner,
        timezone=request.timezone,
        first_day=first,
        last_day=last,
        source=source,
        tables=chosen,
    )
    names.require_feast_free(feast_objects(made))
    return made


def named_tables(given: Sequence[str], table: str | None, dataset: str) -> dict[str, str]:
    """Return table → path or SQL name, from texts that may begin with `TABLE=`.

    A text without is called as asked for, or else as its last part says:
    `data/{day}/orders.csv.gz` and `public.orders` are orders.
    """
    found: dict[str, str] = {}
    for text in given:
        name, _, rest = text.rpartition("=") if re.match(r"\w+=", text) else ("", "", text)
        if not name:
            name = table or _table_of(text) or dataset
        if name in found:
            raise UsageError(f"two tables are called {name}; write TABLE= before each")
        found[name] = rest
    if table is not None and len(given) > 1:
        raise UsageError("--table names one table; with several, write TABLE= before each path")
    return found


def _table_of(path: str) -> str | None:
    """Return the last part of a path or SQL name that could be a table's name."""
    plain = path.rpartition("://")[2]
    for part in reversed(PurePosixPath(plain).parts):
        words = part.split(".")
        options = [words[0]] if "/" in plain or "{" in plain or len(words) > 2 else words[::-1]
        for word in options:
            spelt = word.lower().replace("-", "_")
            if re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", spelt):
                return spelt
    return None


def wishes(
    tables: Sequence[str],
    kind: Sequence[str] = (),
    key: Sequence[str] = (),
    day: Sequence[str] = (),
    known_at: Sequence[str] = (),
    entity: Sequence[str] = (),
) -> dict[str, Wish]:
    """Return table → what is wanted of it, from texts that may begin with `TABLE:`."""
    options = {"kind": kind, "key": key, "day": day, "known-at": known_at, "entity": entity}
    for option, texts in options.items():
        for text in texts:
            table, colon, _ = text.partition(":")
            if colon and table not in tables:
                raise UsageError(
                    f"--{option}: there is no table {table!r}; there is {', '.join(tables)}"
                )
    return {
        table: Wish(
            kind=_last(kind, table),
            key=columns_in(_last(key, table) or ""),
            day=_last(day, table),
            known_at=_last(known_at, table),
            entities=tuple(map(columns_in, _of(entity, table))) or None,
        )
        for table in tables
    }


def columns_in(text: str) -> tuple[str, ...]:
    """Return the columns that a text such as `a, b` names."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _of(texts: Sequence[str], table: str) -> list[str]:
    """Return what is said of a table alone; where nothing is, what is said of all."""
    own = [text.partition(":")[2] for text in texts if text.startswith(f"{table}:")]
    return own or [text for text in texts if ":" not in text]


def _last(texts: Sequence[str], table: str) -> str | None:
    return next(reversed(_of(texts, table)), None)
