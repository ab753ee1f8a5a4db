"""Tables of changes: a version is key and `updated_at`, and one that has landed is not lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from include.declare import Dataset, FeatureView, Rule, Table
from include.declare_source import Database, QueryTable, Times
from include.errors import ConfigurationError
from include.features.build import build_features, features_as_known
from include.ingestion import proposals, quarantine
from include.ingestion.held import Choice
from include.ingestion.landing import ingest
from include.ingestion.proposals import Desk
from include.warehouse import tables
from include.warehouse.commit import StageResult
from include.window import Window
from include.workspace import Workspace
from tests.ingestion.sources.databases import ShopDatabase
from tests.ingestion.sources.guide import blocks
from tests.ingestion.sources.shop import CUSTOMERS, NOW, day, shop

on_sqlite = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)

CITY_KNOWN = Rule(
    "city_known",
    "expect_column_values_to_not_match_regex",
    {"column": "city", "regex": r"^\?"},
    on_failure="quarantine",
    max_share=1.0,
)
(STATE,) = blocks("sources.md", "sql")

Make = Callable[..., Dataset]


@pytest.fixture
def database(tmp_path: Path) -> ShopDatabase:
    """A shop that overwrites the rows of its customers."""
    made = ShopDatabase("sqlite", tmp_path / "shop.db")
    made.run("CREATE TABLE customers (customer integer PRIMARY KEY, city text, updated_at text)")
    return made


@pytest.fixture
def customers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database: ShopDatabase) -> Make:
    monkeypatch.setattr("include.declare.INCLUDE", tmp_path / "include")
    folder = tmp_path / "include" / "datasets" / "shop" / "features"
    folder.mkdir(parents=True)
    (folder / "city.sql").write_text(STATE)

    def make(times: Times = Times(), **more: Any) -> Dataset:  # noqa: B008
        table = replace(CUSTOMERS, rules=(CITY_KNOWN,), **more)
        source = Database("shop", {"customers": QueryTable(times, table="customers")})
        return replace(shop(source, table), feature_views=(FeatureView("city", ("customer",), 7),))

    return make


@pytest.fixture
def place(workspace: Workspace, database: ShopDatabase) -> Workspace:
    """A workspace that knows the shop's database."""
    settings = replace(workspace.settings, connections=database.connections)
    return replace(workspace, settings=settings, context=replace(workspace.context, now=NOW))


def put(database: ShopDatabase, *rows: tuple[int, str | None, str]) -> None:
    """Let customers live somewhere from a local time on, and forget where they lived before."""
    stored = [(n, city, f"{day(int(at[0]))} {at[2:]}:00") for n, city, at in rows]
    database.run("REPLACE INTO customers VALUES (?, ?, ?)", stored)


def night(place: Workspace, dataset: Dataset, number: int) -> StageResult:
    """Land and build a day as its night does."""
    window, heal = Window.night(day(number)), 35
    landed = ingest(place, dataset, window, heal_days=heal)
    build_features(place, dataset, window, heal_days=heal)
    return landed


def cities(place: Workspace) -> list[tuple[date, int, str]]:
    rows = place.lake.read("shop/customers")
    return sorted(
        zip(*(rows[it].to_pylist() for it in ("data_day", "customer", "city")), strict=True)
    )


def state(place: Workspace, number: int) -> dict[int, str]:
    rows = place.lake.read("shop/features/city", [day(number)])
    return dict(zip(rows["customer"].to_pylist(), rows["city"].to_pylist(), strict=True))


def test_what_the_source_overwrites_stays_in_the_lake(
    place: Workspace, database: ShopDatabase, customers: Make
) -> None:
    dataset = customers()
    put(database, (1, "Ulm", "0 08:00"), (2, "Bonn", "0 09:00"))
    night(place, dataset, 0)
    put(database, (1, "Kiel", "1 10:00"))
    again = night(place, dataset, 1)
    assert again.done == (day(0), day(1))  # the source has one row less of the first day
    assert again.rows_in == again.rows_out == 3
    assert cities(place) == [(day(0), 1, "Ulm"), (day(0), 2, "Bonn"), (day(1), 1, "Kiel")]
    assert state(place, 0) == {1: "Ulm", 2: "Bonn"}
    assert state(place, 1) == {1: "Kiel", 2: "Bonn"}
    with place.warehouse.reading() as connection:
        runs = connection.execute(sa.select(tables.stage_runs)).mappings().all()
    built = [it for it in runs if it["stage"] == "features"]
    assert built[-1]["rows_in"] == 1, "the first day was built again though nothing changed"
    assert not night(place, dataset, 1).changed


@on_sqlite
def test_state_is_that_of_the_cut_off_whatever_became_known_later(
    place: Workspace, database: ShopDatabase, customers: Make
) -> None:
    dataset = customers(Times(known_after=timedelta(hours=3)))
    put(database, (1, "Ulm", "0 08:00"), (2, "Bonn", "0 22:00"))
    night(place, dataset, 0)
    put(database, (1, None, "1 10:00"), (2, "Kiel", "1 23:00"))
    night(place, dataset, 1)
    put(database, (1, "Jena", "2 00:00"))  # at the very cut-off
    night(place, dataset, 2)
    assert [state(place, n) for n in range(3)] == [
        {1: "Ulm"},
        {1: None, 2: "Bonn"},
        {1: "Jena", 2: "Kiel"},
    ]
    for n in range(3):
        known = features_as_known(place, dataset, dataset.feature_views, day(n))["city"]
        stored = place.lake.read("shop/features/city", [day(n)])
        assert _plain(known) == _plain(stored)


