"""Metrics for machines, through Airflow's own pipe: StatsD or OpenTelemetry, as Airflow is told.

After each task the runs of its stages are read from the warehouse, so that what a dashboard
shows is what the tables say; a stage that failed is there too. Nothing is sent, and nothing is
read, while Airflow has no metrics configured. A pipe or a warehouse that is down costs a line
in the log, never the task.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from airflow.sdk.configuration import conf

if TYPE_CHECKING:
    from include.workspace import Workspace

log = logging.getLogger(__name__)

Kind = Literal["counter", "gauge", "timer"]

PREFIX = "nightshift"
SUBJECT = "subject"


@dataclass(frozen=True)
class Metric:
    """One metric that is sent.

    Attributes:
        name: below `nightshift`, with places such as `<stage>` that a value fills.
        kind: a counter counts up, a gauge is what holds now, a timer is in milliseconds.
        after: the stages whose end sends it.
        meaning: what the number says, units included.
        tags: beside the subject, which every metric has.
    """

    name: str
    kind: Kind
    after: str
    meaning: str
    tags: tuple[str, ...] = ()


METRICS = (
    Metric("<stage>.runs", "counter", "every stage", "runs that ended, by how", ("status",)),
    Metric("<stage>.duration", "timer", "every stage", "how long the run took, ms"),
    Metric("<stage>.rows_in", "gauge", "every stage", "rows the run read"),
    Metric("<stage>.rows_out", "gauge", "every stage", "rows it accepted and wrote"),
    Metric("<stage>.rows_held", "gauge", "every stage", "rows it held back in quarantine"),
    Metric("<stage>.days_done", "gauge", "stages with days", "days that are done, of all"),
    Metric("<stage>.days_stopped", "gauge", "stages with days", "days that stand stopped"),
    Metric("<stage>.days_absent", "gauge", "stages with days", "days the source does not have"),
    Metric(
        "<stage>.hours_behind",
        "gauge",
        "stages with days",
        "hours from the end of the newest day that is done to the end of the run",
    ),
    Metric(
        "quality.unusual",
        "gauge",
        "`quality`",
        "values of the newest measured day that are not usual",
    ),
    Metric(
        "quality.hours_to_land",
        "gauge",
        "`quality`",
        "hours from the end of that day to its landing, where that is known",
    ),
    Metric("drift.drifted", "gauge", "`monitor`", "1 if the newest judged night drifted, else 0"),
    Metric(
        "drift.moved_share",
        "gauge",
        "`monitor`",
        "share of the watched features over their thresholds that night, 0 to 1",
    ),
    Metric("drift.weight", "gauge", "`monitor`", "importance of those features, 0 to 1"),
    Metric(
        "performance.<metric>",
        "gauge",
        "`performance`",
        "realised performance over all rows of the newest target date that has it",
    ),
    Metric(
        "performance.label_coverage",
        "gauge",
        "`performance`",
        "share of the scores of that date whose outcome is known, 0 to 1",
    ),
    Metric("performance.rows", "gauge", "`performance`", "rows that were measured"),
)
"""Every metric there is; `docs/metrics.md` has this table."""


@dataclass(frozen=True)
class Reading:
    """One value to be sent.

    Attributes:
        name: in full, `nightshift.ingest.rows_in`.
        tags: of what; the subject first.
    """

    name: str
    kind: Kind
    value: float
    tags: Mapping[str, str] = field(default_factory=dict)

    def spelled(self) -> str:
        """Return the name for a pipe without tags: it ends with their values instead."""
        return ".".join((self.name, *self.tags.values()))


def send(workspace: Workspace) -> None:
    """Send what the stages of the running task did; goes on without when that does not work."""
    try:
        if not pipe_is_on():
            return
        from include.orchestration.readings import read

        for reading in read(workspace):
            emit(reading)
    except Exception:
        log.warning("metrics were not sent; the task itself is not touched by that", exc_info=True)


def pipe_is_on() -> bool:
    """Tell whether Airflow sends metrics anywhere."""
    switches = ("statsd_on", "statsd_datadog_enabled", "otel_on")
    return any(conf.getboolean("metrics", name, fallback=False) for name in switches)


def tags_are_lost() -> bool:
    """Tell whether the pipe drops tags: plain StatsD does."""

    def on(name: str) -> bool:
        return bool(conf.getboolean("metrics", name, fallback=False))

    tagged = on("statsd_datadog_enabled") or on("statsd_influxdb_enabled")
    return on("statsd_on") and not tagged


def emit(reading: Reading) -> None:
    """Hand one value to Airflow."""
    from airflow.sdk.observability import stats

    name, tags = reading.name, dict(reading.tags)
    if tags_are_lost():
        name, tags = reading.spelled(), {}
    if reading.kind == "counter":
        stats.incr(name, int(reading.value), tags=tags)
    elif reading.kind == "timer":
        stats.timing(name, reading.value, tags=tags)
    else:
        stats.gauge(name, reading.value, tags=tags)


def table() -> Iterator[str]:
    """Yield the lines of the documented table."""
    yield "| metric | kind | sent after | meaning |"
    yield "|---|---|---|---|"
    for it in METRICS:
        tags = f", tag `{', '.join(it.tags)}`" if it.tags else ""
        yield f"| `{PREFIX}.{it.name}` | {it.kind}{tags} | {it.after} | {it.meaning} |"
