"""The DAG that sees what is wrong, also nights that never started, and tells people once."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException

from include.orchestration.operations import operations_dag
from include.orchestration.tasks import task_settings, task_workspace

if TYPE_CHECKING:
    from include.incidents.book import Changes

EVERY_TEN_MINUTES = "*/10 * * * *"


def watch_dag(doc: str | None) -> DAG:
    """Return the DAG `nightshift_watch`; `doc` is the runbook shown."""
    with operations_dag(
        "nightshift_watch",
        "Say whether this morning's scores may be used, and tell people what is wrong",
        EVERY_TEN_MINUTES,
        doc,
    ) as watch:
        task(keep_watch)()
    return watch


def keep_watch() -> dict[str, Any]:
    """Bring readiness and incidents up to date, and tell people what is new.

    A look that fails as a whole, as with a warehouse that is down, is told too once it lasts.

    Raises:
        AirflowFailException: something could not be looked at, or a channel failed; all else is
            up to date and told.
    """
    from include.incidents import blindness
    from include.orchestration.alerts import channels

    settings = task_settings(os.environ)
    by = channels(settings)
    try:
        changes, failed = _look_and_tell(by)
    except Exception as error:
        blindness.tell_blind(settings, by, error, datetime.now(UTC))
        raise
    blindness.tell_seen(settings, by, datetime.now(UTC))
    trouble = [f"{name} is not watched: {why}" for name, why in changes.unseen.items()]
    trouble += [f"nobody was told by {name}: {why}" for name, why in failed.items()]
    if trouble:
        raise AirflowFailException("; ".join(trouble))
    return {"summary": changes.summary()}


def _look_and_tell(by: dict[str, Any]) -> tuple[Changes, dict[str, str]]:
    from include.incidents import book, telling

    with task_workspace() as workspace:
        return book.watch(workspace), telling.tell(workspace, by)
