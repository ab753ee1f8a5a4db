"""The lake replaces days atomically and says clearly when it cannot."""

from __future__ import annotations

import os
import shutil
import time
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.errors import SchemaBreak, StorageUnavailable, UsageError
from include.lake.delta import Lake, Written

DAYS = [date(2013, 1, 1) + timedelta(days=n) for n in range(6)]


def rows_of(*items: tuple[date, int]) -> pa.Table:
    return pa.table(
        {
            "value": pa.array([value for _, value in items], pa.int64()),
            "data_day": pa.array([day for day, _ in items], pa.date32()),
        }
    )


def content(lake: Lake) -> list[tuple[date, int]]:
    found = lake.read("d/t").to_pylist()
    return sorted((row["data_day"], row["value"]) for row in found)


@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(DAYS), min_size=1),
            st.lists(st.tuples(st.sampled_from(DAYS), st.integers(0, 9)), max_size=8),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_replacing_days_equals_the_obvious_oracle(
    tmp_path_factory: pytest.TempPathFactory,
    writes: list[tuple[set[date], list[tuple[date, int]]]],
) -> None:
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    oracle: list[tuple[date, int]] = []
    for days, items in writes:
        mine = [(day, value) for day, value in items if day in days]
        lake.replace_days("d/t", rows_of(*mine), sorted(days))
        oracle = [row for row in oracle if row[0] not in days] + mine
    assert content(lake) == sorted(oracle)


