"""The leak gate: every kind is refused by name, with its evidence and what to do next."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from include.errors import DataError, LeakFound
from include.training import availability, leakage
from include.training.availability import Change
from include.training.frame import TrainingFrame
from include.workspace import Workspace
from tests.faults.matrix import Fault, meets
from tests.model_nights import AS_OF, CASE, training_frame
from tests.real_frames import LABEL

pytestmark = pytest.mark.parametrize("warehouse_settings", ["sqlite"], indirect=True)

DATA = training_frame()
LATE = DATA.frame[LABEL].to_numpy()
DRAWN = np.random.default_rng(11)


def planted(**columns: Any) -> TrainingFrame:
    """The sample with more features."""
    return replace(DATA, frame=DATA.frame.assign(**columns), features=(*DATA.features, *columns))


def refused(workspace: Workspace, data: TrainingFrame, **case: Any) -> LeakFound:
    with pytest.raises(LeakFound) as found:
        leakage.refuse(workspace, replace(CASE, **case), data, AS_OF)
    json.dumps(found.value.evidence, allow_nan=False)
    return found.value


def test_real_flights_pass_and_what_was_done_is_logged(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="include.training"):
        leakage.refuse(workspace, CASE, DATA, AS_OF)
    assert "strongest alone is " in caplog.text and "strongest pair is " in caplog.text
    assert "not checked, the lake has no table nyc_flights/flights" in caplog.text


@meets(
    Fault(
        "The model",
        "a column that knows the label is among the features",
        "train: the leak gate",
        "the model is refused, and the column named",
    )
)
def test_a_feature_that_tells_the_target_is_refused(workspace: Workspace) -> None:
    noisy = np.where(DRAWN.random(len(LATE)) < 0.03, 1 - LATE, LATE)
    error = refused(workspace, planted(arrived_late=noisy))
    assert isinstance(error, DataError)
    assert error.features == ("arrived_late",)
    (evidence,) = error.evidence
    assert (evidence["kind"], evidence["features"]) == ("alone", ["arrived_late"])
    assert 0.94 < evidence["auc"] < 1 and evidence["limit"] == 0.9
    assert evidence["rows"] == len(LATE)
    text = str(error)
    assert f"arrived_late alone tells late 1 and 0 apart with AUC {evidence['auc']:.3f}" in text
    assert "limit 0.9" in text and f"{len(LATE):,} rows" in text
    assert "flight_delay: 1 leak found, nothing was fitted" in text
    assert "flight_delay_v1 or Training.schedule_features" in text and "Gate.leak_auc" in text


def test_missing_values_that_tell_the_target_are_refused(workspace: Workspace) -> None:
    gate_time = np.where(LATE == 1, np.nan, DRAWN.uniform(0, 60, len(LATE)))
    assert refused(workspace, planted(gate_time=gate_time)).features == ("gate_time",)


def test_a_category_that_tells_the_target_is_refused(workspace: Workspace) -> None:
    status = np.where(LATE == 1, DRAWN.choice(["late", "very late"], len(LATE)), "landed")
    data = replace(planted(status=status), categorical=(*DATA.categorical, "status"))
    assert refused(workspace, data).features == ("status",)


@pytest.mark.parametrize("sign", [1, -1])
def test_two_features_that_tell_the_target_together_are_refused(
    workspace: Workspace, sign: int
) -> None:
    delay = np.where(LATE == 1, 15.0, -16.0) + DRAWN.integers(0, 15, len(LATE))
    planned = DRAWN.integers(0, 40_000, len(LATE)).astype(float)
    error = refused(workspace, planted(planned=planned, actual=delay - sign * planned))
    assert error.features == ("planned", "actual")
    (evidence,) = error.evidence
    formula = f"planned {'+' if sign > 0 else '−'} actual"
    assert (evidence["kind"], evidence["formula"]) == ("pair", formula)
    assert evidence["auc"] > 0.98
    assert f"{formula} tells late 1 and 0 apart with AUC {evidence['auc']:.3f}" in str(error)


def test_a_feature_that_leaks_alone_is_not_told_again_in_pairs(workspace: Workspace) -> None:
    error = refused(workspace, planted(late_flag=LATE, minutes=LATE * 30.0))
    assert error.features == ("late_flag", "minutes")
    assert [it["kind"] for it in error.evidence] == ["alone", "alone"]
    assert "2 leaks found" in str(error)


def test_a_regression_is_told_in_its_words(workspace: Workspace) -> None:
    delay = DRAWN.exponential(30, len(LATE))
    data = planted(air_time=delay + DRAWN.normal(0, 1, len(LATE)))
    data = replace(data, frame=data.frame.assign(**{LABEL: delay}))
    error = refused(workspace, data, task="regression")
    assert error.features == ("air_time",)
    assert "tells high and low late apart" in str(error)


def test_the_declared_limit_counts(workspace: Workspace) -> None:
    error = refused(workspace, DATA, gate=replace(CASE.gate, leak_auc=0.57))
    assert {it["kind"] for it in error.evidence} == {"alone", "pair"}
    assert f"and {len(error.evidence) - leakage.SHOWN} more: " in str(error)
    assert all(it["auc"] >= 0.57 for it in error.evidence)
    assert all(name in str(error) for name in error.features)


def test_an_unavailable_feature_is_told_with_both_values(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Finding such features on a real lake is tested in `test_availability`."""
    change = Change(
        source="origin_weather",
        feature="origin_weather__temp",
        day=date(2013, 4, 16),
        key={"origin": "EWR"},
        used=60.1,
        known=float("nan"),
        changed=3,
        rows=3,
    )
    monkeypatch.setattr(availability, "find_changes", lambda *_: [change])
    error = refused(workspace, DATA)
    assert error.features == ("origin_weather__temp",)
    (evidence,) = error.evidence
    assert evidence["kind"] == "availability"
    assert (evidence["used"], evidence["known"]) == (60.1, None)
    assert evidence["key"] == {"origin": "EWR"} and evidence["day"] == "2013-04-16"
    text = str(error)
    assert (
        "origin_weather__temp (origin_weather) of data day 2013-04-16 changes when rows known "
        "only after the cut-off (2013-04-17 04:00 UTC) are removed: for origin EWR it is 60.1 in "
        "the training data and missing from what was known, and 3 of 3 row(s) of the day change"
    ) in text
    first, last = min(DATA.frame["data_day"]), max(DATA.frame["data_day"])
    assert f"./nightshift features nyc_flights --from {first} --to {last}" in text
    assert "Gate.leak_auc" not in text
