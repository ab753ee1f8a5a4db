"""Both guides, walked in a copy of the repository: from a CSV to scores, and out again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from include.settings import REPOSITORY
from tests.copied import IDENTITY, copy_repository, git, run

pytestmark = pytest.mark.timeout(1200)  # two minutes on a quiet machine, all of it in one fixture

PAGES = ["docs/adding-a-dataset.md", "docs/adding-a-use-case.md"]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """The copy, and every step of the guides with what came of it."""
    copy = copy_repository(tmp_path_factory.mktemp("walk") / "nightshift")
    (copy / ".venv").symlink_to(REPOSITORY / ".venv")
    with (copy / ".git" / "info" / "exclude").open("a") as excluded:
        excluded.write(".venv\n")
    kept = {name: it for name, it in os.environ.items() if not name.startswith("NIGHTSHIFT_")}
    env = {**kept, **IDENTITY, "PYTHONPATH": str(copy)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.docs.walk", *PAGES],
            cwd=copy,
            env=env,
            capture_output=True,
            text=True,
        )
    finally:
        subprocess.run(["make", "down"], cwd=copy, env=env, check=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return copy, json.loads(done.stdout)


def test_every_step_does_what_the_guides_say(
    walked: tuple[Path, list[dict[str, Any]]],
) -> None:
    _, steps = walked
    last = steps[-1]
    told = f"{last['kind']} {last['path']} {last['failed']}\n{last['text']}\n{last['found']}"
    assert not last["failed"], told
    assert sum(step["kind"] == "sh" for step in steps) > 15
    assert sum(step["kind"] == "shows" for step in steps) == 5
    assert sum(step["kind"] == "trigger" for step in steps) == 1
    assert sum(step["kind"] == "output" for step in steps) > 9


def test_nothing_is_left_behind(walked: tuple[Path, list[dict[str, Any]]]) -> None:
    copy, _ = walked
    assert git(copy, "status", "--porcelain", "--untracked-files=all") == ""
    run(copy, [sys.executable, "-c", "from include import catalog; catalog.use_case_names()"])
