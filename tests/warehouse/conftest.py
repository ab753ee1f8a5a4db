"""A small use case whose tables the warehouse tests build."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from include.declare import (
    Column,
    Dataset,
    Gate,
    Label,
    Monitoring,
    Scoring,
    Training,
    UseCase,
)
from include.warehouse.engine import Warehouse
from include.warehouse.use_cases import UseCaseTables, apply, use_case_tables

DATASET = Dataset(
    name="shop",
    description="Orders",
    owner="data",
    timezone="America/New_York",
    first_day=date(2013, 1, 1),
    ready_at=time(1),
    give_up_after=timedelta(hours=6),
    source="nowhere:Nothing",
    tables=(),
    feature_views=(),
)
USE_CASE = UseCase(
    name="late_order",
    dataset=DATASET,
    description="Which orders will be late?",
    owner="ml",
    entity_keys=(
        Column("promised_at", "timestamp", "when the order was promised", nullable=False),
        Column("customer", "string", "the customer", nullable=False),
        Column("order_number", "int64", "number of the order", nullable=False),
    ),
    score_columns=(
        Column("shop", "string", "where it was ordered"),
        Column("weight", "float64", "kilograms"),
        Column("gift", "bool", "whether it is a gift"),
        Column("items", "int64", "how many items"),
    ),
    plan_table="orders",
    feature_service="late_order_v1",
    label=Label("late", 2, "1 when it came late"),
    training=Training((), (), {}),
    gate=Gate("auc", 0.5, 0.9),
    scoring=Scoring(),
    monitoring=Monitoring(),
)


def widened(*columns: Column) -> UseCase:
    """Return the use case with more score columns."""
    return replace(USE_CASE, score_columns=(*USE_CASE.score_columns, *columns))


@pytest.fixture
def use_case() -> UseCase:
    """The small use case."""
    return USE_CASE


@pytest.fixture
def tables(warehouse: Warehouse) -> Iterator[UseCaseTables]:
    """Its tables, in the warehouse."""
    apply(warehouse, USE_CASE)
    yield use_case_tables(USE_CASE)
