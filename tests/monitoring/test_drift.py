"""Drift: planted moves are found, quiet days stay quiet, verdicts say what moved."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from include.declare_model import Monitoring
from include.monitoring.drift import Drift, Verdict, judge, measure
from include.training.reference import PREDICTION
from include.training.split import as_days
from tests.model_nights import CASE, fitted, frames
from tests.real_frames import feature_names


def _scored(rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return rows of the reference's own span, which no one would call drifted, as scored."""
    known = frames() if rows is None else rows
    inside = known["target_date"].between(date(2013, 4, 5), date(2013, 4, 18))
    found = known[inside].reset_index(drop=True)
    return found.assign(**{PREDICTION: fitted().model.predict(found)})


def _measure(rows: pd.DataFrame) -> list[Drift]:
    found, blocks = np.unique(as_days(rows["data_day"]), return_inverse=True)
    days = [day.item() for day in found]
    return measure(fitted().reference, rows, days, blocks, fitted().model.facts.importance)


def _verdicts(rows: pd.DataFrame) -> list[Verdict]:
    return judge(_measure(rows), CASE.monitoring, fitted().model.facts.words)


def test_quiet_days_are_quiet() -> None:
    verdicts = _verdicts(_scored())
    assert len(verdicts) == 14
    assert not any(verdict.drifted for verdict in verdicts)
    assert verdicts[0].columns == len(feature_names()) - 1, "the day of the week is ignored"


def test_a_unit_change_is_found_in_its_column_and_day_alone() -> None:
    rows = _scored()
    struck = rows["data_day"] == date(2013, 4, 10)
    planted = rows.assign(distance=rows["distance"] * np.where(struck, 1.609, 1.0))
    before = {(d.data_day, d.column): d for d in _measure(rows)}
    changed = [d for d in _measure(planted) if d != before[d.data_day, d.column]]

    (drift,) = changed
    assert (drift.column, drift.data_day) == ("distance", date(2013, 4, 10))
    assert drift.drifted and not before[drift.data_day, "distance"].drifted
    assert drift.value is not None and drift.value > drift.threshold


def test_a_moved_category_is_found() -> None:
    rows = _scored()
    planted = rows.assign(carrier=rows["carrier"].where(rows["carrier"] != "UA", "ZZ"))
    moved = [drift for drift in _measure(planted) if drift.column == "carrier"]
    assert all(drift.drifted and drift.method == "jensenshannon" for drift in moved)


def test_many_moved_columns_make_a_drifted_night_in_words() -> None:
    rows = _scored()
    rates = [name for name in feature_names() if "late_rate" in name or "flights_" in name]
    planted = rows.assign(**{name: rows[name] + 9 * rows[name].std() for name in rates})
    verdicts = _verdicts(planted)

    assert all(verdict.drifted and verdict.notable for verdict in verdicts)
    assert verdicts[0].words.startswith("drift: ")
    assert f"of {verdicts[0].columns} columns moved" in verdicts[0].words


def test_a_column_that_vanishes_has_drifted_and_has_no_value() -> None:
    rows = _scored().assign(plane__seats=np.nan)
    drifts = [drift for drift in _measure(rows) if drift.column == "plane__seats"]
    assert all(drift.drifted and drift.value is None for drift in drifts)
    assert "all missing" in " ".join(
        verdict.words for verdict in judge(drifts, CASE.monitoring, {})
    )


def test_moved_predictions_are_worth_reading_but_no_drift_of_features() -> None:
    rows = _scored()
    verdicts = _verdicts(rows.assign(**{PREDICTION: rows[PREDICTION] + 0.3}))
    assert all(verdict.notable and not verdict.drifted for verdict in verdicts)
    assert " above " in verdicts[0].words.rpartition("; predictions ")[2]


def test_a_day_measures_the_same_in_any_window() -> None:
    rows = _scored()
    together = _measure(rows)
    alone = [
        drift for _, night in rows.groupby("data_day") for drift in _measure(night.reset_index())
    ]
    assert together == alone


def _drift(column: str, *, drifted: bool, importance: float) -> Drift:
    day = date(2013, 10, 1)
    value = 0.4 if drifted else 0.1
    return Drift(day, column, "feature", "wasserstein", value, 0.2, drifted, importance)


@pytest.mark.parametrize(("moved", "drifted"), [(1, False), (2, True), (3, True)])
def test_the_declared_share_decides(moved: int, drifted: bool) -> None:
    columns = [_drift(f"c{n}", drifted=n < moved, importance=0.1) for n in range(4)]
    (verdict,) = judge(columns, Monitoring(drifted_share=0.5), {})
    assert (verdict.drifted, verdict.moved) == (drifted, moved)


def test_what_matters_most_to_the_model_is_named_first() -> None:
    columns = [
        _drift("a", drifted=True, importance=0.1),
        _drift("b", drifted=True, importance=0.7),
        _drift("c", drifted=False, importance=0.9),
    ]
    (verdict,) = judge(columns, Monitoring(), {"b": "how far it flies"})
    assert "first how far it flies (0.40 above 0.20), a (0.40 above 0.20)" in verdict.words
