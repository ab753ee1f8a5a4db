"""Housekeeping keeps the lake versions of the training sets that are still in use."""

from __future__ import annotations

from typing import Any

import pytest

from include.errors import UsageError
from include.training.ledger import Event
from include.training.retention import needed_versions
from include.workspace import Workspace
from tests.training.lake_history import CASE, enter

pytestmark = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)

FLIGHTS, PLANES = "nyc_flights/flights", "nyc_flights/planes"


def trained(workspace: Workspace, version: str, *events: Event, flights: int, **more: Any) -> None:
    """Register a version whose training set read `flights` at that version and `planes` at 0."""
    evidence = {"lake_versions": {FLIGHTS: flights, PLANES: 0}, **more}
    enter(workspace, version, ("registered", *events), evidence)


def test_nothing_is_needed_before_the_first_champion(workspace: Workspace) -> None:
    trained(workspace, "1", "refused", flights=1)
    assert needed_versions(workspace, CASE) == {}


def test_the_last_champions_and_no_others_are_kept(workspace: Workspace) -> None:
    for number in range(1, 6):
        trained(workspace, str(number), "promoted", flights=number)
    trained(workspace, "6", "kept", flights=6)
    trained(workspace, "7", "refused", flights=7)
    assert needed_versions(workspace, CASE) == {FLIGHTS: {3, 4, 5}, PLANES: {0}}
    assert needed_versions(workspace, CASE, champions=1) == {FLIGHTS: {5}, PLANES: {0}}
    assert needed_versions(workspace, CASE, champions=9)[FLIGHTS] == {1, 2, 3, 4, 5}


def test_a_version_rolled_back_to_counts_from_then_and_once(workspace: Workspace) -> None:
    for number in (1, 2, 3):
        trained(workspace, str(number), "promoted", flights=number)
    enter(workspace, "1", ("rolled_back",), {})
    assert needed_versions(workspace, CASE, champions=1)[FLIGHTS] == {1}
    assert needed_versions(workspace, CASE, champions=2)[FLIGHTS] == {1, 3}


def test_a_refit_keeps_what_its_own_registration_names(workspace: Workspace) -> None:
    trained(workspace, "1", flights=4)
    trained(workspace, "2", "promoted", flights=5, refit_of="1")
    assert needed_versions(workspace, CASE)[FLIGHTS] == {5}


@pytest.mark.parametrize("event", ["proposed", "shadowed"])
def test_a_version_that_waits_is_kept_until_it_is_decided_about(
    workspace: Workspace, event: Event
) -> None:
    trained(workspace, "1", "promoted", flights=1)
    trained(workspace, "2", event, flights=2)
    assert needed_versions(workspace, CASE)[FLIGHTS] == {1, 2}
    enter(workspace, "2", ("refused",), {})
    assert needed_versions(workspace, CASE)[FLIGHTS] == {1}


def test_a_champion_without_a_record_needs_nothing(workspace: Workspace) -> None:
    enter(workspace, "1", ("registered", "promoted"), {})
    assert needed_versions(workspace, CASE) == {}


def test_fewer_than_one_champion_is_refused(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="0 champions to keep"):
        needed_versions(workspace, CASE, champions=0)
