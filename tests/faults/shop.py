"""A small use case published through the write path of scoring, with neither model nor lake.

Rows are a function of the day and an edition: the second edition keeps, changes, removes and
adds rows, so that publishing it over the first one takes every way through the swap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa

from include.settings import Settings
from include.warehouse.days import day_states
from include.warehouse.engine import Warehouse, open_warehouse
from include.warehouse.runs import RunContext
from include.warehouse.stages import StageResult, stage_run
from include.warehouse.staging import staged
from include.warehouse.tables import score_runs, stage_runs
from include.warehouse.use_cases import apply, history_of, use_case_tables
from include.window import Window
from tests.warehouse.conftest import USE_CASE
from tests.warehouse.scores import content_hashes

STAGE = "score"
TABLES = use_case_tables(USE_CASE)
KEY = TABLES.key
WEEK = Window(date(2013, 10, 5), date(2013, 10, 8))
OPENING = Window(date(2013, 10, 5), date(2013, 10, 7))
"""Days the first edition is published of; the second adds one."""
NOON = datetime(2013, 10, 9, 12, tzinfo=UTC)
BATCH = 11
"""Rows handed to the staging at a time: less than two days have, and no multiple of a day."""
FOREVER = pd.Timestamp("2100-01-01", tz="UTC")

LINEAGE = sa.select(
    score_runs.c.model_version, score_runs.c.rows_changed, score_runs.c.content_hash
)

Rows = Callable[[Sequence[date]], pd.DataFrame]


def order(day: date, number: int, prediction: float, **more: Any) -> dict[str, Any]:
    """Return one score as scoring hands it in."""
    return {
        "data_day": day,
        "target_date": day + timedelta(days=1),
        "promised_at": pd.Timestamp(day, tz="UTC") + pd.Timedelta(hours=30),
        "customer": "ann",
        "order_number": number,
        "shop": "north",
        "weight": 1.5,
        "gift": True,
        "items": 3,
        "prediction": prediction,
        "decision": prediction >= 0.5,
        "threshold": 0.5,
        "model_version": "1",
        "reason_1": "the shop: raises the risk",
        "reason_1_feature": "shop",
        "reason_1_contribution": 0.25,
        "reason_2": None,
        "reason_2_feature": None,
        "reason_2_contribution": None,
        "reason_3": None,
        "reason_3_feature": None,
        "reason_3_contribution": None,
        "reason_method": "exact",
    } | more


def first(days: Sequence[date]) -> pd.DataFrame:
    """Return the first edition: eight orders a day."""
    return pd.DataFrame([order(day, n, n / 10) for day in sorted(days) for n in range(1, 9)])


def second(days: Sequence[date]) -> pd.DataFrame:
    """Return the second: of a day 1-3 stay, 4-6 change, 7 and 8 go, 9 and 10 come.

    The last of the opening's days says what it said before.
    """
    told = []
    for day in sorted(days):
        if day == OPENING.end:
            told += [order(day, n, n / 10) for n in range(1, 9)]
            continue
        told += [order(day, n, n / 10 if n <= 3 else 1 - n / 20) for n in (1, 2, 3, 4, 5, 6, 9, 10)]
    return pd.DataFrame(told)


def context(hour: float = 0, lock_timeout: float = 60.0) -> RunContext:
    """Return the context of a run that starts `hour` hours after noon."""
    return RunContext(NOON + timedelta(hours=hour), "test", lock_timeout=lock_timeout)


def publish(
    warehouse: Warehouse,
    window: Window,
    rows: Rows,
    edition: str,
    run_context: RunContext,
    between: Callable[[], None] = lambda: None,
) -> StageResult:
    """Score the days of `window` that are due, as the stage does: stage, begin, swap, done.

    Args:
        edition: fingerprint of the inputs; a day is due when it was done with another.
        between: called after each batch.
    """
    with stage_run(warehouse, STAGE, USE_CASE.name, window, run_context) as run:
        if not (due := run.due({day: f"{edition} {day}" for day in window})):
            return run.finish()
        with staged(warehouse, TABLES, run.run_id) as staging:
            frame = rows(due)
            for start in range(0, len(frame), BATCH):
                staging.add(frame.iloc[start : start + BATCH])
                between()
            staging.finish()
            assert staging.rows == len(frame)
            run.begin(due)
            with run.commit(on=staging.connection) as commit:
                for part in (due[:2], due[2:]):  # as when two models share a window
                    if not part:
                        continue
                    change = staging.publish(commit.connection, part, run.run_id, commit.at)
                    commit.connection.execute(
                        sa.insert(score_runs).values(
                            run_id=run.run_id,
                            use_case=USE_CASE.name,
                            model_version=str(part[0]),
                            model_sha256="0" * 64,
                            feature_service=USE_CASE.feature_service,
                            lake_versions={},
                            rows_due=len(frame),
                            rows_scored=len(frame),
                            rows_changed=change.rows_changed,
                            content_hash=change.content_hash,
                            code_revision="test",
                            data_days=[day.isoformat() for day in part],
                        )
                    )
                    for day in part:
                        commit.done(day, f"{edition} {day}", change.days[day].content_hash)
        return run.result


def open_shop(settings: Settings) -> None:
    """Make the tables and publish the first edition of the opening's days."""
    warehouse = open_warehouse(settings)
    apply(warehouse, USE_CASE)
    publish(warehouse, OPENING, first, "first", context())
    warehouse.dispose()


