"""The fault matrix: which faults are planted, which gate meets each, and what becomes of it.

A test says with `@meets(...)` which fault it plants. `docs/faults.md` is made from these marks
(`python -m tests.faults.matrix`), so that it cannot claim what no test does.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

TESTS = Path(__file__).resolve().parents[1]

KINDS = ("The source", "The model", "Storage and processes")
"""Headings of the page, in their order."""

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Fault:
    """One line of the matrix.

    Attributes:
        kind: heading it stands under, one of `KINDS`.
        what: what is wrong.
        gate: who notices: the stage, and what of it.
        outcome: what becomes of the day, of the rows, of whoever asked.
    """

    kind: str
    what: str
    gate: str
    outcome: str


def meets(*faults: Fault) -> Callable[[Test], Test]:
    """Mark a test as one that plants these faults."""

    def mark(test: Test) -> Test:
        test.faults = faults  # type: ignore[attr-defined]
        return test

    return mark


INTRODUCTION = """\
# What happens when something goes wrong

<!-- made by `make docs` from the tests themselves; do not edit -->

Every line is a fault that a test plants into real data or into a real installation; the test checks
that the gate named here stops or reports it, and what the outcome says. A day that is not done is
one that no reader takes. After the repair and another run, all tables are those of a run in which
nothing went wrong: that is checked for all faults of single days of a window together, for drift,
and for every stage that is killed."""


def render() -> str:
    """Return the matrix as a page."""
    blocks = [INTRODUCTION]
    found = list(_found())
    for kind in sorted({fault.kind for fault, _ in found}, key=KINDS.index):
        lines = [f"## {kind}", "", "| fault | noticed by | outcome | test |", "|---|---|---|---|"]
        lines += [
            f"| {fault.what} | {fault.gate} | {fault.outcome} | {test} |"
            for fault, test in found
            if fault.kind == kind
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _found() -> Iterator[tuple[Fault, str]]:
    """Yield every fault with a link to the test that plants it, in the order of the files."""
    for file in sorted(TESTS.rglob("test_*.py")):
        if "@meets(" in file.read_text(encoding="utf-8"):
            relative = file.relative_to(TESTS.parent)
            module = importlib.import_module(".".join(relative.with_suffix("").parts))
            for name, test in _tests(module):
                for fault in getattr(test, "faults", ()):
                    yield fault, f"[`{name.removeprefix('test_')}`](../{relative})"


def _tests(module: ModuleType) -> Iterator[tuple[str, Any]]:
    functions = inspect.getmembers(module, inspect.isfunction)
    yield from sorted(functions, key=lambda it: it[1].__code__.co_firstlineno)


if __name__ == "__main__":
    print(render())
