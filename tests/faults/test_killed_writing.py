"""`kill -9` before any statement of the write path: before or after is left, and it heals."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import sqlalchemy as sa

from include.settings import Settings
from include.warehouse.engine import open_warehouse
from include.warehouse.staging import SCHEMA, drop, orphans
from tests import children
from tests.faults.conftest import Shops
from tests.faults.matrix import Fault, meets
from tests.faults.shop import Seen, publish_second, runs, see
from tests.faults.statements import READING, before_every_statement


def die(settings: Settings, place: int, marker: Path) -> None:
    """Publish the second edition, and die right before the statement at `place`."""
    sent = 0

    def hook(statement: str) -> None:
        nonlocal sent
        if sent == place:
            marker.write_text(statement)
            os.kill(os.getpid(), signal.SIGKILL)
        sent += 1

    with before_every_statement(hook):
        publish_second(settings)


@meets(
    Fault(
        "Storage and processes",
        "publishing scores is killed before any one of its statements",
        "score: one transaction",
        "readers see the scores from before or from after; the next run gives the same hash",
    )
)
def test_a_kill_before_any_statement_leaves_before_or_after_and_heals(
    shops: Shops, tmp_path: Path
) -> None:
    statements: list[str] = []
    with shops() as settings:
        before = see(settings)
        with before_every_statement(statements.append):
            publish_second(settings)
        after = see(settings)
    _require_all_ways(before, after, statements)

    wrong: list[str] = []
    for place, statement in enumerate(statements):
        if statement.startswith(READING):
            continue  # what is left is the same as before the next statement that writes
        marker = tmp_path / f"{place}"
        with shops() as settings:
            with children.running(die, settings, place, marker) as child:
                assert children.ended(child) == -signal.SIGKILL
            assert marker.read_text() == statement, "it died elsewhere"
            left = see(settings)
            if left.written not in (before.written, after.written):
                wrong.append(f"{place}: half-written before {statement}")
            if not set(left.done.items()) <= {*before.done.items(), *after.done.items()}:
                wrong.append(f"{place}: a day is done with another hash before {statement}")
            publish_second(settings, hour=2)
            if see(settings) != after:
                wrong.append(f"{place}: not healed after a death before {statement}")
            if any(run.status == "running" for run in runs(settings)):
                wrong.append(f"{place}: a dead run still counts as running")
    assert wrong == []
    _require_leftovers_found(settings, statements)


def _require_leftovers_found(settings: Settings, statements: list[str]) -> None:
    """Require that housekeeping is told of every staging table the dead have left."""
    warehouse = open_warehouse(settings)
    with warehouse.transaction() as connection:
        left = orphans(connection)
        if not warehouse.is_sqlite:
            made = statements.index("COMMIT", _create(statements))
            deaths = [it for it in statements[made:] if not it.startswith(READING)]
            assert len(left) >= len(deaths) - 5, "but for the last statements"
        for name in left:
            drop(connection, name)
        assert orphans(connection) == []
        if not warehouse.is_sqlite:
            assert sa.inspect(connection).get_table_names(schema=SCHEMA) == []
    warehouse.dispose()


def _create(statements: list[str]) -> int:
    return next(at for at, it in enumerate(statements) if it.startswith("CREATE UNLOGGED"))


def _require_all_ways(before: Seen, after: Seen, statements: list[str]) -> None:
    """Require that the undisturbed run kept, added, changed and removed rows."""
    assert set(before.scores) & set(after.scores)
    assert set(after.scores) - set(before.scores)
    assert len(after.revisions) == 1 + 2 * 5, "three changed and two removed on two days"
    assert (before.gaps, after.gaps) == (0, 0)
    assert len(after.done) == len(before.done) + 1
    assert statements.count("COMMIT") >= 3, "opened, begun and committed"
