"""Contenders take turns, so that whatever else the machine does meets all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from bench import machine
from bench.child import ChildFailed
from bench.machine import GB
from bench.progress import Progress


class Contender(Protocol):
    """Whoever is measured."""

    @property
    def title(self) -> str:
        """What it is, for people."""
        ...

    @property
    def repetitions(self) -> int:
        """How often it is measured."""
        ...

    @property
    def needs(self) -> int:
        """Bytes of free memory without which it is not started."""
        ...


Who = TypeVar("Who", bound=Contender)


@dataclass
class Entry(Generic[Who]):
    """A contender, while turns are taken.

    Attributes:
        runs: what each of its measurements found.
        missing: why it was not started; None if it was.
        broken: what it died of, where it should not have.
    """

    contender: Who
    runs: list[dict[str, Any]] = field(default_factory=list)
    missing: str | None = None
    broken: str | None = None

    def due(self, turn: int) -> bool:
        """Whether it has a turn, from 0, and can take it."""
        return turn < self.contender.repetitions and not self.missing and not self.broken


def take(
    title: str,
    contenders: Sequence[Who],
    measure: Callable[[Who], dict[str, Any]],
    told: Callable[[dict[str, Any]], str],
    progress: Progress,
) -> list[Entry[Who]]:
    """Measure everybody as often as declared, one after the other.

    Args:
        title: what they are measured on.
        contenders: who is measured.
        measure: runs one of them once, in a process of its own.
        told: what a measurement found, in words.
        progress: where it is told.
    """
    entries = [Entry(contender) for contender in contenders]
    for turn in range(max(contender.repetitions for contender in contenders)):
        for entry in entries:
            if entry.due(turn):
                progress.start(f"{title}, {entry.contender.title}, {turn + 1}")
                progress.end(_take(entry, measure, told))
    return entries


def _take(
    entry: Entry[Who],
    measure: Callable[[Who], dict[str, Any]],
    told: Callable[[dict[str, Any]], str],
) -> str:
    """Measure a contender once, note what became of it, and return that in words."""
    needs = entry.contender.needs
    if machine.free_memory() < needs:
        entry.missing = f"needs {needs / GB:.0f} GB of free memory"
        return f"not measured: {entry.missing}"
    try:
        run = measure(entry.contender)
    except ChildFailed as last_word:
        entry.broken = str(last_word)
        return f"FAILED: {last_word}"
    entry.runs.append(run)
    return told(run)
