"""Evidently's drift report of one night: a page for the nights worth reading."""

from __future__ import annotations

import os
import tempfile
from datetime import date
from pathlib import Path

import pandas as pd

from include.settings import TELEMETRY_OFF
from include.training.model import write_aside
from include.training.reference import Reference

SAMPLE_ROWS = 5_000
"""Most rows of each side in a report: the page embeds them, and Evidently holds them all."""


def path_of(home: Path, use_case: str, day: date) -> Path:
    """Return where the report of a data day is."""
    return home / "reports" / use_case / f"{day}.html"


def write(path: Path, reference: Reference, frame: pd.DataFrame, drifted_share: float) -> None:
    """Write the report of one night, whole or not at all.

    Columns without any value on either side are left out; Evidently refuses them.
    """
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)
    from evidently import DataDefinition, Dataset, Report  # 5 s: only where a page is written
    from evidently.presets import DataDriftPreset

    ours, theirs = _sample(frame), _sample(reference.sample)
    columns = [c for c in reference.columns if ours[c.name].notna().any()]
    columns = [c for c in columns if theirs[c.name].notna().any()]
    categorical = [c.name for c in columns if c.method == "jensenshannon"]
    numerical = [c.name for c in columns if c.method != "jensenshannon"]
    definition = DataDefinition(numerical_columns=numerical, categorical_columns=categorical)
    preset = DataDriftPreset(
        columns=[c.name for c in columns],
        drift_share=drifted_share,
        per_column_method={c.name: c.method for c in columns},
        per_column_threshold={c.name: c.threshold for c in columns},
        include_tests=False,
    )
    names = [*numerical, *categorical]
    current, expected = (
        Dataset.from_pandas(side[names].reset_index(drop=True), data_definition=definition)
        for side in (ours, theirs)
    )
    snapshot = Report([preset]).run(current, expected)
    with tempfile.TemporaryDirectory(prefix="nightshift-report-") as folder:
        page = Path(folder) / "report.html"
        snapshot.save_html(str(page))
        write_aside(path, page.read_bytes())


def _sample(frame: pd.DataFrame) -> pd.DataFrame:
    if len(frame) <= SAMPLE_ROWS:
        return frame
    return frame.sample(SAMPLE_ROWS, random_state=0).sort_index()
