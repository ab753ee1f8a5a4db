"""The sample data that most tests are on: when they happen, and which need what a fork removed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from include import catalog
from include.settings import REPOSITORY

NOW = datetime(2014, 6, 1, 12, tzinfo=UTC)
"""When tests happen: long after the sample data was recorded."""

_TESTS = REPOSITORY / "tests"
_ROOT = _TESTS / "conftest.py"
_OPEN = (_TESTS / "samples.py", _TESTS / "contracts")
"""What names samples and needs none; contract tests find what is there."""

_OF_SAMPLES = (_TESTS / "bench", _TESTS / "docs")
"""What is about the samples though it does not name them: benchmarks, and the pages."""

_IMPORTED = re.compile(r"^\s*(?:from|import) (tests(?:\.\w+)+)", re.MULTILINE)
_FIXTURES = {"history": "tests.history", "night_home": "tests.history", "faults": "tests.planted"}
"""Fixtures of conftest.py → the module that makes them."""


def needs_what_is_gone(file: Path) -> bool:
    """Tell whether a file of tests names a sample that is gone, or leans on one that does."""
    gone = catalog.SHIPPED - {*catalog.dataset_names(), *catalog.use_case_names()}
    return bool(gone) and _needs(file, frozenset(gone), frozenset())


@cache
def _needs(file: Path, gone: frozenset[str], seen: frozenset[Path]) -> bool:
    if file in (*seen, _ROOT) or not file.is_file():
        return False
    text = file.read_text(encoding="utf-8")
    if any(file.is_relative_to(it) for it in _OF_SAMPLES):
        return True
    named = any(re.search(rf"\b{name}(?:\b|_)", text) for name in gone)
    if named and not any(file.is_relative_to(it) for it in _OPEN):
        return True
    modules = set(_IMPORTED.findall(text))
    modules |= {it for name, it in _FIXTURES.items() if re.search(rf"\b{name}\b: ", text)}
    files = [REPOSITORY / f"{module.replace('.', '/')}.py" for module in modules]
    files.append(file.parent / "conftest.py")
    return any(_needs(it, gone, seen | {file}) for it in files)
