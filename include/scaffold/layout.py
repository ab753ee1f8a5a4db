"""Lays out calls, tuples and mappings as ruff formats them: on one line, or one item per line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

WIDTH = 100


@dataclass(frozen=True)
class Group:
    """Items between brackets; an item is code, or another group, perhaps after `name=`."""

    before: str
    items: tuple[tuple[str, str | Group], ...]
    after: str
    lonely_comma: bool = False
    exploded: bool = False
    prose: bool = False

    def flat(self) -> str:
        """Return the group on one line."""
        if self.prose:
            return quoted(" ".join(word for _, word in self.items if isinstance(word, str)))
        parts = [name + (it if isinstance(it, str) else it.flat()) for name, it in self.items]
        comma = "," if self.lonely_comma and len(parts) == 1 else ""
        return f"{self.before}{', '.join(parts)}{comma}{self.after}"

    @property
    def breaks(self) -> bool:
        """Whether it, or a group in it, is to be on several lines however short."""
        inner = (it for _, it in self.items if isinstance(it, Group))
        return self.exploded or any(it.breaks for it in inner)


Code = str | Group


def call(called: str, /, *arguments: Code, **named: Code) -> Group:
    """Return a call."""
    items = [("", it) for it in arguments] + [(f"{key}=", it) for key, it in named.items()]
    return Group(f"{called}(", tuple(items), ")")


def spread(group: Group) -> Group:
    """Return a group that is laid out with one item per line however short it is.

    A tuple of one is not: ruff takes its comma for the tuple's own.
    """
    return replace(group, exploded=len(group.items) > (1 if group.lonely_comma else 0))


def several(items: Iterable[Code]) -> Group:
    """Return a tuple."""
    return Group("(", tuple(("", it) for it in items), ")", lonely_comma=True)


def listed(items: Iterable[Code]) -> Group:
    """Return a list."""
    return Group("[", tuple(("", it) for it in items), "]")


def mapping(items: Mapping[str, Code]) -> Group:
    """Return a dictionary with keys of text."""
    pairs = tuple((f"{quoted(key)}: ", it) for key, it in items.items())
    return Group("{", pairs, "}")


def quoted(text: str) -> str:
    """Return text as a Python literal, in double quotes where it can be."""
    plain = repr(text)
    if plain.startswith('"') or '"' in text:
        return plain
    return f'"{plain[1:-1]}"'


def prose(text: str) -> Group:
    """Return text that is written as several literals where it does not fit on a line."""
    return Group("(", tuple(("", word) for word in text.split(" ")), ")", prose=True)


def laid_out(code: Code, before: str = "", indent: int = 0, after: str = "") -> str:
    """Return code as lines; `before` and `after` stand on its first and last line."""
    if isinstance(code, str):
        return " " * indent + before + code + after
    line = " " * indent + before + code.flat() + after
    if len(line) <= WIDTH and not code.breaks:
        return line
    if not code.items:
        return line
    if code.prose:
        return _paragraph(code, before, indent, after)
    inner = [laid_out(it, name, indent + 4, ",") for name, it in code.items]
    head = " " * indent + before + code.before
    return "\n".join([head, *inner, " " * indent + code.after + after])


def _paragraph(code: Group, before: str, indent: int, after: str) -> str:
    margin = " " * (indent + 4)
    words = " ".join(word for _, word in code.items if isinstance(word, str))
    lines = textwrap.wrap(words, WIDTH - len(margin) - 3, break_on_hyphens=False)
    inner = [margin + quoted(f"{line} ") for line in lines[:-1]] + [margin + quoted(lines[-1])]
    return "\n".join([" " * indent + before + "(", *inner, " " * indent + ")" + after])
