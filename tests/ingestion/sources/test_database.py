"""SQL tables and queries become lake rows, on both databases."""

from __future__ import annotations

import json
import logging
import math
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from include import catalog
from include.connections import Connections
from include.declare import Dataset
from include.declare_source import Database, QueryTable, Times
from include.errors import ConfigurationError, DayAbsent, SchemaBreak, SourceUnreachable
from include.ingestion.source import Source
from include.lake.fingerprint import of_table
from include.settings import WarehouseAddress
from tests.conftest import fresh_database
from tests.ingestion.sources.databases import ShopDatabase
from tests.ingestion.sources.shop import CUSTOMERS, ORDERS, STOCK, day, shop

BERLIN = ZoneInfo("Europe/Berlin")
TIMES = Times(day="placed_at", known_at="placed_at")
COLUMNS = "number, price, gift, note, placed_at"


def orders(**more: object) -> Dataset:
    """Return the shop with its orders in a table."""
    declared = QueryTable(**{"times": TIMES, "table": "orders"} | more)  # type: ignore[arg-type]
    return shop(Database("shop", {"orders": declared}, batch_rows=4))


def opened(dataset: Dataset, database: ShopDatabase) -> Source:
    source: Source = catalog.load_source(dataset, database.connections)
    return source


def fill(database: ShopDatabase, stored: str = "timestamptz", more: str = "") -> None:
    """Put three orders on each of eight days, beginning and end of the day among them."""
    gift = "boolean" if database.kind == "postgres" else "integer"
    stamp = database.type(stored)
    database.run(
        f"CREATE TABLE orders (number bigint, price numeric(9, 2), gift {gift}, note varchar(9), "
        f"placed_at {stamp}{more})"
    )
    rows = []
    for n in range(8):
        for i, clock in enumerate(("00:00:00", "12:00:00", "23:59:59")):
            local = datetime.fromisoformat(f"{day(n)} {clock}").replace(tzinfo=BERLIN)
            rows.append((10 * n + i, 9.5, True, "ring", spelt(local, stored)))
    database.run(f"INSERT INTO orders ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", rows)


def spelt(local: datetime, stored: str) -> str:
    if stored == "date":
        return str(local.date())
    if stored == "timestamp":
        return str(local.replace(tzinfo=None))
    return local.astimezone(UTC).isoformat()


def numbers(rows: pa.Table) -> list[tuple[date, int]]:
    return sorted(zip(rows["data_day"].to_pylist(), rows["number"].to_pylist(), strict=True))


@pytest.mark.parametrize("stored", ["timestamptz", "timestamp", "date"])
def test_a_day_is_that_of_the_datasets_zone_however_it_is_stored(
    database: ShopDatabase, stored: str
) -> None:
    fill(database, stored)
    times = replace(TIMES, known_at=None)
    rows = opened(orders(times=times), database).read(ORDERS, [day(4), day(5), day(7)])
    expected = [(day(n), 10 * n + i) for n in (4, 5, 7) for i in range(3)]
    assert numbers(rows) == expected  # clocks go back on day 5
    ends = {datetime(2026, 10, n, h, tzinfo=UTC) for n, h in ((24, 22), (25, 23), (27, 23))}
    assert set(rows["known_at"].to_pylist()) == ends
    assert set(rows["price"].to_pylist()) == {9.5} and set(rows["gift"].to_pylist()) == {True}


def test_wall_times_of_another_zone(database: ShopDatabase) -> None:
    fill(database, "timestamp")
    times = replace(TIMES, timezone="America/New_York")
    rows = opened(orders(times=times), database).read(ORDERS, [day(5)])
    assert numbers(rows) == [(day(5), 42), (day(5), 50), (day(5), 51)]


def test_a_value_that_cannot_be_read_breaks_its_day_and_leaves_others_as_they_were(
    tmp_path: Path,
) -> None:
    database = ShopDatabase("sqlite", tmp_path / "shop.db")
    fill(database)
    days = [day(n) for n in range(8)]

    def marks() -> list[str]:
        source = opened(orders(), database)
        return [source.fingerprint(ORDERS, it) for it in days]

    before = marks()
    database.run("UPDATE orders SET price = 'dear' WHERE number = 41")
    broken = {it for it, old, new in zip(days, before, marks(), strict=True) if old != new}
    assert day(4) in broken <= {day(3), day(4), day(5)}, "rows around a day are read with it"
    source = opened(orders(), database)
    for it in days:
        if it in broken:
            with pytest.raises(SchemaBreak, match="price"):
                source.read(ORDERS, [it])
        else:
            assert len(source.read(ORDERS, [it])) == 3


def test_a_window_is_its_days(database: ShopDatabase) -> None:
    fill(database)
    source = opened(orders(), database)
    days = [day(n) for n in range(9)]
    alone = [source.read(ORDERS, [it]) for it in days]
    assert of_table(source.read(ORDERS, days)) == of_table(pa.concat_tables(alone))
    assert len(alone[8]) == 0


