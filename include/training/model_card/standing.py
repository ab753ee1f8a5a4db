"""Where a version stands, and how it came there: the ledger's story of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from include.training.ledger import INTO_SERVICE, Entry
from include.training.model_card import words
from include.training.model_card.document import Block, Paragraph, Section, Table
from include.training.model_card.subject import Subject, estimate, mappings

_PENDING = {
    "proposed": "Waits for a person's approval",
    "shadowed": "Scores in shadow beside the champion until the gate decides",
    "registered": "Registered; the gate has not judged it",
}
_HAPPENED = {
    "registered": "registered",
    "proposed": "proposed for approval",
    "shadowed": "began to score in shadow",
    "promoted": "promoted",
    "kept": "kept out",
    "refused": "refused",
    "rolled_back": "rolled back to",
}


@dataclass(frozen=True)
class Standing:
    """Where a version stands.

    Attributes:
        state: champion, former, waiting or out.
        words: that in one line.
    """

    state: str
    words: str


def standing(subject: Subject) -> Standing:
    """Return where a version stands by the entries of its story."""
    version, kin = subject.entry.model_version, _kin(subject)
    service = [it for it in subject.story if it.event in INTO_SERVICE]
    if service and service[-1].model_version == version:
        return Standing("champion", _serves(service[-1]))
    if service and service[-1].model_version in kin:
        return Standing("champion", _serves_through(subject, service[-1]))
    if any(it.model_version in kin for it in service):
        return Standing("former", _left(service[-1]))
    own = [it for it in subject.story if it.model_version == version]
    newest = own[-1] if own else subject.entry
    if newest.event in _PENDING:
        return Standing("waiting", f"{_PENDING[newest.event]} (since {_day(newest)})")
    happened = _HAPPENED[newest.event].capitalize()
    return Standing("out", f"{happened} on {_day(newest)}: {newest.reason}")


def section(subject: Subject) -> Section:
    """Return every event with date, actor, reason and numbers, and the guardrails."""
    if not subject.story:
        return Section("Promotion evidence", (Paragraph("The ledger's story is not recorded."),))
    events = Table(
        caption="What the ledger says, oldest first; nothing in it is ever changed",
        header=("When", "Version", "What happened", "By", "Numbers", "Why"),
        rows=tuple(
            (
                f"{it.at:%Y-%m-%d %H:%M} UTC",
                it.model_version,
                _HAPPENED.get(it.event, it.event),
                it.actor,
                _numbers(it),
                it.reason,
            )
            for it in subject.story
        ),
    )
    return Section("Promotion evidence", (events, *_guardrails(subject)))


def _kin(subject: Subject) -> set[str]:
    """Return the version and those that are the same model: its refits, and what it refits."""
    version = subject.entry.model_version
    refits = {it.model_version for it in subject.story if it.refit_of == version}
    return {version, *refits, *([subject.entry.refit_of] if subject.entry.refit_of else [])}


def _serves(newest: Entry) -> str:
    way = "rolled back to" if newest.event == "rolled_back" else "promoted"
    return f"Champion since {_day(newest)}, {way} by {newest.actor}"


def _serves_through(subject: Subject, newest: Entry) -> str:
    if newest.model_version == subject.entry.refit_of:
        return f"Not in service: version {newest.model_version}, which it refits, is champion"
    return (
        f"Champion since {_day(newest)} through its refit, version {newest.model_version}, which "
        "was fitted again on all mature rows"
    )


def _left(newest: Entry) -> str:
    if newest.event == "rolled_back":
        return (
            f"Withdrawn on {_day(newest)}: rolled back to version {newest.model_version} by "
            f"{newest.actor}: {newest.reason}"
        )
    return f"Was champion until {_day(newest)}, when version {newest.model_version} replaced it"


def _day(entry: Entry) -> str:
    return f"{entry.at:%Y-%m-%d}"


def _numbers(entry: Entry) -> str:
    """Return what a verdict rests on, in short."""
    found: dict[str, Any] = dict(entry.evidence)
    if entry.event == "registered":
        return "–"
    difference, metric = estimate(found.get("difference")), str(found.get("metric", "metric"))
    parts = []
    if difference is not None:
        champion = found.get("champion") or found.get("compared_with")
        told = f"{words.short(metric)} better by {words.signed(difference)}"
        parts.append(f"{told} than version {champion}")
    elif found.get("champion"):
        how = "in place of" if entry.event in INTO_SERVICE else "beside"
        parts.append(f"{how} version {found['champion']}")
    if found.get("rows") is not None and found.get("days") is not None:
        rows = f"{words.count(found['rows'])} rows of {words.count(found['days'])} days"
        parts.append(f"on {rows}" if difference is not None else rows)
    broken = [it for it in mappings(found.get("guardrails")) if not it.get("passed")]
    if broken:
        parts.append(f"{words.plural(len(broken), 'guardrail')} broken")
    return ", ".join(parts) or "–"


def _guardrails(subject: Subject) -> Iterator[Block]:
    """Give one table per set of guardrails; a refit's promotion repeats those of its model."""
    shown: list[Any] = []
    for entry in subject.story:
        rails = list(mappings(entry.evidence.get("guardrails")))
        if not rails or rails in shown or entry.event == "registered":
            continue
        shown.append(rails)
        happened = _HAPPENED.get(entry.event, entry.event)
        yield Table(
            caption=f"Guardrails when version {entry.model_version} was {happened}, {_day(entry)}",
            header=("Guardrail", "Kept", "In numbers"),
            rows=tuple(
                (
                    words.plain(it.get("name")),
                    "yes" if it.get("passed") else "no: broken",
                    words.plain(it.get("words")),
                )
                for it in rails
            ),
        )
    if not shown:
        yield Paragraph("No guardrails were recorded with these events.")
