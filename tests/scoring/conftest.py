"""A use case in service, for tests of what scores."""

from __future__ import annotations

import pytest

from include.workspace import Workspace
from tests.model_nights import crown, fitted, prepare, wire


@pytest.fixture
def service(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with a champion and every day of the sample landed."""
    wire(monkeypatch)
    prepare(workspace)
    crown(workspace, fitted())
    return workspace
