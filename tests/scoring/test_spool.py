"""The spool: batches of differing columns come back as one stream, and leave nothing behind."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from include.errors import StorageUnavailable
from include.scoring.spool import FOLDER, Spool, spooled
from include.settings import Settings

MONDAY, TUESDAY = date(2013, 10, 7), date(2013, 10, 8)


def rows(*days: date, **columns: list[Any]) -> pa.Table:
    return pa.table({"data_day": pa.array(days, pa.date32()), **columns})


def values(spool: Spool, *days: date) -> list[list[Any]]:
    """Return the values of each reader."""
    return [reader.read_all()["value"].to_pylist() for reader in spool.readers(days)]


def test_batches_come_back_in_order_with_the_columns_of_all(settings: Settings) -> None:
    with spooled(settings, "run") as spool:
        spool.add(rows())
        spool.add(rows(MONDAY, TUESDAY, old=["a", "b"]))
        spool.add(rows(TUESDAY, new=[1.5]))
        (reader,) = spool.readers([MONDAY, TUESDAY])
        found = reader.read_all()
    assert found.to_pydict() == {
        "data_day": [MONDAY, TUESDAY, TUESDAY],
        "old": ["a", "b", None],
        "new": [None, None, 1.5],
    }


def test_only_the_days_asked_for_come_back(settings: Settings) -> None:
    with spooled(settings, "run") as spool:
        spool.add(rows(MONDAY, TUESDAY, value=[1, 2]))
        assert values(spool, TUESDAY) == [[2]]
        assert values(spool, date(2013, 10, 9)) == [[]]


def test_few_batches_come_with_each_reader(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("include.scoring.spool.BATCHES", 2)
    with spooled(settings, "run") as spool:
        spool.add(rows(MONDAY, TUESDAY, value=[1, 2]))
        spool.add(rows(MONDAY, value=[3]))
        for value in (4, 5):
            spool.add(rows(TUESDAY, value=[value]))
        assert values(spool, TUESDAY) == [[2, 4], [5]]
        assert values(spool, MONDAY) == [[1, 3]]
        assert values(spool, MONDAY, TUESDAY) == [[1, 2, 3], [4, 5]]


def test_nothing_is_left_behind_when_the_run_fails(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError), spooled(settings, "run") as spool:
        spool.add(rows(MONDAY))
        raise ZeroDivisionError
    assert list((settings.home / FOLDER).iterdir()) == []


def test_a_spool_that_cannot_be_written_names_the_file(settings: Settings) -> None:
    with spooled(settings, "run") as spool:
        (settings.home / FOLDER / "run").rmdir()
        with pytest.raises(StorageUnavailable, match=r"000000\.arrow.*free space"):
            spool.add(rows(MONDAY))
