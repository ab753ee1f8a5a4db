"""Evidently with its defaults, as somebody would use it who has read its first page."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from include.settings import TELEMETRY_OFF


@dataclass(frozen=True)
class Opinion:
    """What Evidently says of a night.

    Attributes:
        distances: column → how far it is.
        share: of columns that it calls drifted.
    """

    distances: Mapping[str, float]
    share: float


def wake() -> None:
    """Import Evidently, which takes longer than a question."""
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)
    importlib.import_module("evidently.presets")


def ask(
    sample: pd.DataFrame, night: pd.DataFrame, columns: Sequence[str], categorical: Sequence[str]
) -> Opinion:
    """Let Evidently compare some columns of a night with the same reference that we have."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(
        numerical_columns=[name for name in columns if name not in categorical],
        categorical_columns=[name for name in columns if name in categorical],
    )
    current, expected = (
        Dataset.from_pandas(side[list(columns)].reset_index(drop=True), data_definition=definition)
        for side in (night, sample)
    )
    preset = DataDriftPreset(columns=list(columns), include_tests=False)
    distances: dict[str, float] = {}
    share = 0.0
    for metric in Report([preset]).run(current, expected).dict()["metrics"]:
        if "column" in metric.get("config", {}):
            distances[metric["config"]["column"]] = float(metric["value"])
        else:
            share = float(metric["value"]["share"])
    return Opinion(distances, share)
