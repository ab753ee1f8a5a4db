"""A small shop whose days are written straight into the lake, as if they had landed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time, timedelta

import pyarrow as pa

from include.declare import Column, Dataset, Table
from include.declare_quality import Quality
from include.lake import fingerprint
from include.lake.delta import Lake
from include.warehouse.days import DayState, State, write_days
from include.workspace import Workspace

FIRST = date(2013, 3, 4)  # a Monday; the clocks change on 31 March
ORDERS = Table(
    name="orders",
    kind="events",
    description="Orders of a day.",
    key=("order",),
    columns=(
        Column("order", "int64", "Number of the order", nullable=False),
        Column("price", "float64", "Price"),
        Column("note", "string", "What the customer wrote", personal=True),
    ),
)
SHOP = Dataset(
    name="shop",
    description="A small shop.",
    owner="test",
    timezone="Europe/Berlin",
    first_day=FIRST,
    ready_at=time(1),
    give_up_after=timedelta(hours=6),
    source="tests:none",
    tables=(ORDERS, Table("stock", "snapshot", "What is there.", ("item",), ())),
    feature_views=(),
    quality=Quality(weeks=3, least_weeks=2, least_days=3),
)

Prices = Mapping[int, Sequence[float | None]]
"""Day, counted from the first → the price of each order."""


def day(number: int) -> date:
    """Return a day counted from the first."""
    return FIRST + timedelta(days=number)


def stock(lake: Lake, prices: Prices) -> None:
    """Put days into the lake."""
    rows = [(number, price) for number, all_of_it in prices.items() for price in all_of_it]
    table = pa.table(
        {
            "order": pa.array(range(len(rows)), pa.int64()),
            "price": pa.array([price for _, price in rows], pa.float64()),
            "note": pa.array(["please ring twice"] * len(rows), pa.string()),
            "data_day": pa.array([day(number) for number, _ in rows], pa.date32()),
        }
    )
    lake.replace_days("shop/orders", table, [day(number) for number in prices])


def land(workspace: Workspace, prices: Prices, hours: float = 0.7) -> None:
    """Put days into the lake and say that they landed, some hours after their end."""
    stock(workspace.lake, prices)
    after = timedelta(hours=hours)
    write(
        workspace,
        (
            DayState(
                day(number),
                "done",
                "a run",
                "in",
                fingerprint.of_values(all_of_it),
                SHOP.ends_at(day(number)) + after,
            )
            for number, all_of_it in prices.items()
        ),
    )


def leave_out(workspace: Workspace, number: int, state: State) -> None:
    """Say that a day has stopped or is absent."""
    write(workspace, [DayState(day(number), state, "a run", None, None, SHOP.ends_at(day(number)))])


def write(workspace: Workspace, states: Iterable[DayState]) -> None:
    """Replace rows of the shop's landings."""
    with workspace.warehouse.transaction() as connection:
        write_days(connection, "ingest", SHOP.name, states)
