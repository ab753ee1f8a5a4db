"""The weeks that housekeeping is tried on, made once per process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.upkeep.weeks import Weeks, make_weeks


@pytest.fixture(scope="session")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Weeks:
    """Two weeks with a champion and two scorings; nobody changes them."""
    return make_weeks(tmp_path_factory.mktemp("weeks") / "home")


@pytest.fixture
def weeks_home(weeks: Weeks, tmp_path: Path) -> Path:
    """A copy of the weeks."""
    return Path(shutil.copytree(weeks.home, tmp_path / "home"))
