"""Everything a stage needs, opened once at the edge and passed down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from include.lake.delta import Lake
from include.settings import Settings
from include.warehouse.engine import Warehouse, open_warehouse
from include.warehouse.stages import RunContext


@dataclass(frozen=True)
class Workspace:
    """Settings, lake and warehouse of one run, and who runs it when.

    Attributes:
        context: the time (`now()` is read here and nowhere else), code revision and, under
            Airflow, the DAG run.
    """

    settings: Settings
    lake: Lake
    warehouse: Warehouse
    context: RunContext

    @property
    def now(self) -> datetime:
        """The time of the run, UTC."""
        return self.context.now


@contextmanager
def open_workspace(
    settings: Settings,
    *,
    now: datetime | None = None,
    airflow_dag_id: str | None = None,
    airflow_run_id: str | None = None,
) -> Iterator[Workspace]:
    """Open lake and warehouse, and close them at the end."""
    warehouse = open_warehouse(settings)
    try:
        yield Workspace(
            settings=settings,
            lake=Lake(settings.lake),
            warehouse=warehouse,
            context=RunContext(
                now=now or datetime.now(UTC),
                code_revision=settings.code_revision,
                airflow_dag_id=airflow_dag_id,
                airflow_run_id=airflow_run_id,
            ),
        )
    finally:
        warehouse.dispose()
