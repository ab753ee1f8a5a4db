"""`make docs`: `docs/declarations.md`, all that can be declared, from docstrings and signatures."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from include.settings import REPOSITORY

PAGE = REPOSITORY / "docs" / "declarations.md"
MODULES = ("declare", "declare_source", "declare_quality", "declare_model", "declare_retention")

PREFACE = """# What can be declared

<!-- made by `make docs` from the docstrings of `include/declare*.py`; do not edit -->

A declaration is plain typed Python: `DATASET` in `include/datasets/<name>/declaration.py`, and
`USE_CASE` in `include/use_cases/<name>/declaration.py`. It imports nothing but these classes, so
that parsing the DAGs costs nothing. Two that ship are
[`nyc_flights`](../include/datasets/nyc_flights/declaration.py) and
[`flight_delay`](../include/use_cases/flight_delay/declaration.py).

A field without a default has to be given. Values are checked by `make lint` (types) and by the
contract tests.
"""

_ATTRIBUTES = re.compile(r"^Attributes:\n((?:[ ].*\n?|\n)+)", re.MULTILINE)
_ATTRIBUTE = re.compile(r"^(\w+): ")


@dataclass(frozen=True)
class Field:
    """One field of a declaration; `default` is its Python text, None where it has to be given."""

    name: str
    type: str
    default: str | None
    meaning: str


@dataclass(frozen=True)
class Part:
    """One class that declarations are made of.

    Attributes:
        words: its docstring, without the attributes.
    """

    name: str
    words: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Chapter:
    """One module of declarations.

    Attributes:
        words: the first sentences of its docstring.
        values: name of a type → its allowed values, as Python text.
    """

    module: str
    words: str
    values: dict[str, str]
    parts: tuple[Part, ...]


def main() -> int:
    """Write the page; returns the exit code."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def page() -> str:
    """Return the page as Markdown."""
    chapters = [read(REPOSITORY / "include" / f"{name}.py") for name in MODULES]
    names = {part.name for chapter in chapters for part in chapter.parts}
    values = {name: it for chapter in chapters for name, it in chapter.values.items()}
    lines = [PREFACE]
    for chapter in chapters:
        lines += [f"## `include/{chapter.module}.py`", "", chapter.words, ""]
        links = ", ".join(f"[{it.name}](#{it.name.lower()})" for it in chapter.parts)
        lines += [f"Here: {links}.", ""]
        for part in chapter.parts:
            lines += [f"### {part.name}", "", part.words, "", *_table(part, names, values), ""]
    return "\n".join(lines)


def read(file: Path) -> Chapter:
    """Return what a module of declarations says, without importing it."""
    module = ast.parse(file.read_text(encoding="utf-8"))
    words = (ast.get_docstring(module) or "").partition("\n\n")[0]
    values: dict[str, str] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("Literal["):
            allowed = ast.unparse(node.value).removeprefix("Literal[").removesuffix("]")
            values[ast.unparse(node.targets[0])] = allowed.replace("'", '"')
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    return Chapter(file.stem, _flowing(words), values, tuple(_part(it) for it in classes))


def _part(node: ast.ClassDef) -> Part:
    told = _ATTRIBUTES.search(docstring := ast.get_docstring(node) or "")
    words = _ATTRIBUTES.sub("", docstring)
    meanings = _meanings(told[1] if told else "")
    fields = [
        Field(
            name := ast.unparse(it.target),
            ast.unparse(it.annotation).replace("'", '"'),
            None if it.value is None else _default(it.value),
            meanings.get(name, ""),
        )
        for it in node.body
        if isinstance(it, ast.AnnAssign)
    ]
    paragraphs = [_flowing(it) for it in re.split(r"\n\n+", words.strip())]
    return Part(node.name, "\n\n".join(paragraphs), tuple(fields))


def _meanings(attributes: str) -> dict[str, str]:
    """Return attribute → what its docstring says; further lines are indented."""
    found: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(attributes).splitlines():
        if begins := _ATTRIBUTE.match(line):
            name = begins[1]
            line = line[begins.end() :]
            found[name] = line
        elif name:
            found[name] += f" {line.strip()}"
    return found


def _default(value: ast.expr) -> str:
    """Return a default as a reader would write it: of a factory, what it makes."""
    text = ast.unparse(value).replace("'", '"')
    if made := re.fullmatch(r"field\(default_factory=(\w+)\)", text):
        return "{}" if made[1] == "dict" else f"{made[1]}()"
    return text


def _table(part: Part, names: set[str], values: dict[str, str]) -> Iterator[str]:
    yield "| field | type | default | meaning |"
    yield "|---|---|---|---|"
    for it in part.fields:
        default = "–" if it.default is None else _code(it.default, names)
        meaning = it.meaning.replace("|", "\\|")
        chosen = [name for name in values if re.search(rf"\b{name}\b", it.type)]
        if chosen:
            meaning += f" One of {_code(values[chosen[0]], set())}."
        yield f"| `{it.name}` | {_code(it.type, names)} | {default} | {meaning.strip()} |"


def _code(text: str, names: set[str]) -> str:
    """Return Python text as code in a table's cell, with links to the classes in it."""
    shown = escape(text, quote=False).replace("|", "&#124;")
    for name in names:
        shown = re.sub(rf"\b{name}\b", f'<a href="#{name.lower()}">{name}</a>', shown)
    return f"<code>{shown}</code>"


def _flowing(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
