"""What the warehouse has about one week of a use case: all that a digest is written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import sqlalchemy as sa

from include.declare import UseCase
from include.monitoring.digest import nights, troubles
from include.monitoring.digest.nights import Night
from include.monitoring.digest.troubles import Failure, Held, Incident, Unusual
from include.monitoring.week import Week
from include.training import ledger
from include.training.ledger import Entry
from include.warehouse.monitoring_tables import drift_metrics, model_performance
from include.warehouse.tables import stage_days
from include.warehouse.use_cases import use_case_tables
from include.window import Window

STAGE = "digest"
"""The stage that writes digests; what it has done is no input of its own."""

WEEKS_BEFORE = 4
"""Weeks that the scores of a week and their performance are shown beside."""

QUANTILES = (5, 25, 50, 75, 95)
"""Per cent of a night's predictions that lie below; what the distribution is drawn from."""


@dataclass(frozen=True)
class Moved:
    """How far one column was from the reference on one night.

    Attributes:
        kind: as in `drift_metrics`.
        value: the distance; None when the night had nothing to measure.
        threshold: from which it counts as drifted; None where nothing is judged.
    """

    column: str
    kind: str
    day: date
    value: float | None
    threshold: float | None
    drifted: bool

    @property
    def excess(self) -> float | None:
        """The distance in thresholds; None if either is missing or the threshold is 0."""
        if self.value is None or not self.threshold:
            return None
        return self.value / self.threshold


@dataclass(frozen=True)
class Realised:
    """The primary metric of one target date, by model, with its 95 % interval."""

    target_date: date
    model_version: str
    value: float | None
    lower: float | None
    upper: float | None
    rows: int
    coverage: float


@dataclass(frozen=True)
class Record:
    """One week of a use case.

    Attributes:
        nights: its seven data days.
        moved: every distance measured in the week, by column and kind.
        spread: data day → its predictions at `QUANTILES`, with the weeks before.
        realised: the primary metric by target date, with the weeks before.
        held: rows held in quarantine; `decided` counts decisions on them by action.
        failures: rules that rows or days of the week broke.
        unusual: measures of landed data outside what is usual; `measured` how many there are.
        incidents: those about the week, open ones first.
        decisions: what the ledger says of models in this week.
        newest: when the newest result of the week was written, UTC.
    """

    use_case: UseCase
    week: Week
    nights: tuple[Night, ...]
    moved: tuple[Moved, ...]
    spread: Mapping[date, tuple[float, ...]]
    realised: tuple[Realised, ...]
    held: tuple[Held, ...]
    decided: Mapping[str, int]
    failures: tuple[Failure, ...]
    unusual: tuple[Unusual, ...]
    measured: int
    incidents: tuple[Incident, ...]
    decisions: tuple[Entry, ...]
    newest: datetime | None

    @property
    def targets(self) -> Window:
        """The target dates that the week's scores are about."""
        horizons = [timedelta(days=it) for it in self.use_case.horizons]
        return Window(self.week.start + min(horizons), self.week.end + max(horizons))


def read(connection: sa.Connection, use_case: UseCase, week: Week) -> Record:
    """Return the record of a week; `connection` is one reading, so that all of it agrees."""
    dataset = use_case.dataset.name
    unusual, measured = troubles.unusual(connection, dataset, week)
    return Record(
        use_case=use_case,
        week=week,
        nights=nights.read(connection, use_case, week),
        moved=_moved(connection, use_case, week),
        spread=_spread(connection, use_case, week),
        realised=_realised(connection, use_case, week),
        held=troubles.held(connection, dataset, week),
        decided=troubles.decided(connection, dataset, week),
        failures=troubles.failures(connection, dataset, week),
        unusual=unusual,
        measured=measured,
        incidents=troubles.incidents(connection, use_case, week),
        decisions=_decisions(connection, use_case, week),
        newest=_newest(connection, use_case, week),
    )


def _moved(connection: sa.Connection, use_case: UseCase, week: Week) -> tuple[Moved, ...]:
    table = drift_metrics.c
    query = (
        sa.select(
            table.column_name, table.kind, table.data_day, table.value, table.threshold,
            sa.func.coalesce(table.drifted, sa.false()),
        )
        .where(table.use_case == use_case.name, table.data_day.between(week.start, week.end))
        .order_by(table.kind, table.column_name, table.method, table.data_day)
    )  # fmt: skip
    return tuple(
        Moved(column, kind, day, value, threshold, bool(drifted))
        for column, kind, day, value, threshold, drifted in connection.execute(query)
    )


