"""Drift: planted moves are found in what they touch, in words, and quiet nights stay quiet."""

from __future__ import annotations

import re
from datetime import date

import numpy as np
import pandas as pd
import pytest

from include.monitoring.drift import Drift, measure, measure_labels
from include.monitoring.verdict import Verdict, judge
from include.training.reference import DECISION, PREDICTION, decided
from include.training.split import as_days
from tests.model_nights import CASE, fitted, frames
from tests.real_frames import feature_names

STRUCK = date(2013, 4, 10)
NO_LABELS = np.zeros(0)


def _scored(rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return rows of the reference's own span, which no one would call drifted, as scored."""
    known = frames() if rows is None else rows
    inside = known["target_date"].between(date(2013, 4, 5), date(2013, 4, 18))
    found = known[inside].reset_index(drop=True)
    return _said(found.assign(**{PREDICTION: fitted().model.predict(found)}))


def _said(rows: pd.DataFrame) -> pd.DataFrame:
    threshold = fitted().model.facts.threshold
    assert threshold is not None
    return rows.assign(**{DECISION: decided(rows[PREDICTION].to_numpy(), threshold)})


def _measure(rows: pd.DataFrame) -> list[Drift]:
    found, blocks = np.unique(as_days(rows["data_day"]), return_inverse=True)
    days = [day.item() for day in found]
    return measure(fitted().reference, rows, days, blocks, fitted().model.facts.importance)


def _verdicts(rows: pd.DataFrame) -> list[Verdict]:
    return judge(_measure(rows), CASE.monitoring, fitted().model.facts.words)


def _changes(rows: pd.DataFrame, planted: pd.DataFrame) -> list[Drift]:
    """Return what a planted change makes different."""
    before = {(d.data_day, d.kind, d.column): d for d in _measure(rows)}
    return [d for d in _measure(planted) if d != before[d.data_day, d.kind, d.column]]


def test_quiet_days_are_quiet() -> None:
    verdicts = _verdicts(_scored())
    assert len(verdicts) == 14
    assert not any(verdict.drifted for verdict in verdicts)
    assert verdicts[0].columns == len(feature_names()) - 1, "the day of the week is ignored"


def test_a_unit_change_is_found_in_its_column_and_day_alone() -> None:
    rows = _scored()
    struck = rows["data_day"] == STRUCK
    (drift,) = _changes(rows, rows.assign(distance=rows["distance"] * np.where(struck, 1.609, 1.0)))

    assert (drift.column, drift.kind, drift.data_day) == ("distance", "feature", STRUCK)
    assert drift.drifted and drift.value is not None and drift.value > drift.threshold
    before, after = fitted().reference.sample["distance"].mean(), rows["distance"][struck].mean()
    assert drift.words == f"{1.609 * after:,.0f} on average instead of {before:,.0f}"


def test_a_wider_spread_is_told_as_one() -> None:
    rows = _scored()
    values = rows["departure_minute"]
    wider = values.mean() + 3 * (values - values.mean())
    moved = [
        drift
        for drift in _measure(rows.assign(departure_minute=wider))
        if (drift.column, drift.kind) == ("departure_minute", "feature")
    ]
    assert all(re.match(r"mostly -\d+ to [\d,]+ instead of", it.words or "") for it in moved)


def test_a_moved_category_is_found_by_distance_and_by_name() -> None:
    rows = _scored()
    planted = rows.assign(carrier=rows["carrier"].where(rows["carrier"] != "UA", "ZZ"))
    found = {(d.kind, d.data_day): d for d in _measure(planted) if d.column == "carrier"}
    moved, unseen = found["feature", STRUCK], found["categories", STRUCK]

    assert moved.drifted and moved.method == "jensenshannon"
    assert moved.words is not None and moved.words.startswith(("UA 0% instead of", "ZZ "))
    share = (planted.loc[planted["data_day"] == STRUCK, "carrier"] == "ZZ").mean()
    assert unseen.value == pytest.approx(share)
    assert unseen.words == (f"{share:.0%} in categories the model has not seen, most often ZZ")


def test_known_categories_are_those_of_all_rows_and_not_of_the_sample() -> None:
    rows = _scored()
    profile = fitted().reference
    rare = set(rows["dest"]) - set(profile.sample["dest"])
    assert rare, "some destinations are too rare for the sample"
    assert not any(d.drifted for d in _measure(rows) if d.kind == "categories")


def test_missing_values_are_found_before_all_are_missing() -> None:
    rows = _scored()
    struck = (rows["data_day"] == STRUCK) & (np.arange(len(rows)) % 2 == 0)
    changed = _changes(rows, rows.assign(distance=rows["distance"].astype(float).mask(struck)))
    found = {drift.kind: drift for drift in changed}

    assert found["missing"].drifted and not found["feature"].drifted
    assert found["missing"].words in {f"{n}% missing instead of 0%" for n in (49, 50, 51)}
    assert found["missing"].importance == fitted().model.facts.importance["distance"]


def test_a_column_that_vanishes_has_drifted_and_has_no_value() -> None:
    rows = _scored().assign(plane__seats=np.nan)
    drifts = [drift for drift in _measure(rows) if drift.column == "plane__seats"]
    gone = [drift for drift in drifts if drift.kind == "feature"]
    assert len(gone) == 14 and all(drift.drifted and drift.value is None for drift in gone)
    assert all("all missing" in it.words for it in judge(drifts, CASE.monitoring, {}))


def test_moved_predictions_move_the_decisions() -> None:
    rows = _scored()
    planted = _said(rows.assign(**{PREDICTION: rows[PREDICTION] + 0.3}))
    found = {d.kind: d for d in _changes(rows, planted) if d.data_day == STRUCK}

    assert set(found) == {"prediction", "decision"}
    assert found["prediction"].drifted and found["decision"].drifted
    assert found["decision"].words is not None
    assert found["decision"].words.startswith("100% instead of")
    assert found["decision"].words.endswith("decided positive")


@pytest.mark.parametrize(("part", "drifted"), [(1, False), (3, True)])
def test_a_night_with_a_third_of_its_rows_has_an_unusual_volume(part: int, drifted: bool) -> None:
    rows = _scored().iloc[::part].reset_index(drop=True)
    found = [drift for drift in _measure(rows) if drift.kind == "volume"]
    assert [drift.column for drift in found] == ["rows"] * 14
    assert all(drift.drifted == drifted for drift in found)
    assert all((drift.words or "").count("rows instead of about") == drifted for drift in found)


def test_labels_are_measured_where_there_are_some() -> None:
    days, blocks = [STRUCK, date(2013, 4, 11)], np.repeat([0, 1], 400)
    rate = fitted().reference.sample["label"].mean()
    usual = np.resize([1.0] + [0.0] * (round(1 / rate) - 1), 400)
    labels = np.concatenate([usual, np.ones(400)])
    quiet, moved = measure_labels(fitted().reference, labels, days, blocks)

    assert not quiet.drifted and moved.drifted
    assert moved.words == f"100% instead of {rate:.0%} positive"
    assert measure_labels(fitted().reference, NO_LABELS, [], np.zeros(0, dtype=np.intp)) == []


def test_a_day_measures_the_same_in_any_window() -> None:
    rows = _scored()
    planted = rows.assign(
        carrier=rows["carrier"].where(rows["data_day"] != STRUCK, "ZZ"),
        plane__seats=rows["plane__seats"].mask(rows["data_day"] > STRUCK),
    )
    together = _measure(planted)
    alone = [
        drift
        for _, night in planted.groupby("data_day")
        for drift in _measure(night.reset_index(drop=True))
    ]
    assert together == alone


def test_the_order_of_rows_does_not_matter() -> None:
    rows = _scored().assign(distance=lambda frame: frame["distance"] * 1.609)
    mixed = rows.sample(frac=1, random_state=0).reset_index(drop=True)
    assert _measure(mixed) == _measure(rows)
