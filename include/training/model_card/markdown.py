"""A document as Markdown, with GitHub's tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from include.training.model_card.document import (
    Block,
    Bullets,
    Code,
    Document,
    Figure,
    Paragraph,
    Section,
    Table,
    Terms,
)

_ALWAYS = re.compile(r"[\\`*<>|~&]|(?<![^\W_])_|_(?![^\W_])|\[(?=[^\]]*\][(\[])")
_AT_THE_START = re.compile(r"^(#|\[|=|[+-](?=[\s-]|$)|\d+(?=[.)](\s|$)))")


def write(document: Document) -> str:
    """Return the document as Markdown; figures are links to the files beside it."""
    lines = [f"# {escape(document.title)}", "", f"**{escape(document.verdict)}**", ""]
    for text in document.lead:
        lines += [escape(text), ""]
    for section in document.sections:
        lines += _section(section)
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """Return a text as one line that Markdown shows as it is."""
    line = _ALWAYS.sub(r"\\\g<0>", " ".join(text.split()))
    return _AT_THE_START.sub(_escape_start, line)


def _escape_start(found: re.Match[str]) -> str:
    mark = found.group(0)
    return f"{mark}\\" if mark.isdigit() else f"\\{mark}"


def _section(section: Section) -> Iterator[str]:
    yield from (f"## {escape(section.title)}", "")
    for block in section.blocks:
        yield from (*_block(block), "")


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(text):
            yield escape(text)
        case Bullets(items):
            yield from (f"- {escape(item)}" for item in items)
        case Terms(pairs):
            yield from (f"- **{escape(name)}:** {_cell(text)}" for name, text in pairs)
        case Table():
            yield from _table(block)
        case Figure():
            yield from (f"![{escape(block.alt)}]({block.name})", "", escape(block.caption))


def _table(table: Table) -> Iterator[str]:
    yield from (escape(table.caption), "")
    yield _row(table.header)
    rules = ("---:" if place in table.numeric else "---" for place in range(len(table.header)))
    yield f"| {' | '.join(rules)} |"
    yield from (_row(row) for row in table.rows)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(text: str) -> str:
    if isinstance(text, Code) and text and "`" not in text and "|" not in text:
        return f"`{' '.join(text.split())}`"
    return escape(text)
