from __future__ import annotations

import logging
from datetime import date
from types import SimpleNamespace

import pytest
from airflow.sdk import RetryAction

from include import errors
from include.errors import ConfigurationError
from include.orchestration.policy import RETRY_POLICY, report_failure, schedules_are_on


@pytest.mark.parametrize(
    "error",
    [
        errors.TransientError("x"),
        errors.LockHeld("x"),
        errors.SourceUnreachable("x"),
        errors.StorageUnavailable("x"),
        ConnectionResetError("x"),
        TimeoutError("x"),
    ],
)
def test_what_may_pass_by_itself_is_tried_again(error: Exception) -> None:
    decision = RETRY_POLICY.evaluate(error, try_number=1, max_tries=4)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is None, "the delay must grow from try to try"


@pytest.mark.parametrize(
    "error",
    [
        errors.DataError("x"),
        errors.SchemaBreak("x"),
        errors.NoChampion("x"),
        errors.RowsLost("x"),
        errors.DaysStopped("online", "nyc_flights", {date(2013, 10, 7): "online differs"}),
        errors.UsageError("x"),
        errors.ConfigurationError("x"),
        ValueError("a mistake in the code"),
    ],
)
def test_what_needs_a_person_fails_at_once(error: Exception) -> None:
    decision = RETRY_POLICY.evaluate(error, try_number=1, max_tries=4)
    assert decision.action is RetryAction.FAIL


@pytest.mark.parametrize(
    ("env", "expected"),
    [({}, True), ({"NIGHTSHIFT_SCHEDULES": "on"}, True), ({"NIGHTSHIFT_SCHEDULES": "off"}, False)],
)
def test_schedules_are_on_unless_switched_off(env: dict[str, str], expected: bool) -> None:
    assert schedules_are_on(env) is expected


def test_an_unknown_value_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="write on or off"):
        schedules_are_on({"NIGHTSHIFT_SCHEDULES": "0"})


def test_a_failure_is_one_line_with_day_and_reason(caplog: pytest.LogCaptureFixture) -> None:
    context = {
        "ti": SimpleNamespace(dag_id="d_nightly", task_id="ingest", run_id="manual__1"),
        "partition_key": "2013-10-07",
        "exception": errors.DataError("flights: 3 rows without a carrier"),
    }
    with caplog.at_level(logging.ERROR):
        report_failure(context)

    (record,) = caplog.records
    assert record.getMessage() == (
        "FAILED d_nightly · ingest · day 2013-10-07 · run manual__1 · "
        "DataError: flights: 3 rows without a carrier"
    )
