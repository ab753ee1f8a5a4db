"""Upkeep of lake tables: rows and kept versions stay as they are, other files go."""

from __future__ import annotations

import random
import shutil
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from include.errors import StorageUnavailable
from include.lake import fingerprint, upkeep
from include.lake.delta import Lake

DAYS = [date(2013, 1, 1) + timedelta(days=n) for n in range(6)]
ORDER = [("data_day", "ascending"), ("value", "ascending")]
TABLE, NEWEST = "d/t", 20


def rows_of(days: list[date], value: int) -> pa.Table:
    return pa.table({"data_day": pa.array(days, pa.date32()), "value": [value] * len(days)})


def at(lake: Lake, version: int) -> str:
    """Return a fingerprint of all rows at a version, read from its files."""
    rows = lake.at({TABLE: version}).read(TABLE)
    return fingerprint.of_table(rows.select(["value"]).sort_by("value")) + str(len(rows))


def data_files(lake: Lake) -> set[str]:
    return {path.name for path in Path(lake.root.removeprefix("file://")).rglob("*.parquet")}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, str]]:
    """A table whose days are replaced 20 times, some of them at once; version → its rows."""
    root = tmp_path_factory.mktemp("lake")
    lake, chance, seen = Lake(str(root)), random.Random(20130101), {}
    for value in range(20):
        days = chance.sample(DAYS, chance.randint(1, 3)) if value else DAYS
        version = lake.replace_days(TABLE, rows_of(days, value), days)
        seen[version] = at(lake, version)
    assert list(seen) == list(range(1, NEWEST + 1)), "making the table is version 0"
    return root, seen


