"""The fault matrix in `docs/` is the one that the tests give."""

from __future__ import annotations

import pytest

from include.settings import REPOSITORY
from tests.faults.matrix import render

PROMISED = {
    "renamed columns": "a column is renamed",
    "dropped columns": "a column is dropped",
    "retyped columns": "a column comes with another type",
    "added columns": "a column is added",
    "reordered columns": "columns come in another order",
    "a unit change on one day of a window": "minutes become seconds on one day of a window",
    "a null flood": "a column that may be empty is empty in every row",
    "a constant column": "a column is the same in every row",
    "duplicated rows": "three rows come twice",
    "a day landed twice": "every row of a day comes twice",
    "half a day missing": "half a day is missing",
    "an empty day": "a day comes without rows",
    "a source never ready": "the source is never ready",
    "a late-arriving day": "a day is not there when its time is up, and comes later",
    "a restated past day": "a past day is restated",
    "future timestamps": "facts come with times in the future",
    "a daylight-saving night": "the night on which clocks go back has an hour twice",
    "a category explosion": "categories explode",
    "a leaked label": "a column that knows the label is among the features",
    "flipped labels": "labels are flipped",
    "sudden feature drift": "features drift suddenly",
    "slow feature drift": "features drift slowly",
    "prediction drift with stable features": "predictions drift though no feature does",
    "label drift": "labels drift",
    "stale features": "features are stale",
    "an expired TTL": "features expire",
    "a missing model file": "the champion's file is gone",
    "a tampered model file": "the champion's file was tampered with",
    "alias and ledger in disagreement": "alias and ledger name different champions",
    "the warehouse down": "Postgres goes away",
    "the warehouse not there": "the warehouse cannot be opened",
    "an unreadable lake": "a file of the lake cannot be read",
    "an unwritable lake": "the lake cannot be written",
    "a full disk below Postgres": "the disk below Postgres is full",
    "a full disk below SQLite": "the disk is full at any page of SQLite's file",
    "a full disk below the lake": "there is no room for what was predicted",
}
"""What must never be without a test → the beginning of its line."""


def test_the_committed_matrix_is_fresh() -> None:
    committed = (REPOSITORY / "docs" / "faults.md").read_text(encoding="utf-8")
    assert committed == render() + "\n", "run make docs"


def test_every_line_names_its_own_fault() -> None:
    lines = [line.split(" | ")[0] for line in render().splitlines() if line.startswith("| ")]
    faults = [line for line in lines if line != "| fault"]
    assert len(faults) > 30
    assert len(set(faults)) == len(faults)


@pytest.mark.parametrize("begins", PROMISED.values(), ids=PROMISED)
def test_what_was_promised_has_a_line(begins: str) -> None:
    assert any(line.startswith(f"| {begins}") for line in render().splitlines())
