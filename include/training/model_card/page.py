"""A document as one HTML page: style and charts within it, nothing fetched, nothing run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

from include.training.model_card.charts import COLOURS
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

STYLE = Path(__file__).with_name("page.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def write(document: Document, plots: Mapping[str, bytes]) -> str:
    """Return the document as a page.

    Args:
        document: what it says.
        plots: name of a figure → its SVG, drawn in the colours of `charts`.
    """
    sections = [(f"section-{place}", it) for place, it in enumerate(document.sections, start=1)]
    lines = [
        *_head(document),
        "<body>",
        "<main>",
        "<header>",
        '<p class="kind">Model card</p>',
        f"<h1>{escape(document.title)}</h1>",
        f'<p class="verdict {escape(document.state)}">{escape(document.verdict)}</p>',
        *(f"<p>{escape(text)}</p>" for text in document.lead),
        *_contents(sections),
        "</header>",
    ]
    for name, section in sections:
        lines += _section(name, section, plots)
    return "\n".join([*lines, "</main>", "</body>", "</html>", ""])


def _head(document: Document) -> Iterator[str]:
    yield from ("<!doctype html>", '<html lang="en">', "<head>", '<meta charset="utf-8">')
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(document.title)}</title>"
    yield f"<style>\n{STYLE.read_text(encoding='utf-8')}</style>"
    yield "</head>"


def _contents(sections: list[tuple[str, Section]]) -> Iterator[str]:
    yield from ('<nav aria-label="Contents">', "<ul>")
    for name, section in sections:
        yield f'<li><a href="#{name}">{escape(section.title)}</a></li>'
    yield from ("</ul>", "</nav>")


def _section(name: str, section: Section, plots: Mapping[str, bytes]) -> Iterator[str]:
    yield f'<section aria-labelledby="{name}">'
    yield f'<h2 id="{name}">{escape(section.title)}</h2>'
    for block in section.blocks:
        yield from _block(block, plots)
    yield "</section>"


def _block(block: Block, plots: Mapping[str, bytes]) -> Iterator[str]:
    match block:
        case Paragraph(text):
            yield f"<p>{escape(text)}</p>"
        case Bullets(items):
            yield from ("<ul>", *(f"<li>{escape(item)}</li>" for item in items), "</ul>")
        case Terms(pairs):
            told = (f"<dt>{escape(name)}</dt><dd>{_text(text)}</dd>" for name, text in pairs)
            yield from ("<dl>", *told, "</dl>")
        case Table():
            yield from _table(block)
        case Figure():
            yield "<figure>"
            yield inline(plots[block.name], block.name, block.alt)
            yield f"<figcaption>{escape(block.caption)}</figcaption>"
            yield "</figure>"


def _table(table: Table) -> Iterator[str]:
    """Give a table that a narrow screen scrolls, with the keyboard too."""
    yield f'<div class="wide" role="region" tabindex="0" aria-label="{escape(table.caption)}">'
    yield f"<table><caption>{escape(table.caption)}</caption>"
    heads = (
        f'<th scope="col"{_aligned(table, place)}>{escape(name)}</th>'
        for place, name in enumerate(table.header)
    )
    yield f"<thead><tr>{''.join(heads)}</tr></thead>"
    yield "<tbody>"
    for first, *others in table.rows:
        cells = (
            f"<td{_aligned(table, place)}>{_text(text)}</td>"
            for place, text in enumerate(others, start=1)
        )
        yield f'<tr><th scope="row"{_aligned(table, 0)}>{_text(first)}</th>{"".join(cells)}</tr>'
    yield "</tbody></table></div>"


def _aligned(table: Table, place: int) -> str:
    return ' class="number"' if place in table.numeric else ""


def _text(text: str) -> str:
    return f"<code>{escape(text)}</code>" if isinstance(text, Code) else escape(text)


def inline(svg: bytes, name: str, alt: str) -> str:
    """Return an SVG as a part of a page, in the page's colours.

    Identifiers get the figure's name, because those of several charts are alike.
    """
    drawn = svg.decode("utf-8")
    drawn = drawn[drawn.index("<svg") :].rstrip()
    drawn = re.sub(r"<metadata>.*?</metadata>\s*", "", drawn, flags=re.DOTALL)
    prefix = re.sub(r"\W", "-", Path(name).stem)
    drawn = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", drawn)
    for colour, variable in COLOURS.items():
        drawn = drawn.replace(colour, f"var(--{variable})")
    return drawn.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1)
