"""What is sent as metrics, read from the warehouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from include import catalog
from include.declare import Dataset
from include.orchestration.metrics import PREFIX, SUBJECT, Kind, Reading

if TYPE_CHECKING:
    import sqlalchemy as sa

    from include.workspace import Workspace


def read(workspace: Workspace) -> Iterator[Reading]:
    """Yield the readings of the stage runs that ended in this task.

    They are those of its DAG run that began since its workspace was opened.
    """
    import sqlalchemy as sa

    from include.warehouse.tables import stage_runs

    context, runs = workspace.context, stage_runs.c
    query = sa.select(stage_runs).where(
        runs.airflow_dag_id == context.airflow_dag_id,
        runs.airflow_run_id == context.airflow_run_id,
        runs.started_at >= context.now,
        runs.finished_at.is_not(None),
    )
    with workspace.warehouse.reading() as connection:
        for run in connection.execute(query.order_by(runs.started_at)).all():
            yield from _of_run(run)
            yield from _of_days(connection, run)
            after = {"quality": _of_quality, "monitor": _of_drift, "performance": _of_performance}
            if run.stage in after:
                yield from after[run.stage](connection, run.subject)


def _of_run(run: Any) -> Iterator[Reading]:
    took = (run.finished_at - run.started_at) / timedelta(milliseconds=1)
    yield _reading(f"{run.stage}.runs", "counter", 1, run.subject, status=run.status)
    yield _reading(f"{run.stage}.duration", "timer", took, run.subject)
    for name in ("rows_in", "rows_out", "rows_held"):
        yield _reading(f"{run.stage}.{name}", "gauge", getattr(run, name), run.subject)


def _of_days(connection: sa.Connection, run: Any) -> Iterator[Reading]:
    """Yield how the stage's days stand, as `./nightshift status` shows them."""
    import sqlalchemy as sa

    from include.warehouse.tables import stage_days

    days = stage_days.c
    query = (
        sa.select(days.state, sa.func.count(), sa.func.max(days.data_day))
        .where(days.stage == run.stage, days.subject == run.subject)
        .group_by(days.state)
    )
    found = {state: (count, newest) for state, count, newest in connection.execute(query)}
    if not found:
        return
    for state in ("done", "stopped", "absent"):
        count, _ = found.get(state, (0, None))
        yield _reading(f"{run.stage}.days_{state}", "gauge", count, run.subject)
    dataset = _dataset_of(run.subject)
    if "done" in found and dataset is not None:
        behind = _hours(run.finished_at, dataset.ends_at(found["done"][1]))
        yield _reading(f"{run.stage}.hours_behind", "gauge", behind, run.subject)


def _of_quality(connection: sa.Connection, subject: str) -> Iterator[Reading]:
    import sqlalchemy as sa

    from include.warehouse.monitoring_tables import data_quality

    found = data_quality.c
    newest = sa.select(sa.func.max(found.data_day)).where(found.dataset == subject)
    query = sa.select(found.metric, found.value, found.unusual).where(
        found.dataset == subject, found.data_day == newest.scalar_subquery()
    )
    if rows := connection.execute(query).all():
        unusual = sum(bool(row.unusual) for row in rows)
        yield _reading("quality.unusual", "gauge", unusual, subject)
    for row in rows:
        if row.metric == "hours_to_land" and row.value is not None:
            yield _reading("quality.hours_to_land", "gauge", row.value, subject)


def _of_drift(connection: sa.Connection, subject: str) -> Iterator[Reading]:
    import sqlalchemy as sa

    from include.warehouse.monitoring_tables import drift_verdicts

    found = drift_verdicts.c
    query = sa.select(drift_verdicts).where(found.use_case == subject)
    row = connection.execute(query.order_by(found.data_day.desc()).limit(1)).one_or_none()
    if row is not None:
        share = row.moved / row.watched if row.watched else 0.0
        yield _reading("drift.drifted", "gauge", int(row.drifted), subject)
        yield _reading("drift.moved_share", "gauge", share, subject)
        yield _reading("drift.weight", "gauge", row.weight, subject)


def _of_performance(connection: sa.Connection, subject: str) -> Iterator[Reading]:
    """Yield the newest date's metrics; of two models that scored it, those with more rows."""
    import sqlalchemy as sa

    from include.warehouse.monitoring_tables import model_performance

    found = model_performance.c
    mine = (found.use_case == subject, found.slice == "all")
    newest = sa.select(sa.func.max(found.target_date)).where(*mine, found.value.is_not(None))
    query = sa.select(model_performance).where(*mine, found.target_date == newest.scalar_subquery())
    rows = connection.execute(query).all()
    if not rows:
        return
    _, version = max((row.n, row.model_version) for row in rows)
    of_model = [row for row in rows if row.model_version == version]
    for row in of_model:
        if row.value is not None:
            yield _reading(f"performance.{row.metric}", "gauge", row.value, subject)
    coverage = max(row.label_coverage for row in of_model)
    yield _reading("performance.label_coverage", "gauge", coverage, subject)
    yield _reading("performance.rows", "gauge", max(row.n for row in of_model), subject)


def _reading(name: str, kind: Kind, value: float, subject: str, **tags: str) -> Reading:
    return Reading(f"{PREFIX}.{name}", kind, value, {SUBJECT: subject, **tags})


def _dataset_of(subject: str) -> Dataset | None:
    """Return the dataset that a subject's days are of; none for the installation as a whole."""
    if subject in catalog.dataset_names():
        return catalog.dataset(subject)
    if subject in catalog.use_case_names():
        return catalog.use_case(subject).dataset
    return None


def _hours(later: datetime, earlier: datetime) -> float:
    return (later - earlier) / timedelta(hours=1)