@pytest.mark.parametrize("version", [None, "changed_at"])
def test_late_and_restated_rows_change_the_fingerprint_of_their_day_alone(
    database: ShopDatabase, version: str | None
) -> None:
    fill(database, more=f", changed_at {database.type('timestamptz')}")
    database.run("UPDATE orders SET changed_at = '2026-11-01T08:00:00+00:00'")

    def marks() -> list[str]:
        source = opened(orders(version=version), database)
        return [source.fingerprint(ORDERS, day(n)) for n in range(9)]

    before = marks()
    assert marks() == before and len(set(before)) >= 2
    database.run(
        "UPDATE orders SET price = 8, changed_at = '2026-11-02T08:00:00+00:00' WHERE number = 30"
    )
    restated = marks()
    assert [n for n in range(9) if restated[n] != before[n]] == [3]
    database.run(
        f"INSERT INTO orders ({COLUMNS}) VALUES (?, ?, ?, ?, ?)",
        [(99, 1, True, None, "2026-10-22T08:00:00+00:00")],
    )
    late = marks()
    assert [n for n in range(9) if late[n] != restated[n]] == [2]
    database.run("DELETE FROM orders WHERE number = 61")
    assert [n for n in range(9) if marks()[n] != late[n]] == [6]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The folder of the shop's SQL files."""
    monkeypatch.setattr("include.declare.INCLUDE", tmp_path)
    made = tmp_path / "datasets" / "shop"
    made.mkdir(parents=True)
    yield made


def test_a_query_is_read_as_a_table_is(database: ShopDatabase, folder: Path) -> None:
    fill(database, more=", state varchar(9)")
    (folder / "orders.sql").write_text(
        "SELECT number, price, gift, 'at 8:00 :x 5%' AS note, placed_at  -- all of them\n"
        "FROM orders WHERE state IS NULL;  -- and no more\n"
    )
    dataset = orders(table=None, query="orders.sql")
    source = opened(dataset, database)
    rows = source.read(ORDERS, [day(1)])
    assert numbers(rows) == [(day(1), 10), (day(1), 11), (day(1), 12)]
    assert set(rows["note"].to_pylist()) == {"at 8:00 :x 5%"}
    before = source.fingerprint(ORDERS, day(1))
    (folder / "orders.sql").write_text("SELECT * FROM orders")
    assert opened(dataset, database).fingerprint(ORDERS, day(1)) != before


def test_a_day_is_ready_when_a_query_says_so(database: ShopDatabase, folder: Path) -> None:
    fill(database)
    database.run(f"CREATE TABLE loads (loaded {database.type('date')})")
    (folder / "ready.sql").write_text("SELECT count(*) > 0 FROM loads WHERE loaded = :day")
    source = opened(orders(ready="ready.sql"), database)
    with pytest.raises(DayAbsent, match=r"ready\.sql says it is not ready"):
        source.fingerprint(ORDERS, day(1))
    database.run("INSERT INTO loads VALUES (?)", [(str(day(1)),)])
    assert source.fingerprint(ORDERS, day(1))


def test_a_snapshot_is_the_whole_table(database: ShopDatabase) -> None:
    database.run('CREATE TABLE "Stock" (item varchar(9), count integer)')
    database.run('INSERT INTO "Stock" VALUES (?, ?)', [("tea", 3), ("salt", None)])
    dataset = shop(Database("shop", {"stock": QueryTable(Times(), table="Stock")}), STOCK)
    source = opened(dataset, database)
    rows = source.read(STOCK, [day(3)])
    assert sorted(rows["item"].to_pylist()) == ["salt", "tea"]
    assert "data_day" not in rows.column_names
    before = source.fingerprint(STOCK, day(3))
    assert opened(dataset, database).fingerprint(STOCK, day(4)) == before
    database.run('UPDATE "Stock" SET count = 4')
    assert opened(dataset, database).fingerprint(STOCK, day(3)) != before


def test_a_change_belongs_to_the_day_it_was_made(database: ShopDatabase) -> None:
    stamp = database.type("timestamptz")
    database.run(f"CREATE TABLE customers (customer bigint, city text, updated_at {stamp})")
    rows = [(1, "Ulm", "2026-10-20T20:00:00+00:00"), (2, "Bonn", "2026-10-20T23:30:00+00:00")]
    database.run("INSERT INTO customers VALUES (?, ?, ?)", rows)
    dataset = shop(
        Database("shop", {"customers": QueryTable(Times(), table="customers")}), CUSTOMERS
    )
    found = opened(dataset, database).read(CUSTOMERS, [day(0), day(1)])
    assert sorted(zip(found["data_day"].to_pylist(), found["city"].to_pylist(), strict=True)) == [
        (day(0), "Ulm"),
        (day(1), "Bonn"),
    ]
    assert found["known_at"] == found["updated_at"]


def test_columns_not_declared_are_named_and_not_read(database: ShopDatabase) -> None:
    fill(database, more=", secret text")
    schema = "public" if database.kind == "postgres" else "main"
    rows = opened(orders(table=f"{schema}.orders"), database).read(ORDERS, [day(0)])
    assert rows["secret"].null_count == len(rows) == 3


