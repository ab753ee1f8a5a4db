"""The spool: batches of differing columns come back as one stream, and leave nothing behind."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from include.errors import StorageUnavailable
from include.scoring.spool import FOLDER, spooled
from include.settings import Settings

MONDAY, TUESDAY = date(2013, 10, 7), date(2013, 10, 8)


def rows(*days: date, **columns: list[Any]) -> pa.Table:
    return pa.table({"data_day": pa.array(days, pa.date32()), **columns})


def test_batches_come_back_in_order_with_the_columns_of_all(settings: Settings) -> None:
    with spooled(settings, "run") as spool:
        spool.add(rows())
        spool.add(rows(MONDAY, TUESDAY, old=["a", "b"]))
        spool.add(rows(TUESDAY, new=[1.5]))
        found = spool.reader([MONDAY, TUESDAY]).read_all()
    assert found.to_pydict() == {
        "data_day": [MONDAY, TUESDAY, TUESDAY],
        "old": ["a", "b", None],
        "new": [None, None, 1.5],
    }


def test_only_the_days_asked_for_come_back(settings: Settings) -> None:
    with spooled(settings, "run") as spool:
        spool.add(rows(MONDAY, TUESDAY, value=[1, 2]))
        assert spool.reader([TUESDAY]).read_all()["value"].to_pylist() == [2]
        assert spool.reader([date(2013, 10, 9)]).read_all().num_rows == 0


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
