"""The commands under "Other sources" of `docs/adding-a-dataset.md`, on sources as they name.

They are run to the letter, but for the contract tests, which the walk through the guide runs.
"""

from __future__ import annotations

import gzip
import shlex
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import psycopg
import pyarrow.fs as fs
import pytest
from typer.testing import CliRunner

from include import catalog
from include.commands.app import app
from include.connections import Connections
from include.declare import Dataset
from include.declare_source import Database, Files
from include.scaffold import writing
from include.settings import WarehouseAddress
from tests.conftest import fresh_database
from tests.docs.pages import blocks, read
from tests.object_store import LOGIN
from tests.scaffold.shelves import Made, declared

SECTION = read("adding-a-dataset.md").partition("## Other sources\n")[2]
OBJECTS, FOLDER, DATABASE = (shlex.split(it.replace("\\\n", "")) for it in blocks(SECTION, ""))
FIRST = date(2026, 3, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(3)]


def orders(day: date) -> pd.DataFrame:
    """Return the orders of a day; they are paid on the next."""
    at = [datetime(day.year, day.month, day.day, 9 + place) for place in range(4)]
    return pd.DataFrame(
        {
            "order_id": [f"{day:%m%d}-{place}" for place in range(4)],
            "customer": [f"C{place}" for place in range(4)],
            "ordered_at": at,
            "paid_at": [it + timedelta(days=1) for it in at],
        }
    )


def made(command: list[str], folder: Path, patched: pytest.MonkeyPatch) -> Dataset:
    """Run a command that writes below a folder; returns the dataset that it declares."""
    name, *arguments = command
    assert name == "./nightshift"
    write = writing.write

    def write_there(files: Mapping[Path, str]) -> None:
        paths.extend(files)
        write(files, folder)

    paths: list[Path] = []
    patched.setattr(writing, "write", write_there)
    done = CliRunner().invoke(app, [*arguments, "--no-check"])
    assert done.exit_code == 0, done.exception or done.output
    return declared(Made(folder, {}, tuple(paths), {}))


def rows(dataset: Dataset, environment: dict[str, str], day: date) -> dict[str, int]:
    """Return table → how many rows its source has of a day."""
    source = catalog.load_source(dataset, Connections.from_env(environment))
    return {it.name: len(source.read(it, [day])) for it in dataset.tables}


def test_files_of_a_day_in_an_object_store(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**LOGIN, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    store = fs.S3FileSystem(
        access_key=LOGIN["AWS_ACCESS_KEY_ID"],
        secret_key=LOGIN["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=endpoint,
        allow_bucket_creation=True,
    )
    store.create_dir("shop")
    for day in DAYS:
        with store.open_output_stream(f"shop/orders/{day:%Y/%m/%d}/part.csv.gz", None) as file:
            file.write(gzip.compress(orders(day).to_csv(index=False).encode()))
    dataset = made(OBJECTS, tmp_path, monkeypatch)
    assert isinstance(dataset.source, Files) and dataset.first_day == FIRST
    assert dataset.source.tables["orders"].times.known_at == "paid_at"
    assert rows(dataset, {}, DAYS[1]) == {"orders": 4}


def test_several_tables_in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("include.ingestion.sources.places.REPOSITORY", tmp_path)
    for day in DAYS:
        (tmp_path / "data" / str(day)).mkdir(parents=True)
        orders(day).to_parquet(tmp_path / "data" / str(day) / "orders.parquet")
    stores = pd.DataFrame({"store": ["A", "B"], "city": ["Oslo", "Bergen"]})
    stores.to_csv(tmp_path / "data" / "stores.csv", index=False)
    dataset = made(FOLDER, tmp_path / "repository", monkeypatch)
    kinds = {it.name: (it.kind, it.key) for it in dataset.tables}
    assert kinds == {"orders": ("events", ("order_id",)), "stores": ("snapshot", ("store",))}
    assert rows(dataset, {}, DAYS[1]) == {"orders": 4, "stores": 2}


@pytest.fixture
def shop(postgres_server: WarehouseAddress) -> Iterator[str]:
    """A database with a table of orders, as the URI of a connection."""
    for it in fresh_database(postgres_server, "template1"):
        with psycopg.connect(host=it.host, user=it.user, dbname=it.database) as opened:
            opened.execute(
                "CREATE TABLE public.orders (order_id text, customer text, "
                "ordered_at timestamptz, paid_at timestamptz)"
            )
            for day in DAYS:
                for row in orders(day).itertuples(index=False):
                    opened.execute("INSERT INTO public.orders VALUES (%s, %s, %s, %s)", row)
        yield f"postgres://{it.user}@/{it.database}?host={quote(str(it.host), safe='')}"


def test_a_table_of_a_database(shop: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", shop)
    dataset = made(DATABASE, tmp_path, monkeypatch)
    assert isinstance(dataset.source, Database) and dataset.source.connection == "shop"
    (table,) = dataset.source.tables.values()
    assert (table.table, table.times.day, table.times.known_at) == (
        "public.orders",
        "ordered_at",
        "paid_at",
    )
    assert rows(dataset, {"AIRFLOW_CONN_SHOP": shop}, DAYS[1]) == {"orders": 4}
