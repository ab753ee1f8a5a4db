"""A table of a real Postgres, looked at before it is declared."""

from __future__ import annotations

from urllib.parse import quote

import psycopg
import pytest

from include.errors import ConfigurationError, UsageError
from include.scaffold.proposals import Wish, propose
from include.scaffold.querying import sample_table
from include.settings import WarehouseAddress

ROWS = """
CREATE SCHEMA scaffold_test
    CREATE TABLE readings (
        id uuid DEFAULT gen_random_uuid(), meter text, at timestamptz, level numeric(8, 2),
        zip text, extra jsonb, "Odd Name" int, ok boolean
    );
INSERT INTO scaffold_test.readings (meter, at, level, zip, ok)
SELECT 'M' || n % 5, '2026-03-01T22:30:00Z'::timestamptz + n * interval '1 hour', n / 7.0, '01234',
    n % 2 = 0
FROM generate_series(1, 200) AS n;
CREATE TABLE scaffold_test.empty (n int)
"""


@pytest.fixture
def connection(postgres_server: WarehouseAddress, monkeypatch: pytest.MonkeyPatch) -> str:
    it = postgres_server
    with psycopg.connect(host=it.host, user=it.user, dbname=it.database, autocommit=True) as opened:
        opened.execute("DROP SCHEMA IF EXISTS scaffold_test CASCADE")
        opened.execute(ROWS.encode())
    address = f"postgres://{it.user}@/{it.database}?host={quote(str(it.host), safe='')}"
    monkeypatch.setenv("AIRFLOW_CONN_METERS", address)
    return "meters"


def test_types_days_and_reach_come_from_the_database(connection: str) -> None:
    sample = sample_table(connection, "scaffold_test.readings", None, "Europe/Berlin")
    assert dict(sample.kinds) == {
        "id": "string",
        "meter": "string",
        "at": "timestamp",
        "level": "float64",
        "zip": "string",
        "extra": "string",
        "ok": "bool",
    }
    assert sample.skipped == ("Odd Name",) and str(sample.first_day) == "2026-03-02"
    table = propose("readings", sample, Wish(), "Europe/Berlin")
    assert (table.kind, table.day, table.key) == ("events", "at", ("id",))
    assert table.entities == (("meter",),) and table.measures == ("level", "ok")


def test_what_is_not_there_is_told(connection: str) -> None:
    with pytest.raises(UsageError, match="columns and no rows"):
        sample_table(connection, "scaffold_test.empty", None, "Europe/Berlin")
    with pytest.raises(ConfigurationError, match=r"scaffold_test\.nothing .*does not exist"):
        sample_table(connection, "scaffold_test.nothing", None, "Europe/Berlin")
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_NOBODY"):
        sample_table("nobody", "readings", None, "Europe/Berlin")