def _plain(rows: pa.Table) -> list[dict[Any, Any]]:
    return rows.select(["data_day", "customer", "city"]).to_pandas().to_dict("records")


@on_sqlite
def test_a_window_over_a_source_that_keeps_its_versions_is_its_nights(
    place: Workspace, database: ShopDatabase, customers: Make, tmp_path: Path
) -> None:
    database.run("DROP TABLE customers")
    database.run("CREATE TABLE customers (customer integer, city text, updated_at text)")
    rows = [(n % 3, f"town {n}", f"{n // 3} {8 + n}:00") for n in range(9)]
    database.run(
        "INSERT INTO customers VALUES (?, ?, ?)",
        [(n, city, f"{day(int(at[0]))} {at[2:]:0>5}:00") for n, city, at in rows],
    )
    dataset = customers()
    for n in range(3):
        night(place, dataset, n)
    nights = cities(place), [state(place, n) for n in range(3)]
    window = Window(day(0), day(2))
    other = replace(place, lake=replace(place.lake, root=str(tmp_path / "other")))
    with place.warehouse.transaction() as connection:
        connection.execute(sa.delete(tables.stage_days))
    ingest(other, dataset, window)
    build_features(other, dataset, window)
    assert (cities(other), [state(other, n) for n in range(3)]) == nights
    assert len(cities(other)) == 9


@on_sqlite
def test_the_lake_can_be_made_as_the_source_is(
    place: Workspace, database: ShopDatabase, customers: Make
) -> None:
    put(database, (1, "Ulm", "0 08:00"))
    night(place, customers(), 0)
    put(database, (1, "Kiel", "1 10:00"))
    night(place, customers(keeps_versions=False), 1)
    assert cities(place) == [(day(1), 1, "Kiel")]


@on_sqlite
def test_a_version_that_comes_twice_is_held_and_two_versions_are_not(
    place: Workspace, database: ShopDatabase, customers: Make
) -> None:
    database.run("DROP TABLE customers")
    database.run("CREATE TABLE customers (customer integer, city text, updated_at text)")
    stamps = ["08:00:00", "09:00:00", "09:00:00"]
    database.run(
        "INSERT INTO customers VALUES (1, ?, ?)",
        [(f"town {n}", f"{day(0)} {at}") for n, at in enumerate(stamps)],
    )
    dataset = customers()
    lenient = Rule(
        "key_unique",
        "expect_compound_columns_to_be_unique",
        {"column_list": ["customer", "updated_at", "data_day"]},
        on_failure="quarantine",
        max_share=1.0,
    )
    table = replace(dataset.tables[0], rules=(lenient,))
    result = ingest(
        place, replace(dataset, tables=(table,), feature_views=()), Window.night(day(0))
    )
    assert (result.rows_out, result.rows_held) == (1, 2)


@on_sqlite
def test_a_held_version_can_be_released_after_its_source_forgot_it(
    place: Workspace, database: ShopDatabase, customers: Make
) -> None:
    dataset = customers()
    put(database, (1, "? Ulm", "0 08:00"), (2, "Bonn", "0 09:00"))
    night(place, dataset, 0)
    put(database, (1, "Kiel", "1 10:00"))
    night(place, dataset, 1)
    (held,) = quarantine.listed(place.warehouse, "shop", decided=False)
    assert held["payload"]["city"] == "? Ulm"
    desk = Desk(place, dataset, "ada", "it is called so", ())
    proposals.record(place, proposals.release(desk, Choice(row_hashes=(held["row_hash"],))))
    night(place, dataset, 1)
    assert (day(0), 1, "? Ulm") in cities(place)
    assert not quarantine.listed(place.warehouse, "shop", decided=False)
    put(database, (2, "Jena", "2 10:00"))
    night(place, dataset, 2)
    assert [it for it in cities(place) if it[0] == day(0)] == [
        (day(0), 1, "? Ulm"),
        (day(0), 2, "Bonn"),
    ]


@on_sqlite
def test_a_version_whose_key_was_corrected_lands_once(
    place: Workspace, database: ShopDatabase, customers: Make
) -> None:
    dataset = customers()
    put(database, (1, "? Ulm", "0 08:00"))
    night(place, dataset, 0)
    (held,) = quarantine.listed(place.warehouse, "shop", decided=False)
    desk = Desk(place, dataset, "ada", "a typing error", ())
    choice, values = Choice(row_hashes=(held["row_hash"],)), {"customer": "7", "city": "Ulm"}
    proposals.record(place, proposals.correct(desk, choice, values))
    night(place, dataset, 0)
    put(database, (2, "Bonn", "0 09:00"), (3, "Kiel", "0 10:00"))
    night(place, dataset, 0)
    put(database, (1, "Jena", "1 08:00"))
    night(place, dataset, 1)
    assert cities(place) == [
        (day(0), 2, "Bonn"),
        (day(0), 3, "Kiel"),
        (day(0), 7, "Ulm"),
        (day(1), 1, "Jena"),
    ]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"updated_at": None}, "belongs to a table of changes"),
        ({"updated_at": "city"}, "none of its timestamp columns"),
        ({"kind": "events"}, "belongs to a table of changes"),
    ],
)
def test_a_declaration_of_changes_says_when_they_were_made(
    more: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        replace(CUSTOMERS, **more)


def test_a_version_is_key_and_time() -> None:
    assert CUSTOMERS.identity == ("customer", "updated_at")
    assert Table("plain", "snapshot", "", ("item",), ()).identity == ("item",)
