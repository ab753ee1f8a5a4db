"""Import before airflow: it makes its home where it is told at its first import."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile

from include.settings import REPOSITORY, TELEMETRY_OFF

assert "airflow" not in sys.modules, "airflow was imported before its home was set"

FOLDER = tempfile.mkdtemp(prefix="nightshift-airflow-")
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

os.environ.update(
    TELEMETRY_OFF,
    AIRFLOW_HOME=FOLDER,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__DAGS_FOLDER=str(REPOSITORY / "dags"),
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
)
