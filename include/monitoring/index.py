"""The index of all pages below `$NIGHTSHIFT_HOME/reports`, by use case."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from html import unescape
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import sqlalchemy as sa

from include.monitoring import pages
from include.monitoring.week import Week
from include.training import ledger
from include.training.card import HTML as CARD
from include.training.model import write_aside
from include.warehouse.locks import lock
from include.warehouse.monitoring_tables import drift_verdicts
from include.warehouse.tables import model_ledger
from include.workspace import Workspace

SHOWN = 14
"""Pages of each kind that are shown at once; older ones fold away."""

_MARKS = {"good": "usable", "care": "with care", "bad": "look first"}
_ANSWER = re.compile(r'<meta name="nightshift-answer" content="(\w+)">')
_WORDS = re.compile(r'<meta name="description" content="([^"]*)">')
_HEAD = 4_000
"""Characters of a page that hold what it says of itself."""


@dataclass(frozen=True)
class Link:
    """A page to go to.

    Attributes:
        to: its address, relative to the index.
        name: what it is called.
        state: `good`, `care` or `bad`, for colour; empty for neither.
        mark: that in a word or two.
        words: what it says in a line.
    """

    to: str
    name: str
    state: str
    mark: str
    words: str


@dataclass(frozen=True)
class Shelf:
    """The pages of one use case, each kind newest first."""

    use_case: str
    digests: tuple[Link, ...]
    nights: tuple[Link, ...]
    cards: tuple[Link, ...]


def rebuild(workspace: Workspace) -> Path:
    """Write the index of the pages there are; returns where it is.

    Under a lock, so that of two processes the later one sees the pages of both.

    Raises:
        LockHeld: another rebuilding does not end.
    """
    home = workspace.settings.home
    path = pages.folder(home) / pages.INDEX
    with lock(workspace.warehouse, "index", "reports"):
        with workspace.warehouse.reading() as connection:
            shelves = [_shelf(connection, home, name) for name in _names(connection, home)]
        page = pages.render("index.html", title="Reports", shelves=shelves, shown=SHOWN)
        write_aside(path, page.encode())
    return path


def _names(connection: sa.Connection, home: Path) -> list[str]:
    """Return the use cases with pages or models, declared or not any more."""
    query = sa.select(model_ledger.c.use_case).distinct()
    folders = pages.folder(home).glob("*/*.html")
    return sorted({*connection.scalars(query), *(it.parent.name for it in folders)})


def _shelf(connection: sa.Connection, home: Path, use_case: str) -> Shelf:
    files = sorted((pages.folder(home) / use_case).glob("*.html"), reverse=True)
    weeks = {week: path for path in files if (week := pages.week_of(path)) is not None}
    days = {day: path for path in files if (day := pages.day_of(path)) is not None}
    return Shelf(
        use_case=use_case,
        digests=tuple(_digest(home, week, weeks[week]) for week in sorted(weeks, reverse=True)),
        nights=tuple(_nights(connection, home, use_case, days)),
        cards=tuple(_cards(connection, home, use_case)),
    )


def _digest(home: Path, week: Week, path: Path) -> Link:
    with path.open(encoding="utf-8", errors="replace") as file:
        head = file.read(_HEAD)
    answer, words = _ANSWER.search(head), _WORDS.search(head)
    return Link(
        to=_relative(home, path),
        name=f"Week {week.number} of {week.year} ({week.window})",
        state=answer[1] if answer else "",
        mark=_MARKS.get(answer[1], "") if answer else "",
        words=unescape(words[1]) if words else "",
    )


def _nights(
    connection: sa.Connection, home: Path, use_case: str, days: Mapping[date, Path]
) -> Iterator[Link]:
    table = drift_verdicts.c
    query = sa.select(table.data_day, table.drifted, table.words)
    verdicts = {
        day: (drifted, words)
        for day, drifted, words in connection.execute(query.where(table.use_case == use_case))
    }
    for day in sorted(days, reverse=True):
        drifted, words = verdicts.get(day, (False, "no verdict"))
        state, mark = ("care", "drift") if drifted else ("", "")
        yield Link(_relative(home, days[day]), str(day), state, mark, words)


def _cards(connection: sa.Connection, home: Path, use_case: str) -> Iterator[Link]:
    """Yield the cards of models whose files are below the home, newest version first."""
    champion = ledger.champion(connection, use_case)
    registered = ledger.history(connection, use_case, model_ledger.c.event == "registered")
    for entry in reversed(registered):
        card = _local(entry.artifact_uri) / CARD
        if not card.is_relative_to(home) or not card.is_file():
            continue
        serves = champion is not None and champion.model_version == entry.model_version
        yield Link(
            to=_relative(home, card),
            name=f"Version {entry.model_version}",
            state="good" if serves else "",
            mark="champion" if serves else "",
            words=f"trained as of {entry.as_of}",
        )


def _local(uri: str) -> Path:
    parts = urlsplit(uri)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else Path()


def _relative(home: Path, path: Path) -> str:
    return quote(Path(os.path.relpath(path, pages.folder(home))).as_posix())
