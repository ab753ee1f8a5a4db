"""The command that writes a digest: what it prints and refuses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.errors import UsageError
from include.monitoring import pages
from include.settings import Settings
from include.warehouse.migrate import upgrade
from include.workspace import Workspace, open_workspace
from tests.commands.conftest import Run
from tests.monitoring.planted_week import CASE, WEEK, plant


@pytest.fixture
def installed(settings: Settings) -> Iterator[Workspace]:
    with open_workspace(settings) as workspace:
        upgrade(workspace.warehouse)
        plant(workspace)
        yield workspace


@pytest.mark.parametrize("named", [(), ("--week", "2013-W40")])
def test_a_digest_by_hand_says_where_it_is(
    installed: Workspace, run: Run, named: tuple[str, ...]
) -> None:
    told = run("digest", CASE.name, *named)
    page = pages.digest_path(installed.settings.home, CASE.name, WEEK)
    assert told.endswith(f"page: {page}") and page.is_file()
    assert "2013-W40: Yes: nothing speaks against it" in told


def test_what_is_no_week_is_refused_before_anything_is_opened(run: Run) -> None:
    with pytest.raises(UsageError, match="'last' is not a week"):
        run("digest", CASE.name, "--week", "last")
