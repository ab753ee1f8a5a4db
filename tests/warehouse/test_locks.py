"""The lock: one holder across processes, told who it is, freed by death."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from include.errors import LockHeld
from include.settings import Settings
from include.warehouse import locks
from include.warehouse.engine import Warehouse
from include.warehouse.locks import lock

HOLD = """
import sys
from pathlib import Path
from include.settings import Settings, WarehouseAddress
from dataclasses import replace
from include.warehouse.engine import open_warehouse
from include.warehouse.locks import lock
home, dialect, database, host, user = sys.argv[1:]
settings = Settings.from_env({"NIGHTSHIFT_HOME": home}, code_revision="test")
address = WarehouseAddress(dialect, database, host or None, None, user or None)
warehouse = open_warehouse(replace(settings, warehouse=address))
with lock(warehouse, "score", "flight_delay", timeout=5):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def holder(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """Run a process that holds the lock until it is told to stop or killed."""
    address = settings.warehouse
    arguments = [address.dialect, address.database, address.host or "", address.user or ""]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(settings.home), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def test_another_process_waits_and_is_told_who_holds_it(
    warehouse: Warehouse, warehouse_settings: Settings
) -> None:
    with holder(warehouse_settings) as process:
        with (
            pytest.raises(LockHeld, match=r"stage score for flight_delay.*since 20") as caught,
            lock(warehouse, "score", "flight_delay", timeout=0.3, poll=0.05),
        ):
            pytest.fail("two holders at once")
        assert str(process.pid) in str(caught.value)
        with lock(warehouse, "monitor", "flight_delay", timeout=0.3):
            pass  # another stage does not wait
        assert process.stdin is not None
        process.stdin.write("done\n")
        process.stdin.flush()
        with lock(warehouse, "score", "flight_delay", timeout=10, poll=0.05):
            pass


class _Release(logging.Handler):
    """Lets a holder go as soon as somebody says that it waits."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        super().__init__()
        self.process = process
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())
        assert self.process.stdin is not None
        self.process.stdin.write("done\n")
        self.process.stdin.flush()


def test_who_waits_says_for_whom_and_for_how_long(
    warehouse: Warehouse, warehouse_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    log = logging.getLogger("include.warehouse.locks")
    monkeypatch.setattr(log, "level", logging.INFO)
    with lock(warehouse, "score", "flight_delay", timeout=30):
        pass  # whoever does not wait says nothing
    with holder(warehouse_settings) as process:
        handler = _Release(process)
        log.addHandler(handler)
        try:
            with lock(warehouse, "score", "flight_delay", timeout=30, poll=0.05):
                pass
        finally:
            log.removeHandler(handler)
    (told,) = handler.told
    assert told.startswith("stage score for flight_delay is being run elsewhere: its lock is held")
    assert str(process.pid) in told and told.endswith("; waiting for it, at most 30 s")


def test_kill_nine_frees_the_lock(warehouse: Warehouse, warehouse_settings: Settings) -> None:
    with holder(warehouse_settings) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        started = time.monotonic()
        with lock(warehouse, "score", "flight_delay", timeout=10, poll=0.05):
            assert time.monotonic() - started < 5


def test_the_lock_excludes_within_a_process_too(warehouse: Warehouse) -> None:
    with (
        lock(warehouse, "score", "flight_delay"),
        pytest.raises(LockHeld),
        lock(warehouse, "score", "flight_delay", timeout=0.1, poll=0.05),
    ):
        pytest.fail("two holders at once")


def test_an_exception_frees_the_lock(warehouse: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), lock(warehouse, "score", "flight_delay"):
        raise ZeroDivisionError
    with lock(warehouse, "score", "flight_delay", timeout=0.1):
        pass


def test_names_that_look_like_paths_stay_in_the_folder(warehouse: Warehouse) -> None:
    with lock(warehouse, "../score", "a/b", timeout=1):
        outside = list(warehouse.lock_folder.parent.glob("score*"))
        assert outside == []
        if warehouse.is_sqlite:
            assert (warehouse.lock_folder / "..%2Fscore.a%2Fb.lock").exists()


def test_a_lost_connection_is_noticed_before_the_commit(warehouse: Warehouse) -> None:
    if warehouse.is_sqlite:
        pytest.skip("a file lock is not lost while its process lives")
    with lock(warehouse, "score", "flight_delay") as verify:
        verify()
        with warehouse.transaction() as connection:
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks "
                    "WHERE locktype = 'advisory' AND database = "
                    "(SELECT oid FROM pg_database WHERE datname = current_database())"
                )
            )
        with pytest.raises(LockHeld, match="lost"):
            verify()
