"""A file system below Postgres fills up in mid-load: told, nothing visible, healed by space."""

from __future__ import annotations

import os
import random
import string
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from include.errors import StorageUnavailable
from include.settings import Settings, WarehouseAddress
from include.warehouse.engine import open_warehouse
from tests.conftest import TEMPLATE, administer, fresh_database, postgres_settings
from tests.faults.matrix import Fault, meets
from tests.faults.shop import WEEK, context, open_shop, publish, second, see

SIZE, ROOM = 4_000_000, 200_000
"""Bytes of the small file system, and those left free on it."""


def heavy(days: Sequence[date]) -> pd.DataFrame:
    """Return the second edition with 20 kB of noise in each row, which does not compress."""
    rows, noise = second(days), random.Random(7)
    said = ["".join(noise.choices(string.ascii_letters, k=20_000)) for _ in range(len(rows))]
    return rows.assign(reason_1=said)


@pytest.fixture(scope="module")
def small_disk(postgres_server: WarehouseAddress) -> Iterator[Path]:
    """A small file system of its own, known to the server as the tablespace `small`."""
    with tempfile.TemporaryDirectory(prefix="small") as folder:
        os.chmod(folder, 0o755)
        disk = Path(folder) / "disk"
        disk.mkdir()
        options = f"size={SIZE}"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode:
            pytest.skip(f"a file system cannot be mounted here: {mounted.stderr.strip()}")
        try:
            space = disk / "space"
            space.mkdir()
            owner = os.stat(str(postgres_server.host))
            os.chown(space, owner.st_uid, owner.st_gid)
            administer(postgres_server, f"CREATE TABLESPACE small LOCATION '{space}'")
            yield disk
            administer(postgres_server, "DROP TABLESPACE small")
        finally:
            subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def shop(home: Path, postgres_server: WarehouseAddress) -> Iterator[Settings]:
    """The shop in a database of its own."""
    for address in fresh_database(postgres_server, TEMPLATE):
        settings = postgres_settings(home, address)
        open_shop(settings)
        yield settings


@meets(
    Fault(
        "Storage and processes",
        "the disk below Postgres is full",
        "score: one transaction",
        "an error that says so; the scores from before stand",
    )
)
@pytest.mark.parametrize(
    "moved",
    [
        "ALTER DATABASE {} SET default_tablespace = small",
        "ALTER TABLE late_order_scores SET TABLESPACE small",
        "ALTER TABLE late_order_scores_revisions SET TABLESPACE small",
    ],
    ids=["staging", "scores", "revisions"],
)
def test_a_full_disk_below_postgres(small_disk: Path, shop: Settings, moved: str) -> None:
    """The disk has room for the rows of before and not for those of after."""
    warehouse = open_warehouse(shop)
    if "revisions" in moved:  # what is superseded must be heavy for the revisions to be so
        publish(warehouse, WEEK, heavy, "heavy", context(0.5))
    with warehouse.transaction() as connection:
        connection.exec_driver_sql(moved.format(shop.warehouse.database))
    warehouse.dispose()  # the setting holds for new connections
    before = see(shop)
    filler = small_disk / "filler"
    used = os.statvfs(small_disk)
    with filler.open("wb") as file:
        file.write(b"x" * max(0, used.f_bavail * used.f_frsize - ROOM))
    rows = second if "revisions" in moved else heavy
    with pytest.raises(StorageUnavailable, match="No space left on device"):
        publish(warehouse, WEEK, rows, "more", context(1))
    assert see(shop).written == before.written

    filler.unlink()
    assert publish(warehouse, WEEK, rows, "more", context(2)).done == WEEK.days
    warehouse.dispose()
    assert see(shop).gaps == 0
    assert len(see(shop).done) == len(WEEK)
