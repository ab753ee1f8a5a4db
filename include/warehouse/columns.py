"""What the warehouse's columns are made of: types that both databases keep alike."""

from __future__ import annotations

from datetime import UTC as ZONE_UTC
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB


class UTC(sa.TypeDecorator[datetime]):
    """An instant: stored in UTC, always an aware datetime in Python, on SQLite too."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return the instant as the database stores it; raises `ValueError` for a naive one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the warehouse stores instants in UTC")
        instant = value.astimezone(ZONE_UTC)
        return instant.replace(tzinfo=None) if dialect.name == "sqlite" else instant

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Return the instant as an aware datetime in UTC."""
        if value is None:
            return None
        return (
            value.replace(tzinfo=ZONE_UTC) if value.tzinfo is None else value.astimezone(ZONE_UTC)
        )


JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""JSON text on SQLite, `jsonb` on Postgres; None is SQL NULL."""

RowNumber = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""A counted key; SQLite counts only `INTEGER` columns."""


def required(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    """Return a column that always has a value."""
    return sa.Column(name, kind, nullable=False, comment=comment)


def optional(name: str, kind: Any, comment: str) -> sa.Column[Any]:
    """Return a column that may be empty."""
    return sa.Column(name, kind, nullable=True, comment=comment)


def counted(name: str, comment: str) -> sa.Column[Any]:
    """Return a primary key column that the database counts up."""
    return sa.Column(name, RowNumber, primary_key=True, autoincrement=True, comment=comment)


def one_of(column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    """Return the rule that a column has one of some values."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)
