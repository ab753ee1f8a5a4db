"""What every task has in common: owner, retries, time-outs, what happens on failure."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from include.errors import TransientError
from include.settings import Settings

log = logging.getLogger(__name__)

NIGHTLY_TIMEOUT = timedelta(hours=2)
"""A night takes minutes; beyond this something hangs."""

WINDOW_TIMEOUT = timedelta(hours=12)
"""For backfill and training, which work on months."""

RETRIES = 4

RETRY_POLICY = ExceptionRetryPolicy(
    rules=[
        RetryRule(
            exception=[TransientError, ConnectionError, TimeoutError],
            action=RetryAction.RETRY,
            reason="may pass by itself: trying again later",
        ),
    ],
    # Everything else needs a person or other input. A task that was killed raises nothing
    # and is tried again by its `retries` alone.
    default=RetryAction.FAIL,
)


def default_args(owner: str) -> dict[str, Any]:
    """Return the arguments every task starts from."""
    return {
        "owner": owner,
        "retries": RETRIES,
        "retry_policy": RETRY_POLICY,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "execution_timeout": NIGHTLY_TIMEOUT,
        "on_failure_callback": report_failure,
    }


LONG_OVER = datetime(1970, 1, 2, tzinfo=UTC)


def schedules_are_on(env: Mapping[str, str] | None = None) -> bool:
    """Return whether cron DAGs fire; raises `ConfigurationError` for a value not understood."""
    value = (os.environ if env is None else env).get("NIGHTSHIFT_SCHEDULES", "on")
    return Settings.from_env({"NIGHTSHIFT_SCHEDULES": value}, code_revision="not read").schedules


def report_failure(context: Mapping[str, Any]) -> None:
    """Log one line that says what failed, for which day and why."""
    task = context["ti"]
    run = context.get("dag_run")
    day = context.get("partition_key") or (getattr(run, "conf", None) or {}).get("partition_key")
    error = context.get("exception")
    why = f"{type(error).__name__}: {error}" if error is not None else "no reason was given"
    log.error(
        "FAILED %s · %s%s · run %s · %s",
        task.dag_id,
        task.task_id,
        f" · day {day}" if day else "",
        task.run_id,
        why,
    )
