"""A hook before every statement sent to a warehouse, whichever driver sends it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from adbc_driver_manager import dbapi

Hook = Callable[[str], None]
"""Called with the text of a statement before it is sent."""

READING = ("SELECT", "SET", "SHOW")
"""How statements begin that write nothing."""

_BULK = [
    (dbapi.Cursor, "execute"),
    (dbapi.Cursor, "executemany"),
    (dbapi.Cursor, "adbc_ingest"),
    (dbapi.Connection, "commit"),
]


@contextmanager
def before_every_statement(hook: Hook) -> Iterator[None]:
    """Call `hook` before each statement of SQLAlchemy and ADBC, commits and bulk loads included."""

    def executing(_c: Any, _cursor: Any, statement: str, _p: Any, _x: Any, _many: bool) -> None:
        hook(plain(statement))

    def committing(_connection: Any) -> None:
        hook("COMMIT")

    originals = [(owner, name, getattr(owner, name)) for owner, name in _BULK]
    sa.event.listen(sa.Engine, "before_cursor_execute", executing)
    sa.event.listen(sa.Engine, "commit", committing)
    for owner, name, original in originals:
        setattr(owner, name, _hooked(hook, name, original))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)
        sa.event.remove(sa.Engine, "commit", committing)
        sa.event.remove(sa.Engine, "before_cursor_execute", executing)


def plain(statement: str) -> str:
    """Return a statement without what differs between two runs: the run's id and its quotes."""
    return " ".join(re.sub(r"[0-9a-f]{32}", "RUN", statement).replace('"', "").split())


def _hooked(hook: Hook, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def called(self: Any, *given: Any, **named: Any) -> Any:
        told = f" {plain(given[0])}" if given and isinstance(given[0], str) else ""
        hook(f"ADBC {name}{told}")
        return original(self, *given, **named)

    return called