def publish_second(settings: Settings, hour: float = 1, window: Window = WEEK) -> StageResult:
    """Publish the second edition over it, in a warehouse opened for that."""
    warehouse = open_warehouse(settings)
    try:
        return publish(warehouse, window, second, "second", context(hour))
    finally:
        warehouse.dispose()


@dataclass(frozen=True)
class Seen:
    """What a reader sees, run ids and times aside.

    Attributes:
        scores: current rows; `revisions` superseded ones, both in a comparable form.
        lineage: what `score_runs` says of content.
        done: day → output hash of the days that are done.
        gaps: keys that said nothing between two scores.
    """

    scores: list[str]
    revisions: list[str]
    lineage: list[str]
    done: Mapping[date, str]
    gaps: int

    @property
    def written(self) -> tuple[list[str], ...]:
        """What one transaction writes: rows, superseded rows and lineage."""
        return self.scores, self.revisions, self.lineage


def see(settings: Settings) -> Seen:
    """Return what a reader sees; a done day whose hash is not that of its scores is an error."""
    warehouse = open_warehouse(settings)
    try:
        with warehouse.reading() as connection:
            names = [*KEY, *TABLES.content]
            scores = _rows(connection, TABLES.scores, names)
            states = day_states(connection, STAGE, USE_CASE.name)
            done = {day: it.output_hash or "" for day, it in states.items() if it.state == "done"}
            if done:
                assert content_hashes(TABLES, scores, list(done)) == done
            return Seen(
                scores=scores.to_csv(index=False).splitlines(),
                revisions=sorted(
                    _rows(connection, TABLES.revisions, names).to_csv(index=False).splitlines()
                ),
                lineage=sorted(_lines(pd.DataFrame(connection.execute(LINEAGE).all()))),
                done=done,
                gaps=count_gaps(connection),
            )
    finally:
        warehouse.dispose()


def runs(settings: Settings) -> list[Any]:
    """Return the rows of `stage_runs` in the order the runs began."""
    warehouse = open_warehouse(settings)
    try:
        with warehouse.reading() as connection:
            return list(connection.execute(sa.select(stage_runs).order_by(stage_runs.c.started_at)))
    finally:
        warehouse.dispose()


def _rows(connection: sa.Connection, table: sa.Table, names: Sequence[str]) -> pd.DataFrame:
    ordered = sa.select(*(table.c[name] for name in names)).order_by(*(table.c[n] for n in KEY))
    return pd.DataFrame(connection.execute(ordered).all(), columns=list(names))


def _lines(rows: pd.DataFrame) -> list[str]:
    return [repr(row) for row in rows.itertuples(index=False, name=None)]


def count_gaps(connection: sa.Connection) -> int:
    """Return how often a key said nothing between two scores.

    Requires that every validity has a length and that no two of a key overlap.
    """
    table = history_of(USE_CASE)
    names = [*KEY, "valid_from", "valid_to"]
    found = connection.execute(sa.select(*(table.c[name] for name in names))).all()
    spans = pd.DataFrame(found, columns=names)
    spans["valid_from"] = pd.to_datetime(spans["valid_from"], utc=True)
    spans["valid_to"] = pd.to_datetime(spans["valid_to"], utc=True).fillna(FOREVER)
    assert (spans["valid_from"] < spans["valid_to"]).all(), "it ended before it began"
    spans = spans.sort_values([*KEY, "valid_from"])
    following = spans.groupby(list(KEY))["valid_from"].shift(-1)
    assert not (following < spans["valid_to"]).any(), "two scores of one key at one time"
    return int((following > spans["valid_to"]).sum())
