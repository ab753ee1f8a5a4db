"""What a card is made of: sections of blocks, that Markdown and HTML are both written from.

Texts are plain: whoever writes a form of the document escapes them for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from include.training.model_card.charts import Chart


class Code(str):
    """Text for machines, such as a name in code or a hash; told in a fixed-width font."""


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Sentences, each on its own."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Terms:
    """Short names, each with what there is to say about it."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Rows under a header; the first cell of a row names it.

    Attributes:
        caption: what the table shows.
        numeric: places of the columns that hold numbers, from 0.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A chart with what it shows in words, for those who do not see it.

    Attributes:
        name: of its file.
        alt: what is to be seen.
        caption: how to read it.
    """

    name: str
    chart: Chart
    alt: str
    caption: str


Block = Paragraph | Bullets | Terms | Table | Figure


@dataclass(frozen=True)
class Section:
    """A part of the document under its own heading."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole card.

    Attributes:
        title: what it is about.
        verdict: one line: where the version stands.
        state: that in one word, for colour.
        lead: the sentences to read if nothing else is.
    """

    title: str
    verdict: str
    state: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def figures(self) -> Iterator[Figure]:
        """Every figure, in order."""
        for section in self.sections:
            for block in section.blocks:
                if isinstance(block, Figure):
                    yield block
