"""Evidently's page says the same as our numbers, needs no network, and is written whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset

from include.declare_model import Monitoring
from include.monitoring import report
from include.monitoring.drift import measure
from include.training import profiling
from include.training.reference import PREDICTION
from tests.model_nights import NIGHTS, fitted, frames

HOSTILE = "</script><b>"


def test_our_numbers_are_evidently_s(tmp_path: Path) -> None:
    rows = frames()
    night = rows[rows["data_day"] == NIGHTS.start].reset_index(drop=True)
    night = night.assign(**{PREDICTION: fitted().model.predict(night)})
    profile = fitted().reference
    blocks = np.zeros(len(night), dtype=np.intp)
    ours = {
        drift.column: drift.value
        for drift in measure(profile, night, [NIGHTS.start], blocks, {})
        if drift.kind in ("feature", "prediction")
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
    night = night.assign(**{PREDICTION: 0.2, "plane__seats": np.nan, "origin": HOSTILE})
    night["passenger"] = "Ada Lovelace"  # no feature, so no business of the page
    path = report.path_of(tmp_path, "flight_delay", NIGHTS.start)
    report.write(path, fitted().reference, night, drifted_share=0.5)

    text = path.read_text(encoding="utf-8")
    assert path == tmp_path / "reports" / "flight_delay" / f"{NIGHTS.start}.html"
    assert re.findall(r"<(?:script|link|iframe|img)[^>]*\s(?:src|href)\s*=", text) == []
    assert re.findall(r"url\((?!data:)", text[: text.index("</head>")]) == []
    policy = text.index("Content-Security-Policy")
    assert policy < text.index("<script>"), "it holds for every script of the page"
    assert "flight_delay, night of 2013-04-21</title>" in text
    assert "Ada Lovelace" not in text and "passenger" not in text
    assert HOSTILE not in text and r"\u2039/script>\u2039b>" in text
    assert "carrier_delays__late_rate_7d" in text
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("shares", "moved"), [((0.4, 0.3, 0.2, 0.1), 0), ((0.1, 0.2, 0.3, 0.4), 1)]
)
def test_a_page_judges_chisquare_as_we_do_although_it_has_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: tuple[float, ...], moved: int
) -> None:
    random = np.random.default_rng(7)
    days = np.arange("2013-01-07", "2013-03-04", dtype="datetime64[D]").repeat(200)
    expected = pd.DataFrame(
        {"carrier": random.choice([*"abcd"], len(days), p=(0.4, 0.3, 0.2, 0.1))}
    )
    declared = Monitoring(reference_rows=2000, methods={"carrier": "chisquare"})
    profile = profiling.build(expected, days, ["carrier"], ["carrier"], declared, 1)
    night = pd.DataFrame({"carrier": random.choice([*"abcd"], 200, p=shares)})
    blocks = np.zeros(len(night), dtype=np.intp)
    drifts = measure(profile, night, [NIGHTS.start], blocks, {})
    assert [it.drifted for it in drifts if it.kind == "feature"] == [bool(moved)]
    monkeypatch.setattr(report, "SAMPLE_ROWS", 150)
    path = report.path_of(tmp_path, "flight_delay", NIGHTS.start)
    report.write(path, profile, night, drifted_share=0.5)
    assert f"({moved} out of 1)" in path.read_text(encoding="utf-8")


def test_a_page_of_another_form_is_not_passed_off_as_needing_no_network() -> None:
    assert "default-src" in report.dress("<head></head><script></script><body></body>", "a night")
    for page in ("<html><body></body>", "<script></script><head></head><body></body>"):
        with pytest.raises(ValueError, match="a new form"):
            report.dress(page, "a night")


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
