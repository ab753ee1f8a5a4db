"""The DAG files of the repository, parsed as Airflow parses them."""

from __future__ import annotations

import tests.airflow_home  # noqa: F401 - before airflow

# isort: split
import pytest
from airflow.dag_processing.dagbag import DagBag

from include.settings import REPOSITORY

DAGS = REPOSITORY / "dags"


@pytest.fixture(scope="session")
def bag() -> DagBag:
    return DagBag(DAGS)
