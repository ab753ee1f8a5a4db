"""A declared use case whose SQL files are those of a test."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from include.declare import UseCase


@dataclass(frozen=True)
class Elsewhere(UseCase):
    """A use case whose SQL files are in a folder of their own."""

    sql: Path = Path()

    @property
    def folder(self) -> Path:
        """The folder of the SQL files."""
        return self.sql


def with_sql_in(folder: Path, case: UseCase) -> UseCase:
    """Return a use case as it is declared, with the SQL files of another folder."""
    return Elsewhere(**{it.name: getattr(case, it.name) for it in fields(UseCase)}, sql=folder)
