"""A fork that added a dataset and a use case merges upstream with the commands of the page."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.copied import commit, copy_repository, git, run
from tests.docs.pages import read

PAGE = read("forks.md")
UPSTREAM = "https://example.org/nightshift.git"
RENAMED = {"nyc_flights": "bay_flights", "flight_delay": "bay_delay"}

PARSE = """
from airflow.dag_processing.dagbag import DagBag
from include import catalog
bag = DagBag("dags")
assert not bag.import_errors, bag.import_errors
print(*catalog.dataset_names(), *catalog.use_case_names(), *bag.dags)
"""


def steps(kind: str) -> list[str]:
    found = re.findall(rf"^```sh{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return [line for block in found for line in block.splitlines()]


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    return copy_repository(tmp_path / "upstream")


@pytest.fixture
def fork(upstream: Path, tmp_path: Path) -> Path:
    """A clone with a dataset and a use case of its own."""
    folder = tmp_path / "fork"
    git(tmp_path, "clone", "-q", str(upstream), "fork")
    add(folder, RENAMED)
    commit(folder, "Flights out of the bay")
    return folder


def add(repository: Path, renamed: dict[str, str]) -> None:
    """Add the samples once more under other names: what a fork's own files look like."""
    for old, new in renamed.items():
        kind = "datasets" if old == "nyc_flights" else "use_cases"
        shutil.copytree(
            repository / "include" / kind / old,
            repository / "include" / kind / new,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        shutil.copy(repository / "dags" / f"{old}.py", repository / "dags" / f"{new}.py")
        for file in [
            *(repository / "include" / kind / new).rglob("*.py"),
            repository / "dags" / f"{new}.py",
        ]:
            text = file.read_text(encoding="utf-8")
            for before, after in renamed.items():
                text = text.replace(before, after)
            file.write_text(text, encoding="utf-8")


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def develop(upstream: Path) -> None:
    """Upstream goes on: code, the samples, a use case, a generated page, the changelog."""
    add(upstream, {"flight_delay": "flight_cancelled"})
    append(upstream / "include" / "errors.py", "\n\nNEW = True\n")
    append(upstream / "docs" / "dags.md", "## New\n")
    append(upstream / "include" / "datasets" / "nyc_flights" / "declaration.py", "\nNEW = True\n")
    changelog = upstream / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    changelog.write_text(text.replace("## Unreleased\n", "## Unreleased\n\n- New.\n", 1))
    commit(upstream, "Something new")


def follow(fork: Path, upstream: Path, commands: list[str]) -> str:
    """Run commands of the page in a shell; returns what they printed."""
    script = "\n".join(["set -e", *commands]).replace(UPSTREAM, str(upstream))
    return run(fork, ["sh", "-c", script])


def test_a_fork_merges_without_conflict_and_parses(upstream: Path, fork: Path) -> None:
    show, add_remote, *merge = steps("")
    assert show.startswith("git diff") and "remote add" in add_remote
    follow(fork, upstream, [add_remote, merge.pop(0)])
    develop(upstream)
    told = follow(fork, upstream, merge)
    assert "Something new" in told
    assert git(fork, "status", "--porcelain") == ""
    assert git(fork, "merge-base", "--is-ancestor", "upstream/main", "HEAD") == ""

    assert follow(fork, upstream, [show]) == ""
    append(fork / "include" / "errors.py", "\n\nOURS = True\n")
    commit(fork, "Upstream's code is changed")
    assert "include/errors.py" in follow(fork, upstream, [show])

    home = fork.parent / "airflow"
    named = run(
        fork, [sys.executable, "-c", PARSE], PYTHONPATH=str(fork), AIRFLOW_HOME=str(home)
    ).split()
    for name in ("bay_delay", "bay_flights", "flight_cancelled", "flight_delay", "nyc_flights"):
        assert name in named and f"{name}_nightly" in named, name


def test_a_fork_without_the_samples_keeps_them_out(upstream: Path, fork: Path) -> None:
    samples = ["include/datasets/nyc_flights", "dags/nyc_flights.py"]
    git(fork, "rm", "-r", "-q", *samples)
    commit(fork, "No samples")
    develop(upstream)
    with pytest.raises(AssertionError, match="CONFLICT \\(modify/delete\\)"):
        follow(fork, upstream, steps("")[1:])
    follow(fork, upstream, steps(" removed"))
    assert git(fork, "status", "--porcelain") == ""
    assert not any((fork / it).exists() for it in samples)
    ours = fork / "include" / "datasets" / "bay_flights" / "declaration.py"
    assert "NEW" not in ours.read_text(encoding="utf-8")
    assert (fork / "dags" / "flight_cancelled.py").exists()
