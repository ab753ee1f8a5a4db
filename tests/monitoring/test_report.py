"""Evidently's page says the same as our numbers, needs no network, and is written whole."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from include.monitoring import report
from include.monitoring.drift import measure
from include.training.reference import PREDICTION
from tests.model_nights import NIGHTS, fitted, frames


def test_our_numbers_are_evidently_s(tmp_path: Path) -> None:
    rows = frames()
    night = rows[rows["data_day"] == NIGHTS.start].reset_index(drop=True)
    night = night.assign(**{PREDICTION: fitted().model.predict(night)})
    profile = fitted().reference
    blocks = np.zeros(len(night), dtype=np.intp)
    ours = {
        drift.column: drift.value for drift in measure(profile, night, [NIGHTS.start], blocks, {})
    }
    definition = DataDefinition(
        numerical_columns=[c.name for c in profile.columns if c.method == "wasserstein"],
        categorical_columns=[c.name for c in profile.columns if c.method == "jensenshannon"],
    )
    names = [column.name for column in profile.columns]
    preset = DataDriftPreset(
        columns=names,
        per_column_method={column.name: column.method for column in profile.columns},
        include_tests=False,
    )
    current, expected = (
        Dataset.from_pandas(side[names], data_definition=definition)
        for side in (night, profile.sample)
    )
    found = Report([preset]).run(current, expected).dict()["metrics"]
    theirs = {
        metric["config"]["column"]: metric["value"]
        for metric in found
        if "column" in metric.get("config", {})
    }

    assert set(theirs) == set(ours)
    for name, value in ours.items():
        assert value == pytest.approx(theirs[name], rel=1e-6, abs=1e-9), name


def test_a_page_is_whole_and_needs_no_network(tmp_path: Path) -> None:
    rows = frames()
    night = rows[rows["data_day"] == NIGHTS.start]
    night = night.assign(**{PREDICTION: 0.2, "plane__seats": np.nan})
    path = report.path_of(tmp_path, "flight_delay", NIGHTS.start)
    report.write(path, fitted().reference, night, drifted_share=0.5)

    text = path.read_text(encoding="utf-8")
    assert path == tmp_path / "reports" / "flight_delay" / f"{NIGHTS.start}.html"
    assert "<script src=" not in text.replace("'", '"')
    assert "carrier_delays__late_rate_7d" in text
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_page_that_fails_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = frames()
    night = rows[rows["data_day"] == NIGHTS.start].assign(**{PREDICTION: 0.2})
    path = report.path_of(tmp_path, "flight_delay", date(2013, 4, 21))

    def die(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(report, "write_aside", die)
    with pytest.raises(OSError, match="disk full"):
        report.write(path, fitted().reference, night, drifted_share=0.5)
    assert not path.exists()


def test_the_nightly_stages_import_neither_mlflow_nor_evidently() -> None:
    script = (
        "import sys, json, include.scoring.score, include.monitoring.monitor\n"
        "print(json.dumps(sorted({'mlflow', 'evidently', 'airflow'} & set(sys.modules))))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(found.stdout) == []