def test_a_decimal_that_is_no_number_is_one_of_the_floats(database: ShopDatabase) -> None:
    fill(database)
    if database.kind == "postgres":
        database.run("UPDATE orders SET price = 'NaN' WHERE number = 1")
    rows = opened(orders(), database).read(ORDERS, [day(0)])
    prices = rows.sort_by("number")["price"].to_pylist()
    assert prices[0] == prices[2] == 9.5
    assert math.isnan(prices[1]) == (database.kind == "postgres")


def test_rows_without_a_day_are_told(
    database: ShopDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    fill(database)
    database.run(f"INSERT INTO orders ({COLUMNS}) VALUES (?, ?, ?, ?, ?)", [(1, 1, True, "", None)])
    with caplog.at_level(logging.WARNING):
        opened(orders(), database).fingerprint(ORDERS, day(0))
    assert "1 rows have no placed_at" in caplog.text


@pytest.mark.parametrize(
    ("change", "more", "error", "words"),
    [
        (None, {"table": "sales"}, ConfigurationError, "sales"),
        (None, {"table": None}, ConfigurationError, "either a table or a query"),
        (None, {"times": Times()}, ConfigurationError, r"times\.day"),
        (None, {"times": Times(day="sold_at")}, SchemaBreak, "sold_at is missing"),
        ("ALTER TABLE orders RENAME price TO prize", {}, SchemaBreak, "price is missing"),
        (None, {"times": Times(day="number")}, SchemaBreak, "24 rows have a number"),
    ],
)
def test_what_trying_again_will_not_mend(
    database: ShopDatabase,
    change: str | None,
    more: dict[str, object],
    error: type[Exception],
    words: str,
) -> None:
    fill(database)
    if change:
        database.run(change)
    if database.kind == "postgres" and more.get("times") == Times(day="number"):
        error, words = ConfigurationError, "bigint"
    with pytest.raises(error, match=words):
        opened(orders(**more), database).read(ORDERS, [day(0)])


def test_values_of_another_kind_are_a_break_that_shows_none(database: ShopDatabase) -> None:
    fill(database)
    if database.kind == "postgres":
        database.run("ALTER TABLE orders ALTER price TYPE text USING 'SECRET'")
    else:
        database.run("UPDATE orders SET price = 'SECRET'")
    with pytest.raises(SchemaBreak, match="text in price that is not a number") as broken:
        opened(orders(), database).read(ORDERS, [day(0)])
    assert "SECRET" not in str(broken.value)


def connection(text: str) -> Connections:
    return Connections.from_env({"AIRFLOW_CONN_SHOP": text})


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("postgres://ann:SECRET@127.0.0.1:9/shop", SourceUnreachable, "tries again"),
        ("mysql://ann:SECRET@db/shop", ConfigurationError, "of type 'mysql'"),
        ("sqlite:////nowhere/shop.db", ConfigurationError, "/nowhere/shop.db"),
        ('{"conn_type": "postgres", "password": "SECRET"', ConfigurationError, "not valid JSON"),
        (
            "postgres://ann:SECRET@127.0.0.1:9/shop?colour=red",
            ConfigurationError,
            "colour",
        ),
    ],
)
def test_a_connection_that_does_not_work_keeps_its_password(
    text: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as failed:
        catalog.load_source(orders(), connection(text)).fingerprint(ORDERS, day(0))
    assert "SECRET" not in f"{failed.value!r}{failed.value.__cause__!r}"


@pytest.mark.parametrize(
    ("login", "schema", "error", "words"),
    [
        ("postgres", "nothing", ConfigurationError, "does not exist"),
        ("nobody", "postgres", ConfigurationError, 'role "nobody" does not exist'),
        ("weak", None, ConfigurationError, "permission denied"),
    ],
)
def test_what_postgres_refuses_is_not_tried_again(
    postgres_server: WarehouseAddress,
    login: str,
    schema: str | None,
    error: type[Exception],
    words: str,
) -> None:
    for address in fresh_database(postgres_server, "template1"):
        database = ShopDatabase("postgres", address)
        fill(database)
        database.run("DO $$ BEGIN CREATE ROLE weak LOGIN; EXCEPTION WHEN OTHERS THEN END $$")
        fields = {"conn_type": "postgres", "host": address.host, "login": login}
        text = json.dumps(fields | {"schema": schema or address.database})
        with pytest.raises(error, match=words):
            catalog.load_source(orders(), connection(text)).fingerprint(ORDERS, day(0))


def test_a_connection_nobody_knows_says_where_to_write_it() -> None:
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_SHOP"):
        catalog.load_source(orders(), Connections())


def test_a_file_that_is_no_database_is_a_break(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(SchemaBreak, match="sent again"):
        catalog.load_source(orders(), connection(f"sqlite:///{file}")).read(ORDERS, [day(0)])


def test_a_busy_database_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.ingestion.sources.engines.BUSY_SECONDS", 0.1)
    database = ShopDatabase("sqlite", tmp_path / "shop.db")
    fill(database)
    other = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(SourceUnreachable, match="locked"):
            opened(orders(), database).read(ORDERS, [day(0)])
    finally:
        other.close()
