"""Rehearsals: quiet nights are mostly quiet, planted drift is found, and sooner when larger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from statistics import mean

import numpy as np
import pandas as pd
import pytest

from bench.drift import planted, quiet, rival
from bench.drift.plan import Sizes
from bench.drift.rehearsal import (
    FalseAlarms,
    Plant,
    Shuffled,
    by_default,
    delays,
    disturb,
    false_alarms,
    lasted,
    measured,
    shuffle,
)
from tests.model_nights import CASE, fitted
from tests.real_frames import CATEGORICAL, feature_names, flights

FEATURES = [name for name in feature_names() if name != "day_of_week"]
MONITORING = replace(CASE.monitoring, false_alarm_rate=0.05)


def _importance() -> dict[str, float]:
    return dict(fitted().model.facts.importance)


@pytest.fixture(scope="module")
def shuffled() -> Shuffled:
    rows = flights("2013-02-01", "2013-08-31", 7)
    return shuffle(rows, FEATURES, CATEGORICAL, MONITORING, nights=100, seed=3)


def test_shuffled_nights_alarm_about_as_often_as_declared(shuffled: Shuffled) -> None:
    drifts = measured(shuffled.reference, shuffled.rows, _importance())

    found: FalseAlarms = false_alarms(drifts, shuffled.drawn, MONITORING)

    def mean_of(kind: str) -> float:
        return mean(it for (other, _), it in found.of_measures.items() if other == kind)

    assert found.nights == 100
    assert 0.01 < mean_of("feature") < 0.1
    assert mean_of("missing") < 0.1
    assert found.of_measures["volume", "rows"] < 0.2
    assert found.lasting <= found.of_nights + 0.02 < 0.1
    assert mean(found.default_columns.values()) > 3 * mean_of("feature")
    assert found.default_lasting <= 1
    assert found.default_nights > found.of_nights


def test_what_evidently_says_by_default_is_what_is_said_of_it(shuffled: Shuffled) -> None:
    drifts = measured(shuffled.reference, shuffled.rows, _importance())

    found = quiet.ask_evidently(shuffled, drifts, nights=2)

    said = by_default(drifts)
    assert found["compared"] == 2 * len(FEATURES)
    assert found["difference"] < 1e-6
    assert found["disagreements"] == 0
    assert found["drifted"] == sum(said[day] for day in shuffled.drawn[:2])


def test_evidently_s_own_verdict_is_asked_for(shuffled: Shuffled) -> None:
    sample = shuffled.reference.sample
    moved = sample.assign(distance=sample["distance"] * 3)

    opinion = rival.ask(sample, moved, ["distance", "carrier"], CATEGORICAL)

    assert opinion.share == 0.5
    assert opinion.distances["carrier"] == pytest.approx(0, abs=1e-6)
    assert opinion.distances["distance"] > 1


@pytest.mark.parametrize(
    ("make", "at_once"),
    [
        pytest.param(lambda *to: planted.shift(*to, 5.0), True, id="sudden"),
        pytest.param(lambda *to: planted.shift(*to, 0.5, slow=True), False, id="slow"),
        pytest.param(lambda _, columns: planted.lose(columns, 0.5), True, id="missing"),
    ],
)
def test_a_planted_drift_is_found_when_it_is_large_enough(
    shuffled: Shuffled, make: Callable[..., Plant], at_once: bool
) -> None:
    starts = [sorted(shuffled.drawn[:10]), sorted(shuffled.drawn[10:20])]
    numbers = planted.foremost(shuffled.reference, _importance(), len(FEATURES))
    undisturbed = measured(shuffled.reference, shuffled.rows, _importance())

    drifts = disturb(shuffled, starts, _importance(), make(shuffled.reference, numbers))
    found = delays(drifts, undisturbed, starts, MONITORING)

    assert len(found) == 2
    for delay in found:
        assert delay.night is not None and delay.told is not None and delay.column is not None
        assert delay.column <= delay.night < delay.told
        assert (delay.night == 1) == at_once


def test_new_categories_are_named_and_nothing_is_not(shuffled: Shuffled) -> None:
    starts = [sorted(shuffled.drawn[:5])]
    undisturbed = measured(shuffled.reference, shuffled.rows, _importance())
    plants = dict(planted.plants(shuffled.reference, FEATURES[-2:], Sizes(shifts=(), slow=())))

    def column(title: str) -> int | None:
        drifts = disturb(shuffled, starts, _importance(), plants[title])
        return delays(drifts, undisturbed, starts, MONITORING)[0].column

    assert column("new categories in 20% of rows") == 1
    assert column("nothing") is None


def test_what_is_planted_is_as_much_as_it_says() -> None:
    night = pd.DataFrame({"carrier": ["AA"] * 4000, "origin": "JFK", "dest": "BOS", "x": 1.0})

    renamed, lost = planted.rename(0.2)(night, 1), planted.lose(["x"], 0.05)(night, 1)

    assert (renamed["carrier"] == planted.NEW).mean() == pytest.approx(0.2, abs=0.03)
    assert lost["x"].isna().mean() == pytest.approx(0.05, abs=0.02)
    assert not np.array_equal(planted.rename(0.2)(night, 2)["dest"], renamed["dest"])


def test_lasting_is_n_of_the_last_m() -> None:
    said = [True, False, True, True, False, False, False, True]
    expected = [False, False, True, True, True, False, False, False]
    assert lasted(said, (2, 3)) == expected


def test_a_night_is_drifted_by_default_when_half_of_the_columns_are_far(
    shuffled: Shuffled,
) -> None:
    drifts = measured(shuffled.reference, shuffled.rows, {})
    features = [it for it in drifts if it.kind == "feature"][:2]
    day = date(2013, 5, 1)
    far, near = (replace(features[0], data_day=day, value=it) for it in (0.1, 0.09))
    assert by_default([far, near]) == {day: True}
    assert by_default([far, near, near]) == {day: False}