@pytest.fixture(params=["", "file://"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """A lake named by a path or by a URL."""
    return Lake(f"{request.param}{tmp_path / 'lake'}")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def written(history: tuple[Path, dict[int, str]], tmp_path: Path) -> dict[int, str]:
    """The lake's history, copied for one test: version → its rows."""
    root, seen = history
    shutil.copytree(root, tmp_path / "lake")
    return seen


def test_kept_versions_are_whole_and_no_other_file_is_left(
    anywhere: Lake, written: dict[int, str]
) -> None:
    lake, keep = anywhere, {1, *random.Random(1).sample(range(2, NEWEST), 6)}
    needed = {
        Path(uri).name
        for version in {*keep, NEWEST}
        for uri in DeltaTable(lake.uri(TABLE), version=version).file_uris()
    }
    expected = upkeep.superfluous(lake, TABLE, keep)
    assert upkeep.clear(lake, TABLE, keep) == expected
    assert data_files(lake) == needed
    assert {version: at(lake, version) for version in keep} == {v: written[v] for v in keep}
    gone = [version for version in written if version not in {*keep, NEWEST}]
    unreadable = 0
    for version in gone:
        try:
            assert at(lake, version) == written[version]  # all its files are those of kept ones
        except StorageUnavailable as error:
            assert f"cannot be read at version {version}" in str(error)
            unreadable += 1
    assert unreadable > 3


def test_clearing_twice_writes_nothing(lake: Lake, written: dict[int, str]) -> None:
    assert upkeep.clear(lake, TABLE, []).count > 0
    version = lake.version(TABLE)
    assert upkeep.clear(lake, TABLE, []) == upkeep.Files()
    assert lake.version(TABLE) == version
    assert at(lake, version or 0) == written[NEWEST]


def test_files_that_no_version_knows_go_too(lake: Lake, written: dict[int, str]) -> None:
    folder = Path(lake.uri(TABLE).removeprefix("file://")) / f"data_day={DAYS[0]}"
    (folder / "part-of-a-killed-writer.parquet").write_bytes(b"half")
    assert upkeep.clear(lake, TABLE, [0, *written]) == upkeep.Files(1, 4)


def test_a_reader_that_opened_a_version_before_is_told(lake: Lake, written: dict[int, str]) -> None:
    pinned = lake.at({TABLE: 7})
    assert len(pinned.read(TABLE)) == len(DAYS)
    upkeep.clear(lake, TABLE, [])
    with pytest.raises(StorageUnavailable, match=r"version 7 any more: .* files were removed"):
        pinned.read(TABLE)


def test_versions_whose_log_is_gone_keep_nothing_and_break_nothing(
    lake: Lake, written: dict[int, str]
) -> None:
    table = DeltaTable(lake.uri(TABLE), version=15)
    table.create_checkpoint()
    for version in range(12):
        log = Path(lake.uri(TABLE).removeprefix("file://")) / "_delta_log" / f"{version:020}.json"
        log.unlink()
    assert upkeep.clear(lake, TABLE, [3, 15, 17, 99]).count > 0
    assert {v: at(lake, v) for v in (15, 17, 20)} == {v: written[v] for v in (15, 17, 20)}


def small_files(lake: Lake, days: list[date], times: int) -> None:
    for value in range(times):
        write_deltalake(lake.uri(TABLE), rows_of(days, 100 + value), mode="append")


def test_only_crowded_days_are_merged_and_versions_read_the_same(anywhere: Lake) -> None:
    lake = anywhere
    lake.replace_days(TABLE, rows_of(DAYS, 0), DAYS)
    small_files(lake, DAYS[:2], upkeep.FEWEST_FILES - 1)
    small_files(lake, DAYS[2:3], upkeep.FEWEST_FILES - 2)
    before = lake.version(TABLE) or 0
    merged = 2 * upkeep.FEWEST_FILES
    rows = lake.read(TABLE).sort_by(ORDER)
    old = {version: at(lake, version) for version in range(1, before + 1)}

    found = upkeep.crowded(lake, TABLE)
    assert found.count == merged
    assert upkeep.compact(lake, TABLE) == found
    assert lake.version(TABLE) == before + 1
    files = DeltaTable(lake.uri(TABLE)).file_uris()
    assert len(files) == 2 + (upkeep.FEWEST_FILES - 1) + 3
    again = lake.read(TABLE).sort_by(ORDER)
    assert again.equals(rows)
    assert {version: at(lake, version) for version in old} == old

    assert upkeep.compact(lake, TABLE) == upkeep.Files()
    assert lake.version(TABLE) == before + 1
    assert upkeep.clear(lake, TABLE, []).count == found.count
    assert at(lake, before + 1) == old[before]


def test_a_snapshot_is_merged_as_a_whole_and_still_says_who_wrote_it(lake: Lake) -> None:
    lake.overwrite(TABLE, pa.table({"value": [1]}), "a fingerprint", "a run")
    for _ in range(upkeep.FEWEST_FILES):
        write_deltalake(lake.uri(TABLE), pa.table({"value": [2]}), mode="append")
    assert upkeep.compact(lake, TABLE).count == upkeep.FEWEST_FILES + 1
    assert upkeep.clear(lake, TABLE, []).count == upkeep.FEWEST_FILES + 1
    assert sorted(lake.read(TABLE)["value"].to_pylist()) == [1, 2, 2, 2, 2]
    written = lake.written(TABLE)
    assert written is not None and written.fingerprint == "a fingerprint"


def test_an_old_table_keeps_its_log_from_now_on(lake: Lake) -> None:
    Path(lake.uri(TABLE).removeprefix("file://")).mkdir(parents=True)
    write_deltalake(lake.uri(TABLE), pa.table({"value": [1]}))
    assert upkeep.keep_log(lake, TABLE)
    assert not upkeep.keep_log(lake, TABLE)
    lake.replace_days("d/new", rows_of(DAYS, 0), DAYS)
    assert not upkeep.keep_log(lake, "d/new")


def test_trouble_names_the_table(lake: Lake) -> None:
    for work in (upkeep.crowded, upkeep.compact, upkeep.keep_log):
        with pytest.raises(StorageUnavailable, match="d/t cannot be kept in order"):
            work(lake, TABLE)
    with pytest.raises(StorageUnavailable, match="d/t cannot be kept in order"):
        upkeep.clear(lake, TABLE, [])
