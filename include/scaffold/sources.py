"""How a source is declared, as code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.scaffold.layout import Code, Group, call, mapping, quoted
from include.scaffold.profile import Sample
from include.scaffold.proposals import Proposal


@dataclass(frozen=True)
class SourceCode:
    """A source as code, and what of `declare_source` the code uses."""

    code: Group
    imports: tuple[str, ...]


def files_source(
    paths: Mapping[str, str],
    samples: Mapping[str, Sample],
    tables: Mapping[str, Proposal],
    connection: str | None,
) -> SourceCode:
    """Return a source of files; `paths`: table → its path template."""
    code: dict[str, Code] = {}
    for name, path in paths.items():
        arguments: dict[str, Code] = {**_times(tables[name])}
        if options := samples[name].options:
            arguments["options"] = _texts(options)
        if names := samples[name].names:
            arguments["names"] = _texts(names)
        code[name] = call("FileTable", quoted(path), **arguments)
    where: dict[str, Code] = {"connection": quoted(connection)} if connection else {}
    return _source("Files", call("Files", mapping(code), **where), "FileTable")


def database_source(
    queried: Mapping[str, str], tables: Mapping[str, Proposal], connection: str
) -> SourceCode:
    """Return a source of SQL tables; `queried`: table → the table or view of the database."""
    code: dict[str, Code] = {
        name: call("QueryTable", **{"times": "Times()", **_times(tables[name])}, table=quoted(it))
        for name, it in queried.items()
    }
    return _source("Database", call("Database", quoted(connection), mapping(code)), "QueryTable")


def _source(name: str, code: Group, table: str) -> SourceCode:
    used = (name, table, *(["Times"] if "Times(" in code.flat() else []))
    return SourceCode(code, used)


def _times(table: Proposal) -> dict[str, Code]:
    given = {"day": None if table.kind == "changes" else table.day, "known_at": table.known_at}
    columns: dict[str, Code] = {name: quoted(it) for name, it in given.items() if it}
    return {"times": call("Times", **columns)} if columns else {}


def _texts(texts: Mapping[str, str]) -> Group:
    return mapping({key: quoted(value) for key, value in texts.items()})
