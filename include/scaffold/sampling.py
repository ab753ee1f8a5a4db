"""Looks at files of a source that is not declared yet: some days of it, newest first."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from string import Formatter

import pyarrow as pa
import pyarrow.fs as fs

from include.connections import Connection, Connections
from include.declare_source import FileTable, Format
from include.errors import SchemaBreak, UsageError
from include.ingestion.sources import formats
from include.ingestion.sources.places import Place, open_place
from include.ingestion.sources.template import Template
from include.scaffold.columns import sample_of
from include.scaffold.profile import DAY, Sample

MOST_FILES = 60
MOST_ROWS = 200_000

_NUMBER = r"\d+"
_NAME = r"[^\W\d_]+\.?"
_SHAPES = {"Y": r"\d{4}", "m": r"\d\d", "d": r"\d\d", "y": r"\d\d", "j": r"\d{3}"}
_SHAPES |= dict.fromkeys("aAbB", _NAME)
"""What a directive of `strftime` looks like in a path."""


def sample_files(path: str, connection: str | None = None) -> Sample:
    """Return rows of the newest files that fit a path template.

    CSV files are read with the delimiter, encoding, decimal sign and marks of missing values
    that they seem to have; those that are not the usual ones are in the sample's `options`.

    Raises:
        UsageError: no file fits, or the files have no rows.
        ConfigurationError: the path cannot be read, or the connection is not known.
        SchemaBreak: a file is not of the format its suffix says.
    """
    form = formats.format_of(FileTable(path), path)
    template = Template.parse(path, path)
    login = Connections.from_env(os.environ).get(connection) if connection else None
    place, files = _listed(path, template, login)
    if not files:
        where = "" if "://" in path or path.startswith("/") else " below the repository's folder"
        raise UsageError(f"there is no file {path}{where}; check the path template (--files)")
    reader = _Reader(place, form)
    parts: list[pa.Table] = []
    rows = 0
    for day, file in files[:MOST_FILES]:
        part = reader.read(file.path)
        if template.divides:
            part = part.append_column(DAY, pa.array([day] * len(part), pa.date32()))
        parts.append(part)
        rows += len(part)
        if rows >= MOST_ROWS:
            break
    reach = (files[-1][0], files[0][0]) if template.divides else (None, None)
    return sample_of(parts, reader.options, reach, is_csv=form == "csv")


def _listed(
    path: str, template: Template, login: Connection | None
) -> tuple[Place, list[tuple[date | None, fs.FileInfo]]]:
    """Return the files that fit a template with their days, newest first."""
    place, inside = open_place(path, login)
    everywhere = inside.format(day=_AnyDay())
    days = _Days.of(inside)
    found = [(days.read(file.path), file) for file in place.find(everywhere)]
    if not template.whole:
        found = [(day, file) for day, file in found if day is not None]
    return place, sorted(found, key=lambda it: (it[0] or date.min, it[1].path), reverse=True)


class _AnyDay:
    """Stands in a template for whatever day: `*` for every part of its format."""

    def __format__(self, spec: str) -> str:
        return re.sub(r"%-?[A-Za-z]", "*", spec) if spec else "*"


@dataclass(frozen=True)
class _Days:
    """Reads the day out of a path.

    Attributes:
        pattern: of the whole path, a group for each directive (`%Y`); what is said twice, as in
            `{day:%Y}/{day}.csv`, has to be the same.
        form: of those groups one after the other, as `strptime` takes it; empty without any.
    """

    pattern: re.Pattern[str]
    form: str

    @classmethod
    def of(cls, template: str) -> _Days:
        expression, groups = "", dict[str, None]()
        for text, name, spec, _ in Formatter().parse(template):
            expression += "[^/]*".join(re.escape(part) for part in text.split("*"))
            form = "" if name is None else spec or "%Y-%m-%d"
            for literal, directive in re.findall(r"([^%]*)(?:%(-?[A-Za-z]))?", form):
                expression += re.escape(literal)
                if (group := directive.lstrip("-")) in groups:
                    expression += f"(?P={group})"
                elif group:
                    expression += f"(?P<{group}>{_SHAPES.get(directive, _NUMBER)})"
                    groups[group] = None
        return cls(re.compile(expression), "\n".join(f"%{group}" for group in groups))

    def read(self, path: str) -> date | None:
        """Return the day a path is of; None if it is of none."""
        found = self.pattern.fullmatch(path)
        if found is None or not self.form:
            return None
        try:
            return datetime.strptime("\n".join(found.groups()), self.form).date()
        except ValueError:
            return None


@dataclass
class _Reader:
    """Reads files of one table, with options that are learnt from the first of them."""

    place: Place
    form: Format
    options: dict[str, str] = field(default_factory=dict)
    learnt: bool = False

    def read(self, path: str) -> pa.Table:
        """Return the rows of a file, text still text."""
        content = self.place.read(path)
        if self.form == "csv" and not self.learnt:
            self._learn(content, path)
            self.learnt = True
        return formats.parse(content, path, self.form, self.options, pa.schema([]))

    def _learn(self, content: pa.Buffer, path: str) -> None:
        """Look at a file as lines: its header has the delimiter most often."""
        whole = {**self.options, "delimiter": "\x1f"}
        try:
            lines = formats.parse(content, path, "csv", whole, pa.schema([]))
        except SchemaBreak:
            self.options.setdefault("encoding", "cp1252")
            whole["encoding"] = self.options["encoding"]
            lines = formats.parse(content, path, "csv", whole, pa.schema([]))
        header = lines.column_names[0]
        usual = max((",", ";", "\t", "|"), key=header.count)
        if usual != ",":
            self.options.setdefault("delimiter", usual)
