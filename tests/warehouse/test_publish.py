"""Replacement of days: nothing unchanged is touched, nothing superseded is lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.declare import UseCase
from include.errors import DataError, StorageUnavailable
from include.warehouse import tables as fixed
from include.warehouse.engine import Warehouse
from include.warehouse.publish import Restatement
from include.warehouse.staging import staged
from include.warehouse.use_cases import UseCaseTables, apply, use_case_tables
from tests.warehouse.scores import DAYS, NOON, ODD, content_hashes, frame, put, read


def test_a_score_comes_back_as_it_was_written(warehouse: Warehouse, tables: UseCaseTables) -> None:
    change = put(warehouse, tables, frame({}))
    assert (change.rows_changed, change.days[DAYS[0]].inserted) == (1, 1)
    (row,) = read(warehouse, tables.scores)
    assert row["prediction"] == ODD
    assert row["promised_at"] == datetime(2013, 10, 6, 19, 0, 0, 123456, tzinfo=UTC)
    assert (row["gift"], row["items"], row["decision"]) == (True, 3, False)
    assert (row["reason_2"], row["reason_2_contribution"]) == (None, None)
    assert (row["run_id"], row["scored_at"], row["valid_from"]) == ("first", NOON, NOON)


def test_texts_with_quotes_newlines_and_nothing_come_back(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    texts = ["", 'say "no"', "a,b", "line\nbreak\r\n", "\\N", "ünï → 航班", "'", " ", "NULL"]
    rows = frame(*({"order_number": n, "reason_1": text} for n, text in enumerate(texts)))
    put(warehouse, tables, rows)
    assert [row["reason_1"] for row in read(warehouse, tables.scores)] == texts
    assert put(warehouse, tables, rows).rows_changed == 0


def test_extreme_numbers_and_instants_come_back(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    numbers = [5e-324, 1.7976931348623157e308, -1e-300, 1 / 3, 1e16 + 2, 123456789.123456789]
    rows = frame(
        *(
            {"order_number": 2**62 + n, "prediction": number, "weight": number}
            for n, number in enumerate(numbers)
        )
    )
    put(warehouse, tables, rows)
    found = read(warehouse, tables.scores)
    assert [row["prediction"] for row in found] == numbers
    assert [row["order_number"] for row in found] == [2**62 + n for n in range(len(numbers))]
    assert put(warehouse, tables, rows).rows_changed == 0


def test_a_failing_load_loses_nothing(warehouse: Warehouse, tables: UseCaseTables) -> None:
    put(warehouse, tables, frame({}))
    before = read(warehouse, tables.scores)
    read_only = "PRAGMA query_only = 1" if warehouse.is_sqlite else "SET TRANSACTION READ ONLY"
    with (
        pytest.raises(StorageUnavailable, match=r"read-?only"),
        staged(warehouse, tables, "second") as staging,
    ):
        staging.add(frame({"data_day": DAYS[1]}))
        with warehouse.transaction(staging.connection) as connection:
            connection.exec_driver_sql(read_only)
            staging.publish(connection, DAYS[1:2], "second", NOON)
    warehouse.dispose()
    assert read(warehouse, tables.scores) == before


def test_the_same_rows_again_touch_nothing(warehouse: Warehouse, tables: UseCaseTables) -> None:
    rows = frame({}, {"order_number": 2, "weight": None, "shop": None, "gift": None, "items": None})
    first = put(warehouse, tables, rows)
    before = read(warehouse, tables.scores)
    again = put(warehouse, tables, rows.iloc[::-1], run="second", hour=1)
    assert again.rows_changed == 0
    assert again.content_hash == first.content_hash
    assert read(warehouse, tables.scores) == before
    assert read(warehouse, tables.revisions) == []


@pytest.mark.parametrize(
    "change",
    [
        {"prediction": np.nextafter(ODD, 1)},
        {"model_version": "2"},
        {"decision": True},
        {"reason_1": "another"},
        {"reason_2_contribution": 0.0},
        {"shop": None},
        {"weight": 2.0},
    ],
    ids=str,
)
def test_a_changed_row_is_kept_as_a_revision(
    warehouse: Warehouse, tables: UseCaseTables, change: dict[str, Any]
) -> None:
    put(warehouse, tables, frame({}, {"order_number": 2}))
    told = put(warehouse, tables, frame(change, {"order_number": 2}), run="second", hour=1)
    assert (told.rows_changed, told.days[DAYS[0]].inserted) == (1, 0)
    assert (told.restated.updated, told.restated.removed) == (1, 0)
    changed, kept = read(warehouse, tables.scores)
    assert (changed["run_id"], changed["valid_from"]) == ("second", NOON + timedelta(hours=1))
    assert (kept["run_id"], kept["valid_from"]) == ("first", NOON)
    (old,) = read(warehouse, tables.revisions)
    assert (old["run_id"], old["valid_from"]) == ("first", NOON)
    assert old["valid_to"] == NOON + timedelta(hours=1)
    assert old["prediction"] == ODD


def test_a_restatement_says_how_far_scores_moved(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    """A row unchanged, one moved up and over, one moved down, another reason, one gone, one new."""
    before = {1: (0.2, False), 2: (0.4, False), 3: (0.9, True), 4: (0.5, True), 5: (0.3, False)}
    after = {1: (0.2, False), 2: (0.6, True), 3: (0.8, True), 4: (0.5, True), 6: (0.7, True)}

    def rows(said: dict[int, tuple[float, bool]]) -> list[dict[str, Any]]:
        return [
            {"order_number": number, "prediction": prediction, "decision": decision}
            for number, (prediction, decision) in said.items()
        ]

    first = put(warehouse, tables, frame(*rows(before)))
    assert not first.restated
    changed = frame(*rows(after))
    changed.loc[changed["order_number"] == 4, "reason_1"] = "another"
    told = put(warehouse, tables, changed.iloc[::-1], hour=1)

    assert (told.days[DAYS[0]].inserted, told.restated.updated, told.restated.removed) == (1, 3, 1)
    assert told.restated.flipped == 1
    assert told.restated.largest == pytest.approx(0.2)
    assert told.restated.total == pytest.approx(0.2 + 0.1 + 0.0)
    assert str(told.restated) == (
        "4 published score(s) were restated, 1 of them removed; predictions moved by 0.1 on "
        "average and 0.2 at most, 1 decision(s) flipped"
    )
    twice = told.restated + Restatement(updated=1, largest=0.7, total=0.7, flipped=1)
    assert (twice.updated, twice.largest, twice.flipped) == (4, 0.7, 2)
    assert twice.total == pytest.approx(1.0)


def test_scores_without_decisions_are_compared_too(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    undecided = {"decision": None, "threshold": None}
    put(warehouse, tables, frame({"prediction": 12.5, **undecided}))
    assert put(warehouse, tables, frame({"prediction": 12.5, **undecided})).rows_changed == 0
    told = put(warehouse, tables, frame({"prediction": 10.0, **undecided}), hour=1)
    assert (told.restated.largest, told.restated.flipped) == (2.5, 0)


def test_quantiles_are_content_of_a_score(warehouse: Warehouse, use_case: UseCase) -> None:
    training = replace(use_case.training, quantiles=(0.1, 0.9))
    regression = replace(use_case, training=training, task="regression")
    apply(warehouse, regression)
    tables = use_case_tables(regression)
    rows = frame({"prediction_q10": 1.0, "prediction_q90": 20.0})
    first = put(warehouse, tables, rows)
    assert put(warehouse, tables, rows).rows_changed == 0
    told = put(warehouse, tables, rows.assign(prediction_q90=21.0), hour=1)
    assert told.restated.updated == 1
    assert told.content_hash != first.content_hash
    assert [it["prediction_q90"] for it in read(warehouse, tables.revisions)] == [20.0]
    with pytest.raises(DataError, match=r"prediction_q10 .* infinite"):
        put(warehouse, tables, rows.assign(prediction_q10=float("-inf")))


def test_a_row_that_is_gone_is_kept_as_a_revision(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    put(warehouse, tables, frame({}, {"order_number": 2}))
    told = put(warehouse, tables, frame({}), hour=1)
    assert (told.restated.removed, told.rows_changed) == (1, 1)
    assert [row["order_number"] for row in read(warehouse, tables.scores)] == [1]
    assert [row["order_number"] for row in read(warehouse, tables.revisions)] == [2]


def test_a_day_without_rows_ends_empty_and_other_days_stay(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    both = frame({}, {"data_day": DAYS[1]})
    put(warehouse, tables, both, days=DAYS[:2])
    told = put(warehouse, tables, both.iloc[:0], hour=1, days=DAYS[:1])
    assert told.restated.removed == 1
    assert [row["data_day"] for row in read(warehouse, tables.scores)] == [DAYS[1]]


def test_what_we_said_at_an_instant_is_one_query(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    for hour, prediction in ((0, 0.1), (2, 0.2), (4, 0.3)):
        put(warehouse, tables, frame({"prediction": prediction}), hour=hour)
    history = sa.Table(
        "late_order_scores_history",
        sa.MetaData(),
        *(sa.Column(name, fixed.UTC) for name in ("valid_from", "valid_to")),
        sa.Column("prediction", sa.Double),
    )
    c = history.c
    said = []
    with warehouse.reading() as connection:
        for hour in (1, 2, 5):
            at = NOON + timedelta(hours=hour)
            valid = (c.valid_from <= at) & (c.valid_to.is_(None) | (c.valid_to > at))
            said.append(connection.scalars(sa.select(c.prediction).where(valid)).all())
    assert said == [[0.1], [0.2], [0.3]]


def test_hashes_are_the_same_on_both_databases_and_for_any_window(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    rows = frame({}, {"data_day": DAYS[1], "customer": "bób"}, {"order_number": 2})
    whole = put(warehouse, tables, rows, days=DAYS)
    # Pinned: the same on SQLite and Postgres, and from one version to the next.
    assert whole.content_hash == PINNED
    hashes = {day: change.content_hash for day, change in whole.days.items()}
    for day in DAYS:
        night = put(warehouse, tables, rows[rows["data_day"] == day], days=[day], batch=1)
        assert (night.days[day].content_hash, night.rows_changed) == (hashes[day], 0)
    assert content_hashes(tables, rows.sample(frac=1, random_state=1), DAYS) == hashes
    assert len(set(hashes.values())) == 3


PINNED = "f684b31b1d2f87d742be4efb7ccad5985b0374920bdffa11b7bcabf346a61315"


def test_dtypes_do_not_matter(warehouse: Warehouse, tables: UseCaseTables) -> None:
    rows = frame({}, {"order_number": 2, "weight": -0.0})
    first = put(warehouse, tables, rows)
    odd = rows.assign(
        data_day=pd.to_datetime(rows["data_day"]),
        target_date=pd.to_datetime(rows["target_date"]).astype("datetime64[ns]"),
        promised_at=rows["promised_at"].dt.tz_convert("UTC").astype("datetime64[ns, UTC]"),
        customer=rows["customer"].astype("category"),
        order_number=rows["order_number"].astype("int32"),
        shop=rows["shop"].astype("string"),
        gift=rows["gift"].astype("boolean"),
        items=rows["items"].astype("float64"),
        weight=[1.5, 0.0],
        reason_2=pd.Series([pd.NA, pd.NA], dtype="string"),
        reason_2_contribution=pd.Series([np.nan, np.nan]),
        unrelated=1,
    )
    again = put(warehouse, tables, odd)
    assert (again.rows_changed, again.content_hash) == (0, first.content_hash)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prediction": float("nan")}, "prediction .* is missing in 1 rows"),
        ({"prediction": float("inf")}, "prediction .* infinite"),
        ({"customer": None}, "customer .* is missing in 1 rows"),
        ({"items": "many"}, "items .* not BIGINT"),
        ({"prediction": "high"}, "prediction .* not DOUBLE"),
        ({"customer": "a\x00b"}, "customer .* NUL"),
    ],
    ids=str,
)
def test_bad_values_are_refused_and_nothing_changes(
    warehouse: Warehouse, tables: UseCaseTables, row: dict[str, Any], told: str
) -> None:
    put(warehouse, tables, frame({}))
    before = read(warehouse, tables.scores)
    with pytest.raises(DataError, match=told):
        put(warehouse, tables, frame(row))
    assert read(warehouse, tables.scores) == before


def test_repeated_keys_and_missing_columns_are_refused(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    with pytest.raises(DataError, match="1 rows for late_order_scores repeat a key"):
        put(warehouse, tables, frame({}, {"prediction": 0.9}))
    with pytest.raises(DataError, match="lack the columns threshold"):
        put(warehouse, tables, frame({}).drop(columns="threshold"))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(
            st.sets(st.sampled_from(DAYS), min_size=1),
            st.dictionaries(
                st.tuples(st.sampled_from(DAYS), st.integers(1, 4)),
                st.sampled_from([0.0, 0.1, ODD]),
                max_size=8,
            ),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_sequence_of_replacements_equals_the_last_word_and_keeps_every_other(
    warehouse: Warehouse,
    tables: UseCaseTables,
    steps: list[tuple[set[date], dict[tuple[date, int], float]]],
) -> None:
    """Compare with a dict: the truth now, and a list of what was superseded."""
    with warehouse.transaction() as connection:
        for table in (tables.scores, tables.revisions):
            connection.execute(sa.delete(table))
    truth: dict[tuple[date, int], tuple[float, str]] = {}
    past: list[tuple[date, int, float, str]] = []
    for number, (days, wanted) in enumerate(steps):
        run = f"run {number}"
        new = {key: value for key, value in wanted.items() if key[0] in days}
        rows = frame(
            *(
                {"data_day": day, "order_number": order, "prediction": value}
                for (day, order), value in new.items()
            )
        )
        if not new:
            rows = frame({}).iloc[:0]
        told = put(warehouse, tables, rows, run=run, hour=number, days=sorted(days))
        changed = 0
        for key in [key for key in truth if key[0] in days]:
            if new.get(key) != truth[key][0]:
                past.append((*key, *truth.pop(key)))
                changed += key not in new
        for key, value in new.items():
            if key not in truth:
                truth[key] = (value, run)
                changed += 1
        assert told.rows_changed == changed
    found = {
        (row["data_day"], row["order_number"]): (row["prediction"], row["run_id"])
        for row in read(warehouse, tables.scores)
    }
    assert found == truth
    kept = [
        (row["data_day"], row["order_number"], row["prediction"], row["run_id"])
        for row in read(warehouse, tables.revisions)
    ]
    assert sorted(kept) == sorted(past)
