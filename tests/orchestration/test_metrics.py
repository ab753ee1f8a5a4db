"""Metrics: what is read after a task, and that it arrives through Airflow's own pipe."""

from __future__ import annotations

import tests.airflow_home  # noqa: F401 - before airflow

# isort: split
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.observability import stats
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from include.orchestration import metrics, readings
from include.settings import REPOSITORY, Settings
from include.warehouse import monitoring_tables
from include.warehouse.days import DayState, write_days
from include.warehouse.stages import stage_run
from include.window import Window
from include.workspace import Workspace, open_workspace

DAY = date(2013, 10, 7)
NOW = datetime(2013, 10, 8, 6, tzinfo=UTC)  # two hours after the day ended in New York


@pytest.fixture
def task(warehouse_settings: Settings, warehouse: Any) -> Iterator[Workspace]:
    """The workspace of a running task, on each database."""
    with open_workspace(
        warehouse_settings, now=NOW, airflow_dag_id="dag", airflow_run_id="run"
    ) as opened:
        yield opened


def run(
    workspace: Workspace, stage: str, subject: str, stop: tuple[date, ...] = (), rows: int = 100
) -> None:
    window = Window(DAY - timedelta(days=1), DAY)
    with stage_run(workspace.warehouse, stage, subject, window, workspace.context) as running:
        running.begin(window)
        with running.commit() as commit:
            commit.count(rows_in=rows, rows_out=rows - 3, rows_held=3)
            for day in window:
                if day in stop:
                    commit.stopped(day, None, "too few rows")
                else:
                    commit.done(day, "in", "out")


def insert(workspace: Workspace, table: sa.Table, *rows: Mapping[str, Any]) -> None:
    with workspace.warehouse.transaction() as connection:
        connection.execute(sa.insert(table), list(rows))


def read(workspace: Workspace) -> dict[str, float]:
    """Return what is sent, by the name that plain StatsD sees; each is documented."""
    found = list(readings.read(workspace))
    patterns = [
        re.sub(r"<\w+>", r"\\w+", re.escape(it.name).replace(r"\<", "<").replace(r"\>", ">"))
        for it in metrics.METRICS
    ]
    for reading in found:
        name = reading.name.removeprefix("nightshift.")
        kinds = {
            it.kind
            for it, pattern in zip(metrics.METRICS, patterns, strict=True)
            if re.fullmatch(pattern, name)
        }
        assert reading.kind in kinds, f"{name} is not in the table of metrics"
    return {it.spelled().removeprefix("nightshift."): it.value for it in found}


