"""Stages load Feast the quick way, whatever they import first."""

from __future__ import annotations

import subprocess
import sys

import pytest

from include.settings import REPOSITORY

COUNT = """
import importlib, sys, typeguard
rewritten = []
def typechecked(target=None, **options):
    rewritten.append(target)
    return target if target is not None else typechecked
typeguard.typechecked = typechecked
importlib.import_module(sys.argv[1])
assert "feast" in sys.modules
print(len(rewritten))
"""


def rewritten(module: str) -> int:
    """Return how many decorated classes and functions a process meets that imports a module."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT, module],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.parametrize(
    "module", ["include.features.retrieval", "include.features.online", "include.scoring.score"]
)
def test_no_class_of_feast_is_rewritten(module: str) -> None:
    assert rewritten(module) == 0


def test_feast_itself_would_have_them_rewritten() -> None:
    assert rewritten("feast") > 10
