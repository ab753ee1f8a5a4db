"""The lake as it was known: rows by `known_at`, whatever day they belong to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from include.lake import delta
from include.lake.delta import Lake
from include.lake.known import known_by

DAYS = [date(2013, 2, day) for day in (1, 2, 3)]
NOON = datetime(2013, 2, 2, 12, tzinfo=UTC)
KNOWN = [NOON - timedelta(hours=1), NOON, NOON + timedelta(microseconds=1), None]
"""Of four rows a day: before the instant, at it, just after it, and never."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    rows = {
        "data_day": pa.array(sorted(DAYS * 4), pa.date32()),
        "row": pa.array(["before", "at", "after", "never"] * 3),
        "known_at": pa.array(KNOWN * 3, pa.timestamp("us", tz="UTC")),
    }
    lake.replace_days("days", pa.table(rows), DAYS)
    lake.overwrite("plain", pa.table({"row": ["it"]}), "a fingerprint", "a run")
    return lake


def test_only_rows_known_by_the_instant_are_seen_of_any_day(lake: Lake) -> None:
    known = known_by(lake, NOON).read("days")
    assert sorted(known.column("row").to_pylist()) == ["at"] * 3 + ["before"] * 3
    assert set(known.column("data_day").to_pylist()) == set(DAYS)
    assert known.schema == lake.read("days").schema
    assert known_by(lake, NOON).read("days", DAYS[:1]).num_rows == 2


def test_a_table_without_known_at_is_whole(lake: Lake) -> None:
    assert known_by(lake, NOON - timedelta(days=900)).read("plain").num_rows == 1


def test_a_view_of_the_rows_keeps_leaving_them_out(lake: Lake) -> None:
    with delta.connect() as duck:
        known_by(lake, NOON).relation(duck, "days").create_view("seen")
        ((count,),) = duck.sql("SELECT count(*) FROM seen").fetchall()
    assert count == 6


def test_a_pinned_lake_stays_pinned(lake: Lake) -> None:
    pinned = lake.at(lake.versions(["days"]), DAYS[:2])
    lake.replace_days("days", lake.read("days").slice(0, 0), DAYS)
    known = known_by(pinned, NOON)
    assert known.read("days").num_rows == 6
    assert known.landed == pinned.landed
