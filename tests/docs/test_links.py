"""Every link of the documentation leads to a file and a heading that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from include.settings import REPOSITORY
from tests.docs.pages import DOCS, PAGES, anchors, prose

LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda it: str(it.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(prose(page.read_text(encoding="utf-8"))):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: {file.name} has no heading #{anchor}"


def test_every_guide_is_found_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)", PAGES[0].read_text(encoding="utf-8")))
    assert {it.name for it in DOCS.glob("*.md")} == linked


def test_tests_and_modules_that_pages_name_are_there() -> None:
    named = re.compile(r"`((?:include|tests|dags|feature_repo|bench)/[\w/.-]+\.(?:py|sql|yaml))`")
    seen = set()
    for page in PAGES:
        text = prose(page.read_text(encoding="utf-8"))
        for path in named.findall(text):
            assert (REPOSITORY / path).is_file(), f"{page.name} names {path}, which is not there"
            seen.add(path)
    assert len(seen) > 5
