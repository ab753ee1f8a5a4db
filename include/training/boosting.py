"""XGBoost, imported in the one way that shares a machine with others."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# OpenMP reads this once, when it is loaded. Its threads otherwise spin while they wait for one
# another, and beside Airflow's own processes on two cores a fit takes five times as long.

import xgboost as xgb

__all__ = ["THREADS", "xgb"]

THREADS = 2
"""Threads of XGBoost. Fixed, so that what a model costs is the same everywhere."""
