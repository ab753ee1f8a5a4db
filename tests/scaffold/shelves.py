"""Small sources of every kind, as a person might have them, and the datasets made of them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from importlib import util
from pathlib import Path

import pandas as pd

from include.declare import Dataset
from include.scaffold import dataset as code
from include.scaffold import request, writing
from include.scaffold.proposals import Proposal

FIRST = date(2026, 3, 20)
DAYS = [FIRST + timedelta(days=n) for n in range(30)]
"""Among them the one on which clocks in Berlin go forward."""


def orders(day: date) -> pd.DataFrame:
    """Return a day of orders, of the same customers every day, as text files hold them."""
    number = (day - FIRST).days
    rows = [
        {
            "order_id": 1000 * number + place,
            "customer": f"C{place % 7}",
            "email": f"c{place % 7}@example.org",
            "country": ("DE", "FR", "NL")[(place + number) % 3],
            "Price (EUR)": round(5 + place * 1.25 + number / 8, 2),
            "pieces": 1 + place % 4,
            "gift": "true" if place % 5 == 0 else "false",
            "group": "NA" if place % 6 == 0 else str(place % 2),
            "placed_at": datetime(day.year, day.month, day.day, 6 + place % 12, place, 0),
        }
        for place in range(10 + number % 4)
    ]
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Case:
    """A source and how it is asked for."""

    name: str
    files: tuple[str, ...] = ()
    connection: str | None = None
    query_table: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    entity: tuple[str, ...] = ()
    first_day: str | None = None
    environment: dict[str, str] = field(default_factory=dict)


def cases(folder: Path) -> list[Case]:
    """Write sources below a folder; returns how each is asked for."""
    for day in DAYS:
        rows = orders(day)
        (folder / "plain").mkdir(exist_ok=True)
        rows.to_csv(folder / "plain" / f"{day}.csv", index=False)
        (folder / "odd" / f"{day:%Y}" / f"{day:%m}").mkdir(parents=True, exist_ok=True)
        spelt = rows.assign(customer="Café " + rows["customer"])
        spelt.to_csv(
            folder / "odd" / f"{day:%Y/%m/%d}-eu.csv.gz",
            index=False,
            sep=";",
            decimal=",",
            encoding="cp1252",
        )
        (folder / "lines").mkdir(exist_ok=True)
        rows.assign(placed_at=rows["placed_at"].astype(str)).to_json(
            folder / "lines" / f"{day}.jsonl", orient="records", lines=True
        )
    whole = pd.concat([orders(day).assign(day=day.isoformat()) for day in DAYS])
    typed = whole.assign(gift=whole["gift"] == "true", day=pd.to_datetime(whole["day"]).dt.date)
    typed.to_parquet(folder / "whole.parquet", index=False)
    changes = whole.drop(columns=["order_id", "Price (EUR)"]).rename(
        columns={"placed_at": "updated_at"}
    )
    changes.drop(columns="day").to_csv(folder / "customers.csv", index=False)
    with sqlite3.connect(folder / "shop.db") as database:
        whole.drop(columns="Price (EUR)").to_sql("orders", database, index=False)
    products = [
        {"sku": f"P{n}", "colour": "red" if n % 2 else "blue", "weight": n} for n in range(60)
    ]
    (folder / "products.json").write_text("\n".join(json.dumps(it) for it in products))
    return [
        Case("plain", (f"orders={folder}/plain/{{day}}.csv",)),
        Case("odd", (f"orders={folder}/odd/{{day:%Y/%m/%d}}-*.csv.gz",)),
        Case("lines", (f"orders={folder}/lines/{{day}}.jsonl",)),
        Case("whole", (f"{folder}/whole.parquet",)),
        Case("customers", (f"{folder}/customers.csv",), kind=("changes",)),
        Case(
            "two",
            (f"orders={folder}/plain/{{day}}.csv", f"products={folder}/products.json"),
            kind=("products:snapshot",),
        ),
        Case(
            "queried",
            connection="scaffold_shop",
            query_table=("orders",),
            environment={"AIRFLOW_CONN_SCAFFOLD_SHOP": f"sqlite:///{folder}/shop.db"},
        ),
    ]


def asked(case: Case) -> request.Request:
    """Return what a person asks for with a case."""
    tables = request.named_tables(case.files or case.query_table, None, case.name)
    return request.Request(
        name=case.name,
        files=tables if case.files else {},
        queried={} if case.files else tables,
        connection=case.connection,
        wishes=request.wishes(list(tables), kind=case.kind, entity=case.entity),
        timezone="Europe/Berlin",
        first_day=case.first_day,
    )


@dataclass(frozen=True)
class Made:
    """A dataset that was made, below a folder laid out like the repository."""

    root: Path
    tables: dict[str, Proposal]
    paths: tuple[Path, ...]
    environment: dict[str, str]

    @property
    def declaration(self) -> Path:
        return next(self.root / it for it in self.paths if it.name == "declaration.py")


def make(case: Case, root: Path) -> Made:
    """Write the files of a dataset below a folder."""
    wanted = asked(case)
    samples = request.sample(wanted)
    tables = request.propose_tables(wanted, samples)
    files = code.files(request.plan(wanted, samples, tables))
    writing.write(files, root)
    return Made(root, tables, tuple(files), case.environment)


def declared(made: Made) -> Dataset:
    """Return the dataset that a declaration declares."""
    spec = util.spec_from_file_location(f"scaffolded_{made.root.name}", made.declaration)
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Dataset = module.DATASET
    return found
