"""What a version looks at: features by importance, and how well reasons on scores tell it."""

from __future__ import annotations

from collections.abc import Iterator

from include.training.model_card import words
from include.training.model_card.charts import Bars
from include.training.model_card.document import (
    Block,
    Code,
    Figure,
    Paragraph,
    Section,
    Table,
)
from include.training.model_card.subject import Subject

IMPORTANCE = "importance.svg"
SHOWN = 15
"""Features that are listed, most important first."""


def features(subject: Subject) -> Section:
    """Return the most important features in words, and what becomes of the others."""
    return Section("Features by importance", tuple(_features(subject)))


def reasons(subject: Subject) -> Section:
    """Return how well the fast reasons tell what the exact ones do."""
    return Section("Reasons on scores", (Paragraph(_reasons(subject)),))


def _features(subject: Subject) -> Iterator[Block]:
    known = subject.facts.importance
    ordered = sorted(known.items(), key=lambda it: (-it[1], it[0]))
    if not any(share > 0 for _, share in ordered):
        yield Paragraph("No feature was used, or importance is not recorded.")
        return
    shown, others = ordered[:SHOWN], ordered[SHOWN:]
    yield Paragraph(
        "Importance is a feature's share of all that splits improved the fit by. It says what the "
        "model uses, not what causes the outcome; features that say the same share it."
    )
    labels = [(_words(subject, name), share) for name, share in shown]
    first, share = labels[0]
    yield Figure(
        name=IMPORTANCE,
        chart=Bars(tuple(labels), "share of the total gain"),
        alt=f"The {len(shown)} most important features; first is {first}, {words.share(share)}.",
        caption="Features by their share of the total gain.",
    )
    yield Table(
        caption="The most important features",
        header=("Feature", "Share", "Name"),
        rows=tuple((_words(subject, it), words.share(part), Code(it)) for it, part in shown),
        numeric=(1,),
    )
    if others:
        rest, unused = sum(part for _, part in others), sum(part == 0 for _, part in others)
        never = f"; {unused} of them are never used" if unused else ""
        yield Paragraph(f"And {len(others)} more, together {words.share(rest)}{never}.")


def _words(subject: Subject, feature: str) -> str:
    """Return what a feature is, in words."""
    return subject.facts.words.get(feature) or feature.replace("_", " ")


def _reasons(subject: Subject) -> str:
    exact = subject.use_case.scoring.exact_reasons
    told = (
        f"The {exact:,} highest predictions per target date carry exact reasons (TreeSHAP), the "
        "others a fast approximation."
    )
    rank = subject.number("reasons", "rank_agreement")
    if rank is None:
        return f"{told} How well the two agree is {words.NOT_RECORDED}."
    same = subject.number("reasons", "same_strongest")
    rows = words.count(subject.recorded("reasons", "rows"))
    told += (
        f" On {rows} out-of-time rows the two order features alike with a rank correlation of "
        f"{rank:.3f} (1 is the same order)"
    )
    if same is not None:
        told += f", and the strongest reason is the same on {words.share(same)} of rows"
    return f"{told}."
