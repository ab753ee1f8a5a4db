"""What is done, what is not, and whether it may be used, for `./nightshift status`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from include import catalog
from include.scoring import readiness
from include.training import ledger
from include.warehouse.engine import Warehouse
from include.warehouse.migrate import require_current
from include.warehouse.tables import stage_days, stage_runs


def stages(warehouse: Warehouse, name: str | None = None) -> Iterator[tuple[str, ...]]:
    """Yield stage, subject, days done, newest done day, days stopped, absent, last run."""
    require_current(warehouse)
    days, runs = stage_days.c, stage_runs.c

    def count(state: str) -> sa.ColumnElement[int]:
        return sa.func.count().filter(days.state == state)

    newest = sa.func.max(days.data_day).filter(days.state == "done")
    query = sa.select(
        days.stage, days.subject, count("done"), newest, count("stopped"), count("absent")
    ).group_by(days.stage, days.subject)
    if name is not None:
        query = query.where(days.subject == name)
    with warehouse.reading() as connection:
        found = connection.execute(query.order_by(sa.func.min(days.at))).all()
        for stage, subject, done, newest_day, stopped, absent in found:
            last = connection.execute(
                sa.select(runs.status, runs.started_at)
                .where(runs.stage == stage, runs.subject == subject)
                .order_by(runs.started_at.desc())
                .limit(1)
            ).one()
            told = f"{last.status} {last.started_at:%Y-%m-%d %H:%M}"
            numbers = (str(done), str(newest_day or "–"), str(stopped), str(absent))
            yield (stage, subject, *numbers, told)


def champions(warehouse: Warehouse, name: str | None = None) -> Iterator[str]:
    """Yield one line per use case about the model in service."""
    with warehouse.reading() as connection:
        for use_case in catalog.use_case_names():
            if name in (None, use_case):
                champion = ledger.champion(connection, use_case)
                if champion is None:
                    command = f"./nightshift train {use_case} --as-of DAY --promote"
                    yield f"{use_case}: no champion; run {command}"
                else:
                    yield (
                        f"{use_case}: champion is version {champion.model_version}, trained as "
                        f"of {champion.as_of}, SHA-256 {champion.sha256[:12]}…"
                    )


def mornings(warehouse: Warehouse, now: datetime, name: str | None = None) -> Iterator[str]:
    """Yield one line per use case about the scores of the newest target date due."""
    with warehouse.reading() as connection:
        for use_case in catalog.use_case_names():
            if name not in (None, use_case):
                continue
            for row in readiness.assess(connection, catalog.use_case(use_case), now)[-1:]:
                since = f" since {row.ready_at:%Y-%m-%d %H:%M} UTC" if row.ready_at else ""
                why = f": {row.reason}" if row.reason else ""
                yield f"{use_case}: the scores about {row.target_date} are {row.state}{since}{why}"
