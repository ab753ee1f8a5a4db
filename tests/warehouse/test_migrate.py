"""Migrations: they give exactly the declared tables, once, and say when they are missing."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata, produce_migrations
from alembic.migration import MigrationContext
from alembic.operations.ops import UpgradeOps

from include.errors import ConfigurationError
from include.settings import Settings
from include.warehouse import migrate, tables
from include.warehouse.engine import Warehouse, open_warehouse

DESIGNED = {
    "stage_days",
    "stage_runs",
    "score_runs",
    "model_ledger",
    "model_performance",
    "drift_metrics",
    "validation_results",
    "quarantine",
    "quarantine_decisions",
    "readiness",
    "score_holds",
    "restatements",
    "data_quality",
    "drift_verdicts",
    "forgotten_subjects",
    "incidents",
    "acknowledgements",
    "incident_deliveries",
}


def test_every_designed_table_is_declared_and_every_column_explained() -> None:
    assert set(tables.metadata.tables) == DESIGNED
    for table in tables.metadata.tables.values():
        assert table.comment and table.primary_key.columns, table.name
        unexplained = [column.name for column in table.columns if not column.comment]
        assert not unexplained, f"{table.name}: {unexplained}"


def test_migrations_give_exactly_the_declared_tables(warehouse: Warehouse) -> None:
    with warehouse.reading() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"compare_type": True, "version_table": migrate.VERSION_TABLE},
        )
        assert compare_metadata(context, tables.metadata) == []


def test_migrations_give_the_declared_checks(warehouse: Warehouse) -> None:
    with warehouse.reading() as connection:
        for table in tables.metadata.tables.values():
            declared = {
                str(check.name): str(check.sqltext)
                for check in table.constraints
                if isinstance(check, sa.CheckConstraint)
            }
            found = {it["name"] for it in sa.inspect(connection).get_check_constraints(table.name)}
            assert found == set(declared), table.name


def test_migrations_give_the_declared_keys(warehouse: Warehouse) -> None:
    with warehouse.reading() as connection:
        for table in tables.metadata.tables.values():
            found = sa.inspect(connection).get_pk_constraint(table.name)
            assert found["constrained_columns"] == list(table.primary_key.columns.keys())
            assert found["name"] in (table.primary_key.name, None), table.name


LINEAGE = {
    "run_id": "r",
    "use_case": "u",
    "model_sha256": "s",
    "feature_service": "f",
    "lake_versions": {"flights": 3},
    "rows_due": 1,
    "rows_scored": 1,
    "rows_changed": 1,
    "content_hash": "c",
    "data_days": ["2013-10-01"],
}


def test_lineage_from_before_stays_and_runs_get_a_row_per_model(
    empty_warehouse: Warehouse,
) -> None:
    """Given rows and an analyst's view on the first tables, when upgraded, all are there."""
    runs = tables.score_runs
    with empty_warehouse.transaction() as connection:
        command.upgrade(migrate.configuration(connection), "0001")
        connection.execute(sa.insert(runs).values(**LINEAGE, model_version="1"))
        connection.exec_driver_sql("CREATE VIEW mine AS SELECT run_id FROM score_runs")
    with pytest.raises(ConfigurationError, match=r"is at version 0001 .*run \./nightshift init"):
        migrate.require_current(empty_warehouse)
    migrate.upgrade(empty_warehouse)
    with empty_warehouse.transaction() as connection:
        (row,) = connection.execute(sa.select(runs)).mappings()
        assert {**LINEAGE, "model_version": "1", "model_policy": None}.items() <= row.items()
        more = {**LINEAGE, "model_version": "2", "model_policy": "champion_asof"}
        connection.execute(sa.insert(runs).values(**more))
        seen = connection.exec_driver_sql("SELECT count(*) FROM mine").scalar_one()
    assert seen == 2

    with (
        pytest.raises(sa.exc.IntegrityError),
        empty_warehouse.transaction() as connection,
    ):
        command.downgrade(migrate.configuration(connection), "0001")
    with empty_warehouse.transaction() as connection:
        connection.execute(sa.delete(runs).where(runs.c.model_version == "2"))
        command.downgrade(migrate.configuration(connection), "0001")
        columns = {it["name"] for it in sa.inspect(connection).get_columns("score_runs")}
    assert columns == set(runs.columns.keys()) - {"model_policy"}


def test_a_change_to_a_table_would_be_noticed(warehouse: Warehouse) -> None:
    with warehouse.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE readiness DROP COLUMN reason")
        context = MigrationContext.configure(
            connection, opts={"version_table": migrate.VERSION_TABLE}
        )
        script = produce_migrations(context, tables.metadata)
    assert isinstance(script.upgrade_ops, UpgradeOps)
    assert not script.upgrade_ops.is_empty()


def test_comments_reach_postgres(warehouse: Warehouse) -> None:
    if warehouse.is_sqlite:
        pytest.skip("SQLite keeps no comments")
    with warehouse.reading() as connection:
        inspector = sa.inspect(connection)
        for name in DESIGNED:
            assert inspector.get_table_comment(name)["text"], name
            assert all(column["comment"] for column in inspector.get_columns(name)), name


def test_upgrading_again_changes_nothing_and_says_nothing(
    warehouse: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        migrate.upgrade(warehouse)
    migrate.require_current(warehouse)
    assert [record for record in caplog.records if record.name.startswith("alembic")] == []


def test_a_warehouse_without_tables_names_the_command(empty_warehouse: Warehouse) -> None:
    with pytest.raises(ConfigurationError, match=r"no tables yet; run \./nightshift init"):
        migrate.require_current(empty_warehouse)


def test_a_newer_warehouse_says_so(warehouse: Warehouse) -> None:
    with warehouse.transaction() as connection:
        connection.execute(sa.text("UPDATE nightshift_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="9999, which this code does not know"):
        migrate.require_current(warehouse)


def test_an_interrupted_upgrade_leaves_nothing(
    empty_warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upgrade_then_die(*_arguments: object) -> None:
        real_upgrade(*_arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    real_upgrade = migrate.command.upgrade
    monkeypatch.setattr(migrate.command, "upgrade", upgrade_then_die)
    with pytest.raises(KeyboardInterrupt):
        migrate.upgrade(empty_warehouse)
    monkeypatch.undo()
    with empty_warehouse.reading() as connection:
        assert sa.inspect(connection).get_table_names() == []
    migrate.upgrade(empty_warehouse)
    migrate.require_current(empty_warehouse)


INIT = """
import sys
from pathlib import Path
from include.settings import Settings, WarehouseAddress
from include.warehouse import migrate
from include.warehouse.engine import open_warehouse
settings = Settings.from_env({"NIGHTSHIFT_HOME": sys.argv[1]}, code_revision="test")
warehouse = open_warehouse(settings)
print("ready", flush=True)
sys.stdin.readline()
migrate.upgrade(warehouse)
migrate.require_current(warehouse)
"""


def test_processes_that_initialise_one_fresh_sqlite_at_once_all_succeed(home: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", INIT, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors


def test_two_upgrades_of_one_database_at_once_both_succeed(empty_settings: Settings) -> None:
    warehouses = [open_warehouse(empty_settings) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        for outcome in [pool.submit(migrate.upgrade, each) for each in warehouses]:
            outcome.result(timeout=60)
    for each in warehouses:
        migrate.require_current(each)
        each.dispose()