def test_rows_outside_the_days_are_refused_and_nothing_changes(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.replace_days("d/t", rows_of((DAYS[0], 1)), [DAYS[0]])
    with pytest.raises(ValueError, match="outside the days"):
        lake.replace_days("d/t", rows_of((DAYS[0], 2), (DAYS[1], 3)), [DAYS[0]])
    assert content(lake) == [(DAYS[0], 1)]


def test_other_columns_are_a_schema_break(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.replace_days("d/t", rows_of((DAYS[0], 1)), [DAYS[0]])
    other = rows_of((DAYS[0], 1)).rename_columns(["renamed", "data_day"])
    with pytest.raises(SchemaBreak, match="d/t"):
        lake.replace_days("d/t", other, [DAYS[0]])


def test_a_lake_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where the lake should be")
    with pytest.raises(StorageUnavailable, match=str(blocked)):
        Lake(str(blocked)).replace_days("d/t", rows_of((DAYS[0], 1)), [DAYS[0]])


def test_reading_a_table_never_written_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="land a day first"):
        Lake(str(tmp_path)).read("d/t")


def test_only_the_days_asked_for_are_read(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.replace_days("d/t", rows_of(*((day, n) for n, day in enumerate(DAYS))), DAYS)
    found = lake.read("d/t", [DAYS[1], DAYS[4]])
    assert sorted(found.column("value").to_pylist()) == [1, 4]
    assert lake.read("d/t", []).num_rows == 0


def test_a_snapshot_carries_its_fingerprint_in_the_same_commit(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert lake.written("d/s") is None
    lake.overwrite("d/s", pa.table({"x": [1]}), "first", "run 1")
    lake.overwrite("d/s", pa.table({"x": [2]}), "second", "run 2")
    assert lake.written("d/s") == Written("second", "run 2")
    assert lake.versions(["d/s", "d/nothing"]) == {"d/s": 1}


def test_a_table_that_may_widen_takes_other_columns_and_keeps_the_old_rows(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.replace_days("d/t", rows_of((DAYS[0], 1)), [DAYS[0]])
    other = rows_of((DAYS[1], 2)).rename_columns(["another", "data_day"])
    lake.replace_days("d/t", other, [DAYS[1]], widen=True)
    found = sorted(lake.read("d/t").to_pylist(), key=lambda row: row["data_day"])
    assert [(row["value"], row["another"]) for row in found] == [(1, None), (None, 2)]


def test_a_large_day_is_replaced_and_then_added_to(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.replace_days("d/t", rows_of((DAYS[0], 1), (DAYS[1], 2)), DAYS[:2])
    lake.replace_days("d/t", rows_of((DAYS[1], 3)), [DAYS[1]])
    version = lake.append("d/t", rows_of((DAYS[1], 4)).to_reader())
    assert content(lake) == [(DAYS[0], 1), (DAYS[1], 3), (DAYS[1], 4)]
    assert lake.version("d/t") == version
    lake.replace_days("d/t", rows_of((DAYS[1], 5)), [DAYS[1]])
    assert content(lake) == [(DAYS[0], 1), (DAYS[1], 5)]


def test_a_lake_at_versions_reads_them_and_nothing_else(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.replace_days("d/t", rows_of((DAYS[0], 1), (DAYS[1], 2)), DAYS[:2])
    lake.overwrite("d/s", pa.table({"x": [1]}), "first", "run 1")
    then = lake.at(lake.versions(["d/t", "d/s"]), DAYS[:2])
    lake.replace_days("d/t", rows_of((DAYS[0], 9), (DAYS[2], 3)), [DAYS[0], DAYS[2]])
    lake.overwrite("d/s", pa.table({"x": [2], "y": [3]}), "second", "run 2")

    assert content(then) == [(DAYS[0], 1), (DAYS[1], 2)]
    assert then.read("d/s").to_pylist() == [{"x": 1}]
    assert then.read("d/t", [DAYS[2]]).num_rows == 0
    assert then.versions(["d/t", "d/s", "d/u"]) == {"d/t": 1, "d/s": 0}
    assert then.landed == frozenset(DAYS[:2])
    assert content(lake) == [(DAYS[0], 9), (DAYS[1], 2), (DAYS[2], 3)]


def test_a_lake_at_versions_cannot_be_written(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.replace_days("d/t", rows_of((DAYS[0], 1)), [DAYS[0]])
    then = lake.at(lake.versions(["d/t"]))
    with pytest.raises(UsageError, match="d/t is open for reading at a recorded version"):
        then.replace_days("d/t", rows_of((DAYS[0], 2)), [DAYS[0]])
    with pytest.raises(UsageError, match="d/new is open for reading"):
        then.overwrite("d/new", pa.table({"x": [1]}), "first", "run 1")
    with pytest.raises(UsageError, match="d/t is open for reading"):
        then.written("d/t")
    assert lake.versions(["d/t", "d/new"]) == then.versions(["d/t"])


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_version_that_a_vacuum_removed_is_named_with_its_table(
    tmp_path: Path, scheme: str
) -> None:
    lake = Lake(f"{scheme}{tmp_path}")
    for value in (1, 2):
        lake.replace_days("d/t", rows_of(*((day, value) for day in DAYS[:3])), DAYS[:3])
    lake.replace_days("d/t", rows_of((DAYS[0], 3)), [DAYS[0]])
    kept, gone = lake.at({"d/t": 1}), lake.at({"d/t": 2})
    DeltaTable(lake.uri("d/t")).vacuum(
        retention_hours=0, dry_run=False, enforce_retention_duration=False, keep_versions=[1]
    )
    assert content(kept) == [(day, 1) for day in DAYS[:3]]
    with pytest.raises(StorageUnavailable, match=r"d/t .* version 2 .*: 1 of 3 files .* removed"):
        gone.read("d/t")
    assert gone.read("d/t", DAYS[1:3]).num_rows == 2  # the days asked for are still there


def test_versions_that_never_were_are_named(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    nothing = lake.at({"d/t": 7})  # nothing is opened yet
    with pytest.raises(StorageUnavailable, match=r"d/t cannot be read at version 7 any more"):
        nothing.read("d/t")
    with pytest.raises(StorageUnavailable, match=r"no lake table .*d/u when .*land a day"):
        nothing.read("d/u")
    lake.replace_days("d/t", rows_of((DAYS[0], 1)), [DAYS[0]])
    with pytest.raises(StorageUnavailable, match=r"d/t cannot be read at version 7 any more"):
        nothing.read("d/t")
    shutil.rmtree(tmp_path / "d")
    with pytest.raises(StorageUnavailable, match="version 1 any more"):
        lake.at({"d/t": 1}).read("d/t")


def test_versions_do_not_expire_with_the_log(tmp_path: Path) -> None:
    """Unasked, delta-rs drops commits older than 30 days once it has checkpoints after them."""
    lake = Lake(str(tmp_path))
    for name, write in {
        "d/t": lambda n: lake.replace_days("d/t", rows_of((DAYS[0], n)), [DAYS[0]]),
        "d/s": lambda n: lake.overwrite("d/s", pa.table({"x": [n]}), str(n), "run"),
    }.items():
        write(0)
        checkpoint_every(5, DeltaTable(tmp_path / name))
        for n in range(1, 8):
            write(n)
        old = time.time() - 60 * 86_400
        for commit in (tmp_path / name / "_delta_log").iterdir():
            os.utime(commit, (old, old))
        for n in range(8, 20):
            write(n)
        assert len(list((tmp_path / name / "_delta_log").glob("*.checkpoint.parquet"))) > 1
        assert lake.at({name: 1}).read(name).num_rows == 1


def checkpoint_every(commits: int, table: DeltaTable) -> None:
    table.alter.set_table_properties({"delta.checkpointInterval": str(commits)})
