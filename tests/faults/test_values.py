"""Odd values on their way to the scores: kept to the letter, or refused with column and day."""

from __future__ import annotations

import random
import string
import unicodedata
from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from include.errors import DataError
from include.settings import Settings
from include.warehouse.engine import open_warehouse
from tests.faults.matrix import Fault, meets
from tests.faults.shop import (
    OPENING,
    TABLES,
    WEEK,
    Rows,
    context,
    order,
    publish,
    second,
    see,
)

DAY = OPENING.days[1]
COMPOSED = "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}"
ODD = (
    "",
    " ",
    "  trailing  ",
    "O'Brien",
    'say "no"',
    "'; DROP TABLE late_order_scores; --",
    "back\\slash \\N \\x00 \\u0000",
    "a,b\tc\r\nd",
    "%s :name {brace} ?",
    "NULL",
    "nan",
    COMPOSED,
    unicodedata.normalize("NFD", COMPOSED),
    "\N{ZERO WIDTH SPACE}ann",
    "\N{RIGHT-TO-LEFT OVERRIDE}شركة טעסט",
    "航班 → 東京",
    "\N{FACE WITH TEARS OF JOY}\N{FAMILY}\N{ZERO WIDTH JOINER}\N{WOMAN}",
    "\uffff",
    "\N{LINEAR B SYLLABLE B008 A}",
    "\x01\x1f\x7f",
    "x" * 2_000,
    # As long as a key may be, and it does not compress.
    "".join(random.Random(5).choices(string.ascii_letters, k=2_000)),
    "".join(random.Random(6).choices([chr(it) for it in range(0x4E00, 0x9FFF)], k=666)),
)

TEN_KILOBYTES = "x" * 10_000


def of(customers: Sequence[str], moved: bool = False) -> Rows:
    """Return a row per customer and day, every second one of them moved."""

    def rows(days: Sequence[date]) -> pd.DataFrame:
        told = pd.DataFrame(
            [order(day, 1, 0.25, customer=it) for day in sorted(days) for it in sorted(customers)]
        )
        return told.assign(prediction=np.where(moved & (told.index % 2 == 1), 0.75, 0.25))

    return rows


def run(settings: Settings, rows: Rows, edition: str, hour: float) -> int:
    """Publish rows; returns how many revisions there are then."""
    warehouse = open_warehouse(settings)
    try:
        publish(warehouse, WEEK, rows, edition, context(hour))
        with warehouse.reading() as connection:
            query = sa.select(sa.func.count()).select_from(TABLES.revisions)
            return int(connection.execute(query).scalar_one())
    finally:
        warehouse.dispose()


HASHES: dict[tuple[str, ...], list[str]] = {}
"""Customers → hashes on the database that came first."""


@meets(
    Fault(
        "Storage and processes",
        "keys have quotes, unicode, NUL bytes",
        "score: bound values on both databases",
        "they come back as they were, each its own",
    )
)
def test_odd_keys_come_back_and_are_told_apart(shop: Settings) -> None:
    customers = ODD
    opened = run(shop, of(customers), "odd", 1)
    seen = see(shop)
    warehouse = open_warehouse(shop)
    with warehouse.reading() as connection:
        found = connection.scalars(sa.select(TABLES.scores.c.customer)).all()
    warehouse.dispose()
    assert sorted(found) == sorted(customers * len(WEEK))

    assert run(shop, of(customers), "landed again", 2) == opened, "unchanged rows were touched"
    assert see(shop).scores == seen.scores
    superseded = len(WEEK) * len(customers) // 2
    assert run(shop, of(customers, moved=True), "changed", 3) == opened + superseded
    assert see(shop).gaps == 0
    hashes = list(seen.done.values())
    assert HASHES.setdefault(customers, hashes) == hashes, "the databases differ"


def spoilt(column: str, value: object) -> Rows:
    """Return the second edition with one odd value in the middle of one day."""

    def rows(days: Sequence[date]) -> pd.DataFrame:
        told = second(days)
        place = told.index[told["data_day"] == DAY][4]
        told[column] = told[column].astype(object)
        told.at[place, column] = value
        return told

    return rows


@meets(
    Fault(
        "The model",
        "a prediction is missing, not a number or infinite",
        "score: checks while staging",
        "an error that names column and day; nothing is published",
    )
)
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("prediction", float("nan")),
        ("prediction", float("inf")),
        ("prediction", float("-inf")),
        ("prediction", None),
        ("reason_1_contribution", float("inf")),
        ("customer", "ann\0"),
        ("shop", "\0"),
        ("customer", "ann\ud800"),
        ("customer", None),
        pytest.param("customer", TEN_KILOBYTES, id="a key of 10 kB"),
    ],
    ids=ascii,
)
def test_a_value_no_reader_should_meet_is_refused(
    shop: Settings, column: str, value: object
) -> None:
    before = see(shop)
    with pytest.raises(DataError, match=rf"{column}\b.*{DAY}"):
        run(shop, spoilt(column, value), "spoilt", 1)
    assert see(shop) == before, "nothing was written, and no published day was taken back"
    run(shop, second, "second", 2)
    assert len(see(shop).done) == len(WEEK)


def test_text_beside_the_key_may_have_any_length(shop: Settings) -> None:
    run(shop, spoilt("shop", TEN_KILOBYTES), "long", 1)
    warehouse = open_warehouse(shop)
    with warehouse.reading() as connection:
        shops = connection.scalars(sa.select(TABLES.scores.c.shop)).all()
    warehouse.dispose()
    assert shops.count(TEN_KILOBYTES) == 1


def double(rows: Rows) -> Rows:
    """Return rows of which one key comes twice."""

    def made(days: Sequence[date]) -> pd.DataFrame:
        told = rows(days)
        return pd.concat([told.iloc[:3], told.iloc[2:]], ignore_index=True)

    return made


@meets(
    Fault(
        "The model",
        "an entity is scored twice",
        "score: checks while staging",
        "an error that names the key; nothing is published",
    )
)
@pytest.mark.parametrize("rows", [double(second), double(of(ODD))], ids=["plain", "odd"])
def test_a_key_that_comes_twice_is_refused(shop: Settings, rows: Rows) -> None:
    before = see(shop)
    with pytest.raises(DataError, match="repeat a key"):
        run(shop, rows, "twice", 1)
    assert see(shop) == before