def _spread(
    connection: sa.Connection, use_case: UseCase, week: Week
) -> Mapping[date, tuple[float, ...]]:
    """Return the predictions of each night at the quantiles, by nearest rank.

    The database sorts, so that a night of a million scores costs a handful of rows.
    """
    scores = use_case_tables(use_case).scores.c
    since = week.start - timedelta(weeks=WEEKS_BEFORE)
    day, prediction = scores.data_day, scores.prediction
    ranked = (
        sa.select(
            day,
            prediction,
            sa.func.row_number().over(partition_by=day, order_by=prediction).label("place"),
            sa.func.count().over(partition_by=day).label("size"),
        )
        .where(day.between(since, week.end))
        .subquery("ranked")
    )
    last = ranked.c.size - 1
    # Whole numbers throughout: both databases divide them alike, and to the same rank.
    places = [last * quantile // 100 + 1 for quantile in QUANTILES]
    query = sa.select(ranked.c.data_day, ranked.c.place, ranked.c.prediction, *places).where(
        sa.or_(*(ranked.c.place == place for place in places))
    )
    found: dict[date, dict[int, float]] = {}
    wanted: dict[date, tuple[int, ...]] = {}
    for night, place, value, *ranks in connection.execute(query):
        found.setdefault(night, {})[place] = value
        wanted[night] = tuple(ranks)
    return {night: tuple(found[night][rank] for rank in wanted[night]) for night in sorted(found)}


def _realised(connection: sa.Connection, use_case: UseCase, week: Week) -> tuple[Realised, ...]:
    table = model_performance.c
    first = week.start - timedelta(weeks=WEEKS_BEFORE) + timedelta(days=min(use_case.horizons))
    last = week.end + timedelta(days=max(use_case.horizons))
    query = (
        sa.select(
            table.target_date, table.model_version, table.value, table.lower, table.upper,
            table.n, table.label_coverage,
        )
        .where(
            table.use_case == use_case.name,
            table.slice == "all",
            table.metric == use_case.gate.metric,
            table.target_date.between(first, last),
        )
        .order_by(table.target_date, table.model_version)
    )  # fmt: skip
    return tuple(Realised(*row) for row in connection.execute(query))


def _decisions(connection: sa.Connection, use_case: UseCase, week: Week) -> tuple[Entry, ...]:
    """Return what was decided about models in the week, or about models trained as of it."""
    zone = use_case.dataset.zone

    def concerns(entry: Entry) -> bool:
        told = entry.at.astimezone(zone).date()
        return told in week.window or (entry.as_of is not None and entry.as_of in week.window)

    entries = ledger.history(connection, use_case.name)
    return tuple(it for it in entries if it.event != "registered" and concerns(it))


def _newest(connection: sa.Connection, use_case: UseCase, week: Week) -> datetime | None:
    rows: Sequence[datetime] = [
        at for _, _, _, at in stages(connection, use_case, week.window) if at is not None
    ]
    return max(rows, default=None)


def stages(
    connection: sa.Connection, use_case: UseCase, window: Window
) -> list[tuple[str, date, str, datetime]]:
    """Return what stages have done about a window and its target dates: a digest's input.

    Each is stage, day, a fingerprint of what was done, and when. The digest itself is left out.
    """
    table = stage_days.c
    last = window.end + timedelta(days=max(use_case.horizons))
    query = (
        sa.select(
            table.stage, table.subject, table.data_day, table.state, table.output_hash,
            table.reason, table.at,
        )
        .where(
            table.subject.in_((use_case.name, use_case.dataset.name)),
            table.data_day.between(window.start, last),
            table.stage != STAGE,
        )
        .order_by(table.stage, table.subject, table.data_day)
    )  # fmt: skip
    return [
        (
            f"{row.stage} of {row.subject}",
            row.data_day,
            f"{row.state} {row.output_hash or ''} {row.reason or ''}",
            row.at.astimezone(UTC),
        )
        for row in connection.execute(query)
    ]
