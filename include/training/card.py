"""A model's card: what it is for, made of, worth and careful about, for whoever must trust it.

Written from the ledger and the model's facts alone, as Markdown and as one HTML page that
fetches nothing. The same inputs give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from include.declare import UseCase
from include.training.ledger import Entry
from include.training.model import Facts, write_aside
from include.training.model_card import (
    features,
    groups,
    limits,
    markdown,
    origin,
    page,
    standing,
    words,
    worth,
)
from include.training.model_card.document import Document
from include.training.model_card.subject import Subject

MARKDOWN, HTML = "card.md", "card.html"


@dataclass(frozen=True)
class Card:
    """The card of one version.

    Attributes:
        plots: file name → SVG; the Markdown links to them, the page holds them.
    """

    markdown: str
    html: str
    plots: Mapping[str, bytes] = field(repr=False)

    def files(self) -> dict[str, bytes]:
        """Return every file of the card, by name."""
        return {MARKDOWN: self.markdown.encode(), HTML: self.html.encode(), **self.plots}


def render(use_case: UseCase, facts: Facts, entry: Entry, story: Sequence[Entry]) -> Card:
    """Return the card of a version. What its evidence lacks is said to be not recorded.

    Args:
        use_case: its declaration.
        facts: of the model.
        entry: the version's registration, with what was measured.
        story: entries of the version, of its refits or of what it refits, and those that name
            it as champion; oldest first.
    """
    from include.training.model_card import plots as drawing  # matplotlib: half a second

    document = compose(Subject(use_case, facts, entry, story))
    plots = {figure.name: drawing.draw(figure.chart, figure.name) for figure in document.figures}
    return Card(markdown.write(document), page.write(document, plots), plots)


def compose(subject: Subject) -> Document:
    """Return what a card says, before it is written in any form."""
    stands, version = standing.standing(subject), subject.entry.model_version
    return Document(
        title=f"{subject.use_case.name}, version {version}",
        verdict=stands.words,
        state=stands.state,
        lead=_lead(subject),
        sections=(
            origin.purpose(subject),
            origin.data(subject),
            origin.tuning(subject),
            worth.performance(subject),
            worth.calibration(subject),
            groups.slices(subject),
            features.features(subject),
            features.reasons(subject),
            limits.limits(subject),
            standing.section(subject),
        ),
    )


def write(folder: Path, card: Card) -> None:
    """Write a card's files into a folder, each aside and then in place."""
    for name, content in card.files().items():
        write_aside(folder / name, content)


def _lead(subject: Subject) -> tuple[str, ...]:
    """Return what to read if nothing else is: how good it is, and until when this holds."""
    worthy = f"What it is worth is {words.NOT_RECORDED}."
    if subject.primary is not None:
        value = f"{words.short(subject.metric)} {words.told(subject.primary)}"
        gains = (worth.baseline_gain(subject), worth.history_gain(subject))
        told = " ".join(gain for gain in gains if gain)
        worthy = f"{value} on {worth.measured_on(subject)}. {told}"
    newest = subject.story[-1] if subject.story else subject.entry
    until = f"As the ledger stood on {newest.at:%Y-%m-%d %H:%M} UTC, with entry {newest.entry}."
    return (f"{worthy[:1].upper()}{worthy[1:]}", until)
