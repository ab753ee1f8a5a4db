"""One holder at a time per stage and subject, across processes; freed when the holder dies.

Postgres: a session advisory lock on a connection of its own (which a transaction-pooling
proxy would break: connect to the server itself). SQLite: an operating-system file lock in
the folder `<database file>.locks`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from filelock import FileLock, Timeout

from include.errors import LockHeld, StorageUnavailable
from include.warehouse.engine import Warehouse

Verify = Callable[[], None]
"""Raises `LockHeld` when the lock has been lost, as when its connection broke."""

PATIENCE = 3.0
"""Seconds after which who waits for a lock says so."""

_log = logging.getLogger(__name__)

_HOLDER = sa.text(
    "SELECT a.application_name, a.state_change FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND l.classid::bigint = :high AND l.objid::bigint = :low"
)

_LOCK_NOT_AVAILABLE = "55P03"


@contextmanager
def lock(
    warehouse: Warehouse, stage: str, subject: str, timeout: float = 60.0, poll: float = 0.2
) -> Iterator[Verify]:
    """Hold the lock of a stage and subject for the length of the block.

    Waits up to `timeout` seconds, asking every `poll` seconds, and after `PATIENCE` of them logs
    whom it waits for. Yields a function that raises when the lock has been lost meanwhile; call
    it before a commit.

    Raises `LockHeld` naming stage, subject and, where known, the holder's process and since
    when; `StorageUnavailable` when the lock cannot even be tried.
    """
    hold = _file_lock if warehouse.is_sqlite else _advisory_lock
    with hold(warehouse, stage, subject, timeout, poll) as verify:
        yield verify


def lock_transaction(
    connection: sa.Connection, stage: str, subject: str, timeout: float = 60.0
) -> None:
    """Hold a lock until the connection's open transaction ends; it belongs to no one else.

    SQLite's `BEGIN IMMEDIATE` is that lock already.

    Raises `LockHeld` when another transaction does not end within `timeout` seconds.
    """
    if connection.dialect.name == "sqlite":
        return
    key = _advisory_key(stage, subject)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {int(timeout * 1000)}")
    try:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise _held(stage, subject, timeout, "") from error
    connection.exec_driver_sql("SET LOCAL lock_timeout = DEFAULT")


@contextmanager
def _file_lock(
    warehouse: Warehouse, stage: str, subject: str, timeout: float, poll: float
) -> Iterator[Verify]:
    name = f"{quote(stage, safe='')}.{quote(subject, safe='')}"
    path = warehouse.lock_folder / f"{name}.lock"
    holder = warehouse.lock_folder / f"{name}.holder"
    handle = FileLock(path, poll_interval=poll)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle.acquire(timeout=min(PATIENCE, timeout))
        except Timeout:
            if timeout > PATIENCE:
                _tell(stage, subject, timeout, _read_holder(holder))
            handle.acquire(timeout=max(0.0, timeout - PATIENCE))
    except Timeout:
        raise _held(stage, subject, timeout, _read_holder(holder)) from None
    except OSError as error:
        raise StorageUnavailable(
            f"the lock file {path} cannot be used: {error}; check its folder's permissions"
        ) from error
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        holder.write_text(json.dumps({"pid": os.getpid(), "since": since}))
        yield lambda: None  # the operating system keeps a file lock as long as we live
    finally:
        holder.unlink(missing_ok=True)
        handle.release()


def _read_holder(holder: Path) -> str:
    try:
        fields = json.loads(holder.read_text())
        return f" by process {fields['pid']} since {fields['since']}"
    except (OSError, ValueError, KeyError):
        return ""


@contextmanager
def _advisory_lock(
    warehouse: Warehouse, stage: str, subject: str, timeout: float, poll: float
) -> Iterator[Verify]:
    key = _advisory_key(stage, subject)
    begun, told = time.monotonic(), False
    with warehouse.speaking():
        connection = warehouse.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with warehouse.speaking():
            while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(key))):
                waited = time.monotonic() - begun
                if waited >= timeout:
                    raise _held(stage, subject, timeout, _find_holder(connection, key))
                if waited >= PATIENCE and not told:
                    _tell(stage, subject, timeout, _find_holder(connection, key))
                    told = True
                time.sleep(poll)
            pid = connection.scalar(sa.select(sa.func.pg_backend_pid()))
        yield lambda: _verify(connection, stage, subject, pid)
    finally:
        _release(connection, key)


def _release(connection: sa.Connection, key: int) -> None:
    """Unlock and give the connection back; a broken one has already lost the lock."""
    try:
        connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))
    except sa.exc.SQLAlchemyError:
        connection.invalidate()
    finally:
        connection.close()


def _verify(connection: sa.Connection, stage: str, subject: str, pid: object) -> None:
    try:
        if connection.scalar(sa.select(sa.func.pg_backend_pid())) == pid:
            return
    except sa.exc.SQLAlchemyError:
        connection.invalidate()
    raise LockHeld(
        f"the lock of stage {stage} for {subject} was lost: its database connection broke; "
        "nothing was committed, run again"
    )


def _find_holder(connection: sa.Connection, key: int) -> str:
    unsigned = key % 2**64
    row = connection.execute(
        _HOLDER, {"high": unsigned >> 32, "low": unsigned & 0xFFFFFFFF}
    ).first()
    if row is None:
        return ""
    since = row.state_change.astimezone(UTC).isoformat(timespec="seconds")
    return f" by {row.application_name or 'an unnamed connection'} since {since}"


def _advisory_key(stage: str, subject: str) -> int:
    """Return the signed 64-bit key of a stage and subject."""
    digest = hashlib.sha256(f"nightshift\0{stage}\0{subject}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def _tell(stage: str, subject: str, timeout: float, holder: str) -> None:
    _log.info(
        "stage %s for %s is being run elsewhere: its lock is held%s; waiting for it, at most %g s",
        stage,
        subject,
        holder,
        timeout,
    )


def _held(stage: str, subject: str, timeout: float, holder: str) -> LockHeld:
    return LockHeld(
        f"stage {stage} for {subject} is being run elsewhere: its lock is held{holder} and did "
        f"not come free within {timeout:g} s; wait for that run to end, then run again"
    )
