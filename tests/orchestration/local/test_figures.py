"""The figures of the summary, read off the warehouse."""

from __future__ import annotations

from datetime import date

import sqlalchemy as sa

from include.orchestration.local.figures import rows_held
from include.use_cases.flight_delay.declaration import USE_CASE
from include.warehouse.tables import quarantine
from include.workspace import Workspace

DAY = date(2013, 2, 12)


def test_rows_that_somebody_decided_about_are_not_held(workspace: Workspace) -> None:
    row = {"dataset": USE_CASE.dataset.name, "table_name": "weather", "data_day": DAY}
    row |= {"row_key": "[]", "payload": {}, "run_id": "r", "decision": None}
    held = [{**row, "row_hash": "a", "rule": rule} for rule in ("wind", "heat")]
    decided = {**row, "row_hash": "b", "rule": "wind", "decision": "release"}
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.insert(quarantine), [*held, decided])
    with workspace.warehouse.reading() as connection:
        assert rows_held(connection, USE_CASE.dataset, [DAY]) == {DAY: 1}
