"""A shop whose rows come from files or databases, declared as a data engineer would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from include.declare import Column, Dataset, Table
from include.declare_source import Database, Files, FileTable, Times
from tests.ingestion import shop as small

FIRST = date(2026, 10, 20)  # the clocks in Berlin go back on the 25th
NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
KNOWN_AT = Column("known_at", "timestamp", "When the row became known", nullable=False)
ORDERS = Table(
    name="orders",
    kind="events",
    description="Orders of a day.",
    key=("number",),
    columns=(
        Column("number", "int64", "Number of the order", nullable=False),
        Column("price", "float64", "Price"),
        Column("gift", "bool", "Whether it is a gift"),
        Column("note", "string", "What the customer wrote", personal=True),
        Column("placed_at", "timestamp", "When it was placed", nullable=False),
        KNOWN_AT,
    ),
)
STOCK = Table(
    name="stock",
    kind="snapshot",
    description="What is there.",
    key=("item",),
    columns=(Column("item", "string", "Item"), Column("count", "int64", "How many"), KNOWN_AT),
)
CUSTOMERS = Table(
    name="customers",
    kind="changes",
    description="Every change of a customer.",
    key=("customer",),
    updated_at="updated_at",
    columns=(
        Column("customer", "int64", "Number of the customer", nullable=False),
        Column("city", "string", "Where the customer lives"),
        Column("updated_at", "timestamp", "When the row was changed", nullable=False),
        KNOWN_AT,
    ),
)
SHOP = replace(small.SHOP, first_day=FIRST, tables=(ORDERS,))


def shop(source: Files | Database, *tables: Table) -> Dataset:
    """Return the shop with a source and its tables."""
    return replace(SHOP, source=source, tables=tables or (ORDERS,))


def files(path: Path | str, day: str | None = "placed_at", **more: object) -> Files:
    """Return a source of orders in files."""
    times = Times(day=day, known_at="placed_at")
    return Files({"orders": FileTable(path=str(path), times=times, **more)})  # type: ignore[arg-type]


def day(number: int) -> date:
    """Return a day counted from the first."""
    return FIRST + timedelta(days=number)


def csv(rows: Sequence[Mapping[str, object]], delimiter: str = ",") -> bytes:
    """Return rows as CSV."""
    lines = [delimiter.join(rows[0] if rows else order(0, ""))]
    lines += [delimiter.join("" if it is None else str(it) for it in row.values()) for row in rows]
    return ("\n".join(lines) + "\n").encode()


def order(number: object, at: str, price: object = 9.5) -> dict[str, object]:
    """Return an order as a file has it; `at` is local time."""
    return {"number": number, "price": price, "gift": "true", "note": "ring", "placed_at": at}
