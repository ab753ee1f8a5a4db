"""What the ledger remembers of a training set is read back as it was written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import DataError
from include.training.ledger import Entry
from include.training.recorded import LakeState, Recorded, ranges_of, recorded_of

FIRST = date(2013, 1, 1)
EVIDENCE = {
    "lake_versions": {"nyc_flights/flights": 3},
    "landed_days": [["2013-01-01", "2013-01-03"], ["2013-01-05", "2013-01-05"]],
    "missing_days": ["2013-01-04"],
    "frame_sha256": "abc",
}


def entry(**changed) -> Entry:
    given_ = {
        "entry": 1,
        "use_case": "flight_delay",
        "model_version": "7",
        "sha256": "0" * 64,
        "event": "registered",
        "actor": "test",
        "reason": "",
        "evidence": EVIDENCE,
        "artifact_uri": "",
        "as_of": date(2013, 2, 1),
        "at": datetime(2013, 2, 2, tzinfo=UTC),
    }
    return Entry(**{**given_, **changed})


def test_a_registration_tells_its_training_set() -> None:
    found = recorded_of(entry())
    assert found == Recorded(
        model_version="7",
        as_of=date(2013, 2, 1),
        state=LakeState(
            versions={"nyc_flights/flights": 3},
            landed=((date(2013, 1, 1), date(2013, 1, 3)), (date(2013, 1, 5), date(2013, 1, 5))),
            missing=(date(2013, 1, 4),),
        ),
        frame_sha256="abc",
    )
    assert found.state.landed_days == {date(2013, 1, day) for day in (1, 2, 3, 5)}


@given(st.sets(st.integers(0, 40)))
def test_days_become_unbroken_runs_and_back(numbers: set[int]) -> None:
    days = {FIRST + timedelta(days=n) for n in numbers}
    runs = ranges_of(days)
    assert LakeState({}, runs, ()).landed_days == days
    for (_, last), (first, _) in pairwise(runs):
        assert first - last > timedelta(days=1)


@pytest.mark.parametrize("missing", EVIDENCE)
def test_an_entry_that_tells_too_little_is_refused(missing: str) -> None:
    less = {name: value for name, value in EVIDENCE.items() if name != missing}
    told = f"flight_delay: .*'registered' of version 7 does not tell {missing}.* train again"
    with pytest.raises(DataError, match=told):
        recorded_of(entry(evidence=less))


def test_a_verdict_and_an_entry_without_a_day_are_refused() -> None:
    with pytest.raises(DataError, match="'promoted' of version 7 does not tell lake_versions, "):
        recorded_of(entry(event="promoted", evidence={"champion": None}))
    with pytest.raises(DataError, match="does not tell the as-of day"):
        recorded_of(entry(as_of=None))
