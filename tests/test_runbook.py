"""The runbook: a section for every alert and error, and every command and query in it works."""

from __future__ import annotations

import ast
import logging
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from include import errors
from include.commands.app import run
from include.incidents import book
from include.incidents.blindness import KIND
from include.incidents.cause import KINDS
from include.settings import REPOSITORY
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.use_cases import apply
from include.workspace import Workspace
from tests.history import opened
from tests.planted import Faults
from tests.woken import disturb

PAGE = (REPOSITORY / "docs" / "runbook.md").read_text(encoding="utf-8")
ABSTRACT = {errors.NightshiftError, errors.TransientError}
"""Never raised as such."""

REPAIRED = ("stage_stopped", "day_absent", "stage_failed", "stage_hangs", "scores_held")
"""Kinds of incident that are open at first, and over once all was done that the page says."""

_FENCE = re.compile(r"^```(sh|sql)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXITS = re.compile(r"\s+# exits (\d)$")


@dataclass(frozen=True)
class Step:
    """A command, or a query, as the page has it."""

    language: str
    text: str


def steps() -> Iterator[Step]:
    """Yield what the page tells people to run, in its order."""
    for language, block in _FENCE.findall(PAGE):
        texts = block.splitlines() if language == "sh" else [block]
        yield from (Step(language, text) for text in texts)


def sections(title: str) -> dict[str, str]:
    """Return heading → text of the sections of a part of the page."""
    part = re.search(rf"^# {title}$(.*?)(?=^# |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert part is not None
    pieces = re.split(r"^## (.*)$", part[1], flags=re.MULTILINE)[1:]
    assert len(set(pieces[::2])) == len(pieces[::2])
    return dict(zip(pieces[::2], pieces[1::2], strict=True))


@pytest.fixture
def woken(night_home: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with the troubles of the page, which `./nightshift` speaks to."""
    disturb(night_home)
    faults.heal()
    for name in ("AIRFLOW_CONN_WAREHOUSE", "NIGHTSHIFT_LAKE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NIGHTSHIFT_HOME", str(night_home))
    monkeypatch.setenv("USER", "ada")
    return night_home


def exit_code(command: str, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    """Run a command in this process as the shell would; returns how it ended."""
    name, *arguments = shlex.split(command, comments=True)
    assert name == "./nightshift", f"nothing but ./nightshift can be run here: {command}"
    monkeypatch.setattr(sys, "argv", ["nightshift", *arguments])
    log, warned = logging.getLogger("include"), logging.getLogger("py.warnings")
    levels = log.level, warned.level
    try:
        with pytest.raises(SystemExit) as ended:
            run()
    finally:
        log.setLevel(levels[0])
        warned.setLevel(levels[1])
    return ended.value.code


def known(home: Path) -> dict[str, bool]:
    """Return kind of incident → whether one is open."""
    with opened(home) as workspace, workspace.warehouse.reading() as connection:
        found = book.listed(connection, over=True)
    return {
        it.kind: any(other.resolved_at is None for other in found if other.kind == it.kind)
        for it in found
    }


def test_everything_the_page_tells_people_to_run_works(
    woken: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert exit_code("./nightshift incidents", monkeypatch) == 0
    assert known(woken) == dict.fromkeys([*REPAIRED, "days_missing"], True)

    ran: set[Step] = set()
    for step in steps():
        if step.language == "sql":
            with opened(woken) as workspace, workspace.warehouse.reading() as connection:
                rows = connection.execute(sa.text(step.text.rstrip().rstrip(";"))).all()
            assert rows, f"nothing is found by {step.text}"
        elif step not in ran:
            expected = int(found[1]) if (found := _EXITS.search(step.text)) else 0
            code = exit_code(step.text, monkeypatch)
            assert code == expected, f"{step.text}\n{''.join(capfd.readouterr())}"
        ran.add(step)
    assert len(ran) > 30

    assert exit_code("./nightshift incidents", monkeypatch) == 0
    left = {"days_missing": True, "scores_late": True}  # nobody landed the years since 2013
    assert known(woken) == dict.fromkeys(REPAIRED, False) | left


def test_queries_are_understood_by_each_database(workspace: Workspace) -> None:
    apply(workspace.warehouse, USE_CASE)
    queries = [it.text for it in steps() if it.language == "sql"]
    assert len(queries) > 8
    with workspace.warehouse.reading() as connection:
        for text in queries:
            connection.execute(sa.text(text.rstrip().rstrip(";")))


def test_every_kind_of_alert_has_a_section_that_says_what_to_do() -> None:
    found = sections("Runbook")
    assert list(found) == ["First", *KINDS, KIND]
    for name in (*KINDS, KIND):
        said = re.findall(r"^\*\*(.*?)\.\*\*", found[name], re.MULTILINE)
        assert said == ["What it means", "Check", "Repair", "Afterwards"], name


def test_every_error_has_a_section_and_is_found_by_its_words() -> None:
    kinds = {
        it
        for it in vars(errors).values()
        if isinstance(it, type) and issubclass(it, errors.NightshiftError)
    }
    found = sections("When a command or task fails")
    assert sorted(found) == sorted(it.__name__ for it in kinds - ABSTRACT)


def test_what_a_line_is_known_by_is_what_the_code_says() -> None:
    table = re.findall(r"^\| (`.*`) \| \[(\w+)\]\(#(\w+)\) \|$", PAGE, re.MULTILINE)
    assert len(table) > 10
    said = "\n".join(_texts())
    for words, name, anchor in table:
        assert anchor == name.lower() and issubclass(getattr(errors, name), errors.NightshiftError)
        for phrase in re.findall(r"`([^`]+)`", words):
            assert phrase in said, f"no message says {phrase!r}"


def _texts() -> Iterator[str]:
    """Yield the constant parts of all texts in the code."""
    for file in sorted((REPOSITORY / "include").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_links_within_the_page_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {it.lower().replace(" ", "-") for it in headings}
    linked = set(re.findall(r"\]\(#([^)]*)\)", PAGE))
    assert linked and linked <= anchors
    for file in re.findall(r"\]\(([\w./]+\.md)", PAGE):
        assert (REPOSITORY / "docs" / file).is_file(), file