def test_the_documented_table_is_the_one_of_the_code() -> None:
    page = (REPOSITORY / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert "\n".join(metrics.table()) in page


def test_a_stage_tells_rows_days_and_how_far_behind_it_is(task: Workspace) -> None:
    with task.warehouse.transaction() as connection:
        gone = DayState(DAY - timedelta(days=9), "absent", "r", None, None, NOW)
        write_days(connection, "ingest", "nyc_flights", [gone])
    run(task, "ingest", "nyc_flights", stop=(DAY,))
    found = read(task)
    assert 0 <= found.pop("ingest.duration.nyc_flights") < 60_000
    behind = found.pop("ingest.hours_behind.nyc_flights")
    assert behind == pytest.approx(26, abs=0.1), "the day before is the newest that is done"
    assert found == {
        "ingest.runs.nyc_flights.stopped": 1,
        "ingest.rows_in.nyc_flights": 100,
        "ingest.rows_out.nyc_flights": 97,
        "ingest.rows_held.nyc_flights": 3,
        "ingest.days_done.nyc_flights": 1,
        "ingest.days_stopped.nyc_flights": 1,
        "ingest.days_absent.nyc_flights": 1,
    }


def test_only_the_runs_of_this_task_are_told(task: Workspace, warehouse_settings: Settings) -> None:
    run(task, "ingest", "nyc_flights")
    context = replace(task.context, now=NOW + timedelta(hours=1))
    later = replace(task, context=context)
    run(later, "features", "nyc_flights")
    run(replace(task, context=replace(context, airflow_run_id="another")), "score", "flight_delay")
    assert {name.split(".")[0] for name in read(later)} == {"features"}


def test_a_stage_that_failed_is_told_too(task: Workspace) -> None:
    with (
        pytest.raises(OSError, match="disk full"),
        stage_run(
            task.warehouse, "features", "nyc_flights", Window.night(DAY), task.context
        ) as running,
    ):
        running.begin([DAY])
        raise OSError("disk full")
    found = read(task)
    assert found["features.runs.nyc_flights.failed"] == 1
    assert "features.hours_behind.nyc_flights" not in found, "no day is done"


def test_the_quality_of_the_newest_day_is_told(task: Workspace) -> None:
    row = {"dataset": "nyc_flights", "table_name": "flights", "column_name": "", "metric": "rows"}
    landed = row | {"table_name": "", "metric": "hours_to_land", "value": 0.75, "unusual": None}
    insert(
        task,
        monitoring_tables.data_quality,
        row | {"data_day": DAY, "value": 300.0, "unusual": True},
        landed | {"data_day": DAY},
        row | {"data_day": DAY - timedelta(days=1), "value": 200.0, "unusual": True},
    )
    run(task, "quality", "nyc_flights")
    found = read(task)
    assert found["quality.unusual.nyc_flights"] == 1
    assert found["quality.hours_to_land.nyc_flights"] == 0.75


def test_the_newest_drift_and_performance_are_told(task: Workspace) -> None:
    run(task, "monitor", "flight_delay")
    run(task, "performance", "flight_delay")
    assert not [name for name in read(task) if name.startswith(("drift", "performance.auc"))]

    verdict = {"use_case": "flight_delay", "model_version": "1", "notable": False, "words": "x"}
    verdict |= {"drifted": False, "moved": 0, "watched": 24, "weight": 0.0}
    insert(
        task,
        monitoring_tables.drift_verdicts,
        verdict | {"data_day": DAY - timedelta(days=1)},
        verdict | {"data_day": DAY, "drifted": True, "moved": 6, "weight": 0.4},
    )
    measured = {"use_case": "flight_delay", "slice": "all", "label_coverage": 0.98, "n": 900}
    newest = measured | {"target_date": DAY - timedelta(days=2), "model_version": "2"}
    insert(
        task,
        monitoring_tables.model_performance,
        newest | {"metric": "auc", "value": 0.66},
        newest | {"metric": "precision", "value": None},
        newest | {"metric": "auc", "value": 0.9, "slice": "origin=EWR"},
        newest | {"metric": "auc", "value": 0.5, "model_version": "1", "n": 20},
        newest | {"metric": "auc", "value": 0.7, "target_date": DAY - timedelta(days=3)},
    )
    found = read(task)
    assert found["drift.drifted.flight_delay"] == 1
    assert found["drift.moved_share.flight_delay"] == 0.25
    assert found["drift.weight.flight_delay"] == 0.4
    assert found["performance.auc.flight_delay"] == 0.66
    assert found["performance.label_coverage.flight_delay"] == 0.98
    assert found["performance.rows.flight_delay"] == 900
    assert "performance.precision.flight_delay" not in found


def test_a_pipe_that_breaks_does_not_fail_the_task(
    task: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Any:
        raise RuntimeError("no exporter")

    monkeypatch.setenv("AIRFLOW__METRICS__OTEL_ON", "True")
    run(task, "ingest", "nyc_flights")
    stats.initialize(factory=broken, export_legacy_names=False)
    try:
        metrics.send(task)
    finally:
        stats.initialize(factory=NoStatsLogger, export_legacy_names=False)
    assert "metrics were not sent" in caplog.text and "no exporter" in caplog.text


def test_without_a_pipe_the_warehouse_is_not_asked(
    task: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readings, "read", lambda _: pytest.fail("the warehouse was read"))
    metrics.send(task)


def emitted(home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a stage in a process like a task's, with Airflow configured by variables."""
    variables = {name: value for name, value in os.environ.items() if "AIRFLOW" not in name}
    return subprocess.run(
        [sys.executable, "-m", "tests.orchestration.emitting"],
        cwd=REPOSITORY,
        env={**variables, "NIGHTSHIFT_HOME": str(home), **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Collector(BaseHTTPRequestHandler):
    """An OpenTelemetry collector: takes metrics over HTTP and keeps them."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collecting() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        server.requests = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", server.requests  # type: ignore[attr-defined]
        server.shutdown()


def points(requests: list[tuple[str, bytes]]) -> dict[str, tuple[float, dict[str, str]]]:
    """Return name → value and tags of what a collector got, Nightshift's only."""
    found = {}
    for path, body in requests:
        assert path == "/v1/metrics"
        request = ExportMetricsServiceRequest.FromString(body)
        for resource in request.resource_metrics:
            for metric in (it for scope in resource.scope_metrics for it in scope.metrics):
                data = getattr(metric, metric.WhichOneof("data"))
                for point in data.data_points:
                    tags = {it.key: it.value.string_value for it in point.attributes}
                    if hasattr(point, "as_double"):
                        value = getattr(point, point.WhichOneof("value"))
                    else:
                        value = point.sum
                    found[metric.name] = (value, tags)
    return {name: it for name, it in found.items() if ".nightshift." in name}


def test_opentelemetry_gets_what_a_task_did_that_failed(home: Path) -> None:
    with collecting() as (endpoint, requests):
        process = emitted(
            home,
            AIRFLOW__METRICS__OTEL_ON="True",
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            STOP="1",
        )
    assert process.returncode == 1 and "too few rows" in process.stderr
    found = points(requests)
    subject = {"subject": "nyc_flights"}
    assert found["airflow.nightshift.ingest.runs"] == (1, subject | {"status": "stopped"})
    assert found["airflow.nightshift.ingest.rows_in"] == (842, subject)
    assert found["airflow.nightshift.ingest.rows_held"] == (2, subject)
    assert found["airflow.nightshift.ingest.days_stopped"] == (1, subject)
    took, of = found["airflow.nightshift.ingest.duration"]
    assert 0 < took < 60_000 and of == subject


def test_a_collector_that_is_down_does_not_fail_the_task(home: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        process = emitted(
            home,
            AIRFLOW__METRICS__OTEL_ON="True",
            OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
            OTEL_EXPORTER_OTLP_TIMEOUT="1",
        )
    assert process.returncode == 0, process.stderr[-2000:]
    assert "1 day done (2013-10-07)" in process.stdout


@pytest.mark.parametrize("tagged", [False, True])
def test_statsd_gets_what_the_task_did(home: Path, tagged: bool) -> None:
    pytest.importorskip("statsd", reason="Airflow's StatsD client is not installed")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        process = emitted(
            home,
            AIRFLOW__METRICS__STATSD_ON="True",
            AIRFLOW__METRICS__STATSD_HOST="127.0.0.1",
            AIRFLOW__METRICS__STATSD_PORT=str(listener.getsockname()[1]),
            AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED=str(tagged),
        )
        listener.setblocking(False)
        lines = set()
        with pytest.raises(BlockingIOError):
            while True:
                lines.add(listener.recv(4096).decode())
    assert process.returncode == 0, process.stderr[-2000:]
    if tagged:
        assert "airflow.nightshift.ingest.rows_in,subject=nyc_flights:842|g" in lines
        assert "airflow.nightshift.ingest.runs,subject=nyc_flights,status=done:1|c" in lines
    else:
        assert "airflow.nightshift.ingest.rows_in.nyc_flights:842|g" in lines
        assert "airflow.nightshift.ingest.runs.nyc_flights.done:1|c" in lines
