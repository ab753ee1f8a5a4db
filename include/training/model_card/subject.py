"""What a card is about, and how to ask what was recorded of it.

Entries of older versions lack what was not measured then, so nothing is taken for granted:
what is missing is None here, and the card says that it was not recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from include.declare import UseCase
from include.training.evaluation.bootstrap import Estimate
from include.training.ledger import Entry
from include.training.model import Facts


@dataclass(frozen=True)
class Subject:
    """A registered version.

    Attributes:
        use_case: its declaration as it is today.
        facts: of the model itself.
        entry: its registration, with what was measured.
        story: what the ledger says of it, oldest first.
    """

    use_case: UseCase
    facts: Facts
    entry: Entry
    story: Sequence[Entry]

    @property
    def binary(self) -> bool:
        """Whether it predicts a probability, and not an amount."""
        return self.facts.task == "binary"

    @property
    def metric(self) -> str:
        """The primary metric it was measured by."""
        return str(self.recorded("metric") or self.use_case.gate.metric)

    @property
    def primary(self) -> Estimate | None:
        """Its primary metric."""
        return self.estimate("model", "metrics", self.metric)

    def recorded(self, *path: str) -> Any:
        """Return what the evidence says at a path, or None."""
        found: Any = self.entry.evidence
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    def number(self, *path: str) -> float | None:
        """Return the number at a path, or None."""
        return number(self.recorded(*path))

    def estimate(self, *path: str) -> Estimate | None:
        """Return the value and interval at a path, or None."""
        return estimate(self.recorded(*path))

    def mapping(self, *path: str) -> Mapping[str, Any]:
        """Return what is recorded by name at a path; nothing if there is nothing."""
        return mapping(self.recorded(*path))

    def records(self, *path: str) -> list[Mapping[str, Any]]:
        """Return the list of records at a path; nothing if there is none."""
        return list(mappings(self.recorded(*path)))


def mapping(found: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, and nothing in place of anything else."""
    return found if isinstance(found, Mapping) else {}


def mappings(found: Any) -> Iterator[Mapping[str, Any]]:
    """Give the mappings of a list; nothing if it is none."""
    if isinstance(found, list | tuple):
        yield from (it for it in found if isinstance(it, Mapping))


def number(found: Any) -> float | None:
    """Return a finite number as it is, anything else as None."""
    known = isinstance(found, int | float) and not isinstance(found, bool) and isfinite(found)
    return float(found) if known else None


def estimate(found: Any) -> Estimate | None:
    """Return the value and interval that a mapping holds, or None."""
    if not isinstance(found, Mapping):
        return None
    parts = [number(found.get(name)) for name in ("value", "lower", "upper")]
    value, lower, upper = parts
    return (
        None if value is None or lower is None or upper is None else Estimate(value, lower, upper)
    )
