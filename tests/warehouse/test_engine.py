"""The connection: snapshots, rollback, and one clear error when the storage fails."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from include.errors import ConfigurationError, StorageUnavailable
from include.settings import Settings, WarehouseAddress
from include.warehouse.engine import Warehouse, open_warehouse
from include.warehouse.monitoring_tables import incidents

SINCE = datetime(2013, 10, 7, 4, 0, tzinfo=UTC)


def add_incident(connection: sa.Connection, since: datetime = SINCE) -> None:
    connection.execute(
        sa.insert(incidents).values(
            subject="nyc_flights",
            kind="late",
            cause="",
            severity="warning",
            detail="late",
            since=since,
            last_seen=since,
        )
    )


def count_incidents(warehouse: Warehouse) -> int:
    with warehouse.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(incidents)) or 0


def sqlite_settings(home: Path, path: str) -> Settings:
    settings = Settings.from_env({"NIGHTSHIFT_HOME": str(home)}, code_revision="test")
    return replace(settings, warehouse=WarehouseAddress("sqlite", path))


def test_an_exception_rolls_the_transaction_back(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), warehouse.transaction() as connection:
        add_incident(connection)
        raise ZeroDivisionError
    assert count_incidents(warehouse) == 0


def test_a_reader_sees_one_snapshot_while_a_writer_commits(warehouse: Warehouse) -> None:
    count = sa.select(sa.func.count()).select_from(incidents)
    with warehouse.reading() as reader:
        assert reader.scalar(count) == 0
        with warehouse.transaction() as writer:
            add_incident(writer)
        assert reader.scalar(count) == 0
    assert count_incidents(warehouse) == 1


def test_instants_are_aware_and_in_utc_whatever_zone_they_came_in(warehouse: Warehouse) -> None:
    eastern = timezone(timedelta(hours=-4))
    with warehouse.transaction() as connection:
        add_incident(connection, SINCE.astimezone(eastern))
    with warehouse.reading() as connection:
        since = connection.scalar(sa.select(incidents.c.since))
    assert since == SINCE
    assert since is not None and since.utcoffset() == timedelta(0)


def test_a_naive_instant_is_refused(warehouse: Warehouse) -> None:
    with (
        pytest.raises(sa.exc.StatementError, match="no time zone"),
        warehouse.transaction() as connection,
    ):
        add_incident(connection, datetime(2013, 10, 7))


def test_not_a_number_is_refused_in_json(warehouse: Warehouse) -> None:
    from include.warehouse.tables import quarantine_decisions

    row = {"dataset": "d", "table_name": "t", "data_day": SINCE.date(), "row_hash": "h"}
    row |= {"rule": "r", "action": "correct", "actor": "a", "reason": "r"}
    with (
        pytest.raises((ValueError, sa.exc.StatementError), match="not JSON compliant"),
        warehouse.transaction() as connection,
    ):
        connection.execute(
            sa.insert(quarantine_decisions).values(**row, payload={"x": float("nan")}, at=SINCE)
        )


def test_sqlite_runs_in_wal_mode_with_foreign_keys(settings: Settings) -> None:
    warehouse = open_warehouse(settings)
    with warehouse.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    warehouse.dispose()


def test_a_wrong_statement_is_not_taken_for_a_storage_failure(warehouse: Warehouse) -> None:
    with (
        pytest.raises(sa.exc.DBAPIError, match="no_such_table"),
        warehouse.reading() as connection,
    ):
        connection.execute(sa.text("SELECT * FROM no_such_table"))


def test_a_full_sqlite_disk_is_told_and_loses_nothing(settings: Settings) -> None:
    warehouse = open_warehouse(settings)
    with warehouse.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (payload TEXT)")
        connection.exec_driver_sql("INSERT INTO kept VALUES ('before')")
    with (
        pytest.raises(StorageUnavailable, match=r"warehouse\.db cannot be used: .*full"),
        warehouse.transaction() as connection,
    ):
        connection.exec_driver_sql("PRAGMA max_page_count = 2")
        connection.exec_driver_sql("INSERT INTO kept VALUES (hex(zeroblob(1000000)))")
    warehouse.dispose()
    with warehouse.reading() as connection:
        assert connection.exec_driver_sql("SELECT payload FROM kept").scalars().all() == ["before"]
    warehouse.dispose()


def test_a_read_only_database_is_told(warehouse: Warehouse) -> None:
    read_only = "PRAGMA query_only = 1" if warehouse.is_sqlite else "SET TRANSACTION READ ONLY"
    with (
        pytest.raises(StorageUnavailable, match=r"read-?only"),
        warehouse.transaction() as connection,
    ):
        connection.exec_driver_sql(read_only)
        add_incident(connection)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write read-only files")
def test_a_read_only_sqlite_file_is_told(settings: Settings) -> None:
    open_warehouse(settings).dispose()
    Path(settings.warehouse.database).chmod(0o444)
    with pytest.raises(StorageUnavailable, match="read-only"):
        open_warehouse(settings)


def test_a_path_below_a_file_is_told(home: Path) -> None:
    (home / "file").write_text("")
    with pytest.raises(StorageUnavailable, match="cannot be opened for writing"):
        open_warehouse(sqlite_settings(home, str(home / "file" / "warehouse.db")))


def test_a_folder_in_place_of_the_file_is_told(home: Path) -> None:
    (home / "warehouse.db").mkdir()
    with pytest.raises(StorageUnavailable, match="unable to open database file"):
        open_warehouse(sqlite_settings(home, str(home / "warehouse.db")))


def test_a_file_that_is_no_database_is_told(home: Path) -> None:
    (home / "warehouse.db").write_text("not a database, but long enough to look at" * 100)
    with pytest.raises(StorageUnavailable, match="not a database"):
        open_warehouse(sqlite_settings(home, str(home / "warehouse.db")))


def test_a_missing_folder_is_made(home: Path) -> None:
    path = home / "deep" / "er" / "warehouse.db"
    open_warehouse(sqlite_settings(home, str(path))).dispose()
    assert path.exists()


def test_an_unreachable_postgres_is_named_without_its_password(home: Path) -> None:
    address = WarehouseAddress("postgresql", "scores", "127.0.0.1", 1, "analyst", "s3cret")
    settings = replace(sqlite_settings(home, ""), warehouse=address)
    with pytest.raises(StorageUnavailable) as caught:
        open_warehouse(settings)
    told = f"{caught.value} {caught.value.__cause__}"
    assert "analyst@127.0.0.1:1/scores" in told
    assert "s3cret" not in told


def test_a_connection_option_postgres_does_not_know_is_told(home: Path) -> None:
    address = WarehouseAddress("postgresql", "scores", "127.0.0.1", options=(("nonsense", "1"),))
    settings = replace(sqlite_settings(home, ""), warehouse=address)
    with pytest.raises(ConfigurationError, match="nonsense"):
        open_warehouse(settings)


def test_a_password_with_special_characters_is_not_mangled(
    postgres_server: WarehouseAddress, home: Path
) -> None:
    address = replace(postgres_server, password="p@ss/w:rd%20?#")
    warehouse = open_warehouse(replace(sqlite_settings(home, ""), warehouse=address))
    assert warehouse.engine.url.password == "p@ss/w:rd%20?#"
    warehouse.dispose()
