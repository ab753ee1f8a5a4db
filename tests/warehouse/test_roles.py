"""Roles on Postgres: statement by statement what a reader and a writer can and cannot do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from include.settings import WarehouseAddress
from include.warehouse import roles, tables
from include.warehouse.engine import Warehouse, open_warehouse
from include.warehouse.locks import lock
from include.warehouse.replace import replace_days
from include.warehouse.roles import READER, WRITER
from include.warehouse.stages import RunContext, stage_run
from include.warehouse.use_cases import apply, use_case_tables
from include.window import Window
from tests.conftest import TEMPLATE, administer, fresh_database, postgres_settings
from tests.warehouse.conftest import USE_CASE
from tests.warehouse.scores import frame, put

DAY = date(2013, 2, 12)
NOW = datetime(2013, 2, 13, 6, tzinfo=UTC)

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def address(postgres_server: WarehouseAddress) -> Iterator[WarehouseAddress]:
    """A database with all tables and roles."""
    for address in fresh_database(postgres_server, TEMPLATE):
        with opened(address) as warehouse:
            apply(warehouse, USE_CASE)
            roles.apply(warehouse, [USE_CASE])
        yield address


@contextmanager
def opened(address: WarehouseAddress) -> Iterator[Warehouse]:
    warehouse = open_warehouse(postgres_settings(Path("/nowhere"), address))
    try:
        yield warehouse
    finally:
        warehouse.dispose()


def login(address: WarehouseAddress, *granted: str, may: str = "") -> WarehouseAddress:
    """Make a login with roles; returns the address to connect with as it."""
    name = f"login_{uuid4().hex}"
    administer(address, f"CREATE ROLE {name} LOGIN {may}")
    for role in granted:
        administer(address, f"GRANT {role} TO {name}")
    return replace(address, user=name)


def allowed(address: WarehouseAddress, statement: str) -> bool:
    """Run one statement and take it back; returns whether it was permitted."""
    with psycopg.connect(
        host=address.host, user=address.user, dbname=address.database
    ) as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.errors.InsufficientPrivilege:
            return False
        finally:
            connection.rollback()
    return True


def everything() -> list[str]:
    return [*tables.metadata.tables, *(it.name for it in use_case_tables(USE_CASE).all)]


READ = [
    *("late_order_scores", "late_order_scores_revisions", "late_order_outcomes"),
    *("late_order_scores_latest", "late_order_scores_outcomes", "late_order_scores_history"),
    *("readiness", "restatements", "score_runs", "score_holds", "stage_days"),
    *("model_ledger", "model_performance", "drift_metrics", "validation_results"),
    *("data_quality", "drift_verdicts"),
]
CLOSED = [
    *("quarantine", "quarantine_decisions", "forgotten_subjects", "late_order_shadow_scores"),
    *("stage_runs", "incidents", "acknowledgements", "incident_deliveries"),
    "nightshift_version",
]


def test_a_reader_reads_what_is_published_and_nothing_else(address: WarehouseAddress) -> None:
    reader = login(address, READER)
    for name in READ:
        assert allowed(reader, f"SELECT * FROM {name}"), name
    for name in CLOSED:
        assert not allowed(reader, f"SELECT 1 FROM {name}"), name
    assert {*everything()} <= {*READ, *CLOSED}


def test_a_reader_changes_nothing(address: WarehouseAddress) -> None:
    reader = login(address, READER)
    for name in everything():
        assert not allowed(reader, f"DELETE FROM {name}"), name
        assert not allowed(reader, f"TRUNCATE {name}"), name
        assert not allowed(reader, f"DROP TABLE {name}"), name
        assert not allowed(reader, f"INSERT INTO {name} DEFAULT VALUES"), name
    for statement in (
        "UPDATE late_order_scores SET prediction = 0",
        "UPDATE readiness SET state = 'ready'",
        "CREATE TABLE mine (a integer)",
        "CREATE TEMPORARY TABLE mine (a integer)",
        "CREATE VIEW mine AS SELECT 1 AS a",
        "CREATE SCHEMA mine",
        "SELECT nextval('quarantine_entry_seq')",
        "COPY quarantine TO STDOUT",
    ):
        assert not allowed(reader, statement), statement


def test_a_writer_writes_rows_and_changes_no_table(address: WarehouseAddress) -> None:
    writer = login(address, WRITER)
    for name in everything():
        assert allowed(writer, f"SELECT * FROM {name}"), name
        for statement in (
            f"DROP TABLE {name}",
            f"TRUNCATE {name}",
            f"ALTER TABLE {name} ADD COLUMN mine integer",
            f"CREATE INDEX mine ON {name} (({name}::text))",
        ):
            assert not allowed(writer, statement), statement
        kept = name in roles.APPEND_ONLY
        assert allowed(writer, f"DELETE FROM {name}") is not kept, name
    for statement in (
        "UPDATE model_ledger SET reason = 'mine'",
        "UPDATE quarantine_decisions SET actor = 'mine'",
        "UPDATE forgotten_subjects SET reason = 'mine'",
        "CREATE TABLE mine (a integer)",
        "CREATE ROLE mine",
        "DROP VIEW late_order_scores_latest",
        "UPDATE nightshift_version SET version_num = 'mine'",
    ):
        assert not allowed(writer, statement), statement
    assert allowed(writer, "UPDATE late_order_scores SET prediction = 0")
    assert allowed(writer, "SELECT nextval('model_ledger_entry_seq')")


def test_a_login_without_a_role_sees_nothing(address: WarehouseAddress) -> None:
    stranger = login(address)
    for name in [*READ, *CLOSED]:
        assert not allowed(stranger, f"SELECT 1 FROM {name}"), name
    assert not allowed(stranger, "CREATE TEMPORARY TABLE mine (a integer)")


def test_a_writer_works_through_a_stage(address: WarehouseAddress) -> None:
    row = {"use_case": "late_order", "target_date": DAY, "state": "ready", "ready_at": NOW}
    with opened(login(address, WRITER)) as warehouse:
        context = RunContext(now=NOW, code_revision="test")
        with stage_run(warehouse, "score", "late_order", Window.night(DAY), context) as run:
            run.begin([DAY])
            with run.commit() as commit:
                replace_days(commit.connection, tables.readiness, "target_date", [DAY], [row])
                commit.done(DAY, "in", "out")
        assert run.result.done == (DAY,)
    with opened(login(address, READER)) as warehouse, warehouse.reading() as connection:
        assert connection.scalar(sa.select(tables.readiness.c.state)) == "ready"


def test_a_writer_stages_and_publishes_scores(address: WarehouseAddress) -> None:
    tables = use_case_tables(USE_CASE)
    with opened(login(address, WRITER)) as warehouse:
        put(warehouse, tables, frame({}))
        put(warehouse, tables, frame({}).assign(prediction=0.125))  # the first go to revisions
    reader = login(address, READER)
    with opened(reader) as warehouse, warehouse.reading() as connection:
        for table in (tables.scores, tables.revisions):
            assert connection.scalar(sa.select(sa.func.count()).select_from(table)) > 0
    assert not allowed(reader, "CREATE TABLE nightshift_staging.mine (a integer)")


def test_tables_made_since_are_closed_until_the_next_init(address: WarehouseAddress) -> None:
    other = replace(USE_CASE, name="lost_order")
    reader = login(address, READER)
    with opened(address) as warehouse:
        apply(warehouse, other)
        assert not allowed(reader, "SELECT 1 FROM lost_order_scores")
        assert roles.apply(warehouse, [USE_CASE, other]) == []
    assert allowed(reader, "SELECT 1 FROM lost_order_scores_latest")
    assert not allowed(reader, "SELECT 1 FROM lost_order_shadow_scores")


def test_rights_given_by_hand_are_taken_back(address: WarehouseAddress) -> None:
    reader = login(address, READER)
    administer(address, f"GRANT SELECT ON quarantine TO PUBLIC, {READER}")
    assert allowed(reader, "SELECT 1 FROM quarantine")
    with opened(address) as warehouse:
        roles.apply(warehouse, [USE_CASE])
    assert not allowed(reader, "SELECT 1 FROM quarantine")


def test_two_databases_of_one_server_say_it_at_once(postgres_server: WarehouseAddress) -> None:
    def prepare(_number: int) -> bool:
        for address in fresh_database(postgres_server, TEMPLATE):
            with opened(address) as warehouse:
                roles.apply(warehouse, [])
            return allowed(login(address, READER), "SELECT 1 FROM readiness")
        raise AssertionError

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(prepare, range(4)))


def test_who_may_not_create_roles_is_told_what_to_ask_for(
    postgres_server: WarehouseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"role_{uuid4().hex[:8]}"
    monkeypatch.setattr(roles, "READER", name)
    for address in fresh_database(postgres_server, "template1"):
        modest = login(address)
        with opened(modest) as warehouse:
            (told,) = roles.apply(warehouse, [])
    assert f"CREATE ROLE {name} NOLOGIN" in told and "./nightshift init" in told


@pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)
def test_sqlite_has_no_roles(warehouse: Warehouse) -> None:
    with lock(warehouse, "init", "roles"):  # it does not even ask
        assert roles.apply(warehouse, []) == []
