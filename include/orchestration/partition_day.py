"""The data day a partitioned run is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from include.declare import Dataset
from include.errors import UsageError
from include.window import parse_day

HOW_TO_ENTER = "Trigger → Advanced options → Partition key: YYYY-MM-DD"


def partition_day(
    dataset: Dataset, context: Mapping[str, Any], now: datetime | None = None
) -> date:
    """Return the data day of the run that `context` describes.

    The run's partition key counts, else `partition_key` in its configuration: `dag.test()`,
    the command line and TriggerDagRunOperator cannot set a key.

    Args:
        dataset: whose days they are; its time zone says which day has ended.
        context: an Airflow task context.
        now: aware; the present when not given.

    Raises:
        AirflowFailException: there is no key, or it is no day, or no day of the dataset
            that has ended. The run fails at once, because no retry can change the key.
    """
    run = context.get("dag_run")
    conf = getattr(run, "conf", None) or {}
    key = context.get("partition_key") or conf.get("partition_key")
    if not key:
        raise AirflowFailException(
            f"this run has no partition key, so there is no data day to work on; "
            f"start it again with {HOW_TO_ENTER}"
        )
    try:
        day = parse_day(key)
    except UsageError as error:
        raise AirflowFailException(f"partition key {error} ({HOW_TO_ENTER})") from None
    newest = dataset.newest_ended_day(now or datetime.now(UTC))
    if day > newest:
        raise AirflowFailException(
            f"partition key {day} lies in the future: the last day of {dataset.name} that has "
            f"ended in {dataset.timezone} is {newest}; start again with that day or an earlier one"
        )
    if day < dataset.first_day:
        raise AirflowFailException(
            f"partition key {day} lies before the first day of {dataset.name}, "
            f"{dataset.first_day}; start again with that day or a later one"
        )
    return day
