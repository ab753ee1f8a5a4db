"""Staging: what is loaded and not yet true, on both databases; nothing of it stays behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

from include.errors import DataError, LockHeld, RowsLost, StorageUnavailable
from include.settings import Settings, WarehouseAddress
from include.warehouse import digests, frames, locks, staging
from include.warehouse.engine import Warehouse, libpq_uri, open_warehouse
from include.warehouse.staging import staged
from include.warehouse.tables import stage_runs
from include.warehouse.use_cases import UseCaseTables, apply, use_case_tables
from tests.conftest import administer
from tests.warehouse.conftest import USE_CASE
from tests.warehouse.scores import DAYS, NOON, content_hashes, frame, put, read


@pytest.fixture
def postgres(
    postgres_server: WarehouseAddress, request: pytest.FixtureRequest
) -> Iterator[Warehouse]:
    """The warehouse on Postgres, for what concerns it alone."""
    from tests.conftest import TEMPLATE, fresh_database, postgres_settings

    home = request.getfixturevalue("home")
    for address in fresh_database(postgres_server, TEMPLATE):
        warehouse = open_warehouse(postgres_settings(home, address))
        apply(warehouse, USE_CASE)
        yield warehouse
        warehouse.dispose()


def left_behind(warehouse: Warehouse) -> list[str]:
    """Return staging tables, on SQLite those of every pooled connection."""
    with warehouse.reading() as connection:
        if warehouse.is_sqlite:
            query = "SELECT name FROM sqlite_temp_master"
            return list(connection.exec_driver_sql(query).scalars())
        return sa.inspect(connection).get_table_names(schema=staging.SCHEMA)


@pytest.mark.parametrize("published", [True, False])
def test_nothing_staged_stays_behind(
    warehouse: Warehouse, tables: UseCaseTables, published: bool
) -> None:
    if published:
        put(warehouse, tables, frame({}))
    else:
        with pytest.raises(ZeroDivisionError), staged(warehouse, tables, "run") as opened:
            opened.add(frame({}))
            raise ZeroDivisionError
    assert left_behind(warehouse) == []
    assert len(read(warehouse, tables.scores)) == published


def test_what_is_staged_locks_nobody_out_and_is_read_by_nobody(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    with staged(warehouse, tables, "run") as opened:
        opened.add(frame({}))
        with warehouse.transaction() as connection:
            connection.execute(sa.delete(tables.revisions))
        assert read(warehouse, tables.scores) == []
        assert opened.rows == 1


def test_only_the_days_asked_for_are_published_by_any_number_of_calls(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    put(warehouse, tables, frame({"data_day": DAYS[1], "prediction": 0.9}), days=DAYS)
    rows = frame(*({"data_day": day} for day in DAYS))
    with staged(warehouse, tables, "second") as opened:
        opened.add(rows)
        with warehouse.transaction(opened.connection) as connection:
            first = opened.publish(connection, DAYS[:1], "second", NOON)
            third = opened.publish(connection, DAYS[2:], "second", NOON)
    assert (first.rows_changed, third.rows_changed) == (1, 1)
    said = [row["prediction"] for row in read(warehouse, tables.scores)]
    assert said == [rows["prediction"][0], 0.9, rows["prediction"][0]]
    assert read(warehouse, tables.revisions) == []


def test_a_day_of_many_blocks_has_one_fingerprint_however_it_is_handed_in(
    warehouse: Warehouse, tables: UseCaseTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = 500
    monkeypatch.setattr(digests, "BLOCK", block)
    count = 2 * block + 10
    rows = pd.concat([frame({})] * count, ignore_index=True)
    rows["order_number"] = range(count)
    rows["customer"] = "ann"
    whole = content_hashes(tables, rows, DAYS[:1])
    change = put(warehouse, tables, rows, batch=block // 2 + 7)
    assert {day: it.content_hash for day, it in change.days.items()} == whole
    assert change.rows_changed == count
    last = rows.assign(prediction=[0.7] * (count - 1) + [0.1])
    told = put(warehouse, tables, last, hour=1)
    assert (told.restated.updated, told.rows_changed) == (count, count)
    assert len(read(warehouse, tables.revisions)) == count


def test_keys_of_any_text_come_back_and_stay_themselves(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    names = ["", "a'b\"c", "ünï → 航班 \U0001f6eb", "x" * 1_990, "x" * 1_990 + "y", "%s {} \\"]
    rows = frame(*({"customer": name, "reason_1": name[::-1]} for name in names))
    first = put(warehouse, tables, rows)
    found = {row["customer"]: row["reason_1"] for row in read(warehouse, tables.scores)}
    assert found == {name: name[::-1] for name in names}
    again = put(warehouse, tables, rows, run="second", hour=1, batch=2)
    assert (again.rows_changed, again.content_hash) == (0, first.content_hash)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"customer": "a\0b"}, "customer for late_order_scores holds NUL .*2013-10-06"),
        ({"reason_1": "a\ud800b"}, "reason_1 .* not TEXT.*surrogates.*2013-10-06"),
        ({"prediction": float("nan")}, "prediction .* missing in 1 rows .*2013-10-06"),
        ({"prediction": float("-inf")}, "prediction .* infinite .*2013-10-06"),
        ({"customer": 7}, "customer .* not TEXT.*2013-10-06"),
    ],
    ids=["nul", "surrogate", "nan", "infinite", "number"],
)
def test_a_bad_value_names_its_column_and_day_before_anything_is_loaded(
    warehouse: Warehouse, tables: UseCaseTables, wrong: dict[str, Any], told: str
) -> None:
    rows = frame({}, {"data_day": DAYS[1], **wrong})
    with staged(warehouse, tables, "run") as opened:
        with pytest.raises(DataError, match=told):
            opened.add(rows)
        assert opened.rows == 0


def test_order_and_uniqueness_hold_over_batches(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    numbered = [frame({"order_number": number}) for number in (1, 2)]
    with staged(warehouse, tables, "run") as opened:
        opened.add(numbered[1])
        with pytest.raises(ValueError, match="order of their keys on 2013-10-05"):
            opened.add(numbered[0])
    with staged(warehouse, tables, "run") as opened:
        opened.add(numbered[1])
        with pytest.raises(DataError, match=r"repeat a key .*2013-10-05"):
            opened.add(numbered[1])
    with staged(warehouse, tables, "run") as opened:
        opened.add(numbered[0])
        opened.add(frame({"data_day": DAYS[1]}))
        with pytest.raises(ValueError, match="2013-10-05 come again"):
            opened.add(numbered[1])


def test_a_clock_that_goes_back_makes_no_validity_overlap(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    for hour, prediction in ((5, 0.1), (1, 0.2), (-3, 0.3)):
        change = put(warehouse, tables, frame({"prediction": prediction}), hour=hour)
        assert change.at >= NOON + timedelta(hours=5)
    put(warehouse, tables, frame({}).iloc[:0], hour=-4)
    put(warehouse, tables, frame({"prediction": 0.4}), hour=-5)
    past = read(warehouse, tables.revisions)
    (now,) = read(warehouse, tables.scores)
    assert [row["prediction"] for row in past] == [0.1, 0.2, 0.3]
    assert all(row["valid_from"] < row["valid_to"] for row in past)
    starts = [row["valid_from"] for row in (*past, now)][1:]
    assert all(row["valid_to"] <= start for row, start in zip(past, starts, strict=True))


@pytest.mark.parametrize("published", [False, True])
def test_rows_that_vanish_from_the_staging_are_missed(
    warehouse: Warehouse, tables: UseCaseTables, published: bool
) -> None:
    rows = frame({}, {"order_number": 2})
    if published:
        put(warehouse, tables, rows)
    before = read(warehouse, tables.scores)
    with (
        pytest.raises(RowsLost, match="2 rows were staged for late_order_scores and 1 found"),
        staged(warehouse, tables, "run") as opened,
    ):
        opened.add(rows)
        opened._loaded()
        with warehouse.transaction(opened.connection) as connection:
            connection.execute(sa.delete(opened._table).where(opened._table.c.order_number == 2))
            opened.publish(connection, DAYS[:1], "run", NOON)
    assert read(warehouse, tables.scores) == before


def test_orphans_are_the_tables_whose_run_is_not_running(postgres: Warehouse) -> None:
    tables = use_case_tables(USE_CASE)
    run = {"stage": "score", "subject": "late_order", "status": "running", "started_at": NOON}
    days = {"window_start": DAYS[0], "window_end": DAYS[0]}
    counts = {"rows_in": 0, "rows_out": 0, "rows_held": 0}
    with postgres.transaction() as connection:
        connection.execute(sa.insert(stage_runs).values(run_id="alive", **run, **days, **counts))
    with staged(postgres, tables, "alive"), staged(postgres, tables, "dead"):
        with postgres.reading() as connection:
            assert staging.orphans(connection) == ["dead_late_order_scores"]
        with postgres.transaction() as connection:
            staging.drop(connection, "dead_late_order_scores")
        with postgres.reading() as connection:
            assert staging.orphans(connection) == []
    assert left_behind(postgres) == []


def test_publishing_waits_for_another_and_gives_up(
    postgres: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        postgres.transaction() as one,
        pytest.raises(LockHeld, match="publish for late_order_scores is being run elsewhere"),
        postgres.transaction() as other,
    ):
        locks.lock_transaction(one, "publish", "late_order_scores")
        locks.lock_transaction(other, "publish", "late_order_scores", timeout=0.1)


def test_a_database_gone_in_mid_load_is_told_and_loses_nothing(
    postgres: Warehouse, postgres_server: WarehouseAddress
) -> None:
    tables = use_case_tables(USE_CASE)
    put(postgres, tables, frame({}))
    before = read(postgres, tables.scores)
    end_all = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{postgres.address.database}' AND pid <> pg_backend_pid()"
    )
    with (
        pytest.raises(StorageUnavailable, match="cannot be used"),
        staged(postgres, tables, "second") as opened,
    ):
        opened.add(frame({"prediction": 0.7}))
        administer(postgres_server, end_all)
        opened.add(frame({"prediction": 0.7, "order_number": 2}))
        opened.add(frame({"prediction": 0.7, "order_number": 3}))
    postgres.dispose()
    assert read(postgres, tables.scores) == before
    put(postgres, tables, frame({"prediction": 0.7}), hour=1)
    assert [row["prediction"] for row in read(postgres, tables.scores)] == [0.7]


def test_the_load_reaches_the_server_as_every_other_connection_does(
    settings: Settings, postgres_server: WarehouseAddress
) -> None:
    odd = "p@ss/w:rd%20?#&=+ '\\"
    user = f"load_{datetime.now(UTC).timestamp():.0f}"
    quoted = odd.replace("'", "''")
    administer(postgres_server, f"CREATE ROLE {user} LOGIN PASSWORD '{quoted}'")
    options = (("connect_timeout", "5"), ("prepare_threshold", "0"), ("sslmode", "disable"))
    address = replace(postgres_server, user=user, password=odd, options=options)
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(libpq_uri(address)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (user,)
    administer(postgres_server, f"DROP ROLE {user}")


def test_a_batch_may_be_empty_and_have_no_types(
    warehouse: Warehouse, tables: UseCaseTables
) -> None:
    names = [*tables.key, *tables.content]
    nothing = pd.DataFrame(columns=names)
    assert frames.canonical(tables.scores, names, nothing).num_rows == 0
    with staged(warehouse, tables, "run") as opened:
        opened.add(nothing)
        assert opened.rows == 0
