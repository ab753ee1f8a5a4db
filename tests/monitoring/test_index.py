"""The index lists every page there is, with links that work from a file."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from include.monitoring import index, pages, report
from include.monitoring.digests import write_digests
from include.monitoring.week import Week
from include.training import ledger
from include.training.model import write_aside
from include.workspace import Workspace, open_workspace
from tests.monitoring.planted_week import CASE, SPAN, WEEK, morning, plant

on_sqlite = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)


def links(workspace: Workspace) -> list[Path]:
    """Return the files the index links to, as a browser finds them from the index."""
    path = pages.folder(workspace.settings.home) / "index.html"
    found = re.findall(r'href="([^"#]+)"', path.read_text(encoding="utf-8"))
    return [(path.parent / unquote(unescape(link))).resolve() for link in found]


def night_page(workspace: Workspace, day: date) -> Path:
    path = report.path_of(workspace.settings.home, CASE.name, day)
    write_aside(path, b"<html>")
    return path


def register(workspace: Workspace, version: str, uri: str) -> None:
    with workspace.warehouse.transaction() as connection:
        ledger.append(
            connection, use_case=CASE.name, model_version=version, sha256=version * 64,
            event="registered", actor="ada", reason="new", evidence={}, artifact_uri=uri,
            as_of=SPAN.end, at=morning(SPAN.end),
        )  # fmt: skip


@on_sqlite
def test_every_page_is_listed_with_what_it_says(workspace: Workspace) -> None:
    plant(workspace)
    quiet, unknown = night_page(workspace, WEEK.start), night_page(workspace, date(2013, 1, 5))
    write_digests(workspace, CASE, SPAN)
    text = (pages.folder(workspace.settings.home) / "index.html").read_text(encoding="utf-8")
    digests = [
        pages.digest_path(workspace.settings.home, CASE.name, week)
        for week in (WEEK, Week.parse("2013-W39"), Week.parse("2013-W38"))
    ]
    assert links(workspace) == [*digests, quiet, unknown]
    assert all(path.is_file() for path in links(workspace))
    assert "no drift: 0 of 3 columns moved" in text and "no verdict" in text
    assert text.count("Yes: nothing speaks against it") == 3
    assert "<script" not in text


@on_sqlite
def test_cards_below_the_home_are_listed_and_others_are_not(
    workspace: Workspace, tmp_path: Path
) -> None:
    plant(workspace)
    ours, theirs = workspace.settings.home / "models & more", tmp_path / "elsewhere"
    for version, folder in (("2", ours), ("3", theirs)):
        write_aside(folder / "card.html", b"<html>")
        register(workspace, version, folder.as_uri())
    register(workspace, "4", (workspace.settings.home / "gone").as_uri())
    register(workspace, "5", "s3://bucket/models/5")
    index.rebuild(workspace)
    assert links(workspace) == [ours / "card.html"]


@on_sqlite
def test_without_any_page_it_says_so(workspace: Workspace) -> None:
    path = index.rebuild(workspace)
    assert "There are no pages yet" in path.read_text(encoding="utf-8")


@on_sqlite
def test_old_pages_fold_away(workspace: Workspace) -> None:
    days = [WEEK.end - timedelta(days=place) for place in range(index.SHOWN + 3)]
    for day in days:
        night_page(workspace, day)
    text = index.rebuild(workspace).read_text(encoding="utf-8")
    shown, _, folded = text.partition("<details>")
    assert "3 older" in folded
    assert [str(day) in shown for day in days] == [True] * index.SHOWN + [False] * 3
    assert links(workspace) == [report.path_of(workspace.settings.home, CASE.name, d) for d in days]


def test_of_many_at_once_none_is_lost(workspace: Workspace) -> None:
    """Each writes its page and rebuilds the index: whoever comes last has seen them all."""
    days = [WEEK.end - timedelta(days=place) for place in range(8)]

    def write(day: date) -> None:
        settings = replace(workspace.settings)
        with open_workspace(settings, now=workspace.now) as mine:
            night_page(mine, day)
            index.rebuild(mine)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, days))
    assert len(links(workspace)) == len(days)
    folder = pages.folder(workspace.settings.home)
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["index.html"]
