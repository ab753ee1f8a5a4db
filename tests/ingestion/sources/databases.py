"""A shop's database, on Postgres and on SQLite, and connections to it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from include.connections import Connections
from include.settings import WarehouseAddress


@dataclass
class ShopDatabase:
    """A database to fill as somebody else's programs do."""

    kind: str
    place: Path | WarehouseAddress

    @property
    def connections(self) -> Connections:
        """Return connections that know it as `shop`."""
        if isinstance(self.place, Path):
            return Connections.from_env({"AIRFLOW_CONN_SHOP": f"sqlite:///{self.place}"})
        fields = {
            "conn_type": "postgres",
            "host": self.place.host,
            "login": self.place.user,
            "schema": self.place.database,
        }
        return Connections.from_env({"AIRFLOW_CONN_SHOP": json.dumps(fields)})

    def run(self, statement: str, rows: Sequence[Sequence[Any]] | None = None) -> None:
        """Run a statement, once or for every row; `?` stands for a value."""
        connection: Any = self._open()
        if self.kind == "postgres":
            statement = statement.replace("?", "%s")
        try:
            cursor = connection.cursor()
            if rows is None:
                cursor.execute(statement)
            else:
                cursor.executemany(statement, rows)
            connection.commit()
        finally:
            connection.close()

    def type(self, postgres: str) -> str:
        """Return a column type of Postgres, or what SQLite has in its place."""
        return postgres if self.kind == "postgres" else "text"

    def _open(self) -> Any:
        if isinstance(self.place, Path):
            return sqlite3.connect(self.place)
        return psycopg.connect(
            host=self.place.host, user=self.place.user, dbname=self.place.database
        )
