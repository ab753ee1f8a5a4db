"""Nights whose predictions cannot be right are found, whatever way they come, and busy ones not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from math import inf
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.declare_model import Sanity, Scoring
from include.scoring.batch import Batch, score_batch
from include.scoring.sanity import Figures, Moments, judge, pooled
from include.training.ledger import Entry
from include.workspace import Workspace
from tests.model_nights import AS_OF, CASE, fitted, frames, prepare
from tests.planted import NOW
from tests.scoring.models import TABLES

DAY = date(2013, 6, 30)
RNG = np.random.default_rng(7)
USUAL = RNG.beta(2, 6, 200)
"""Predictions of a usual night: mean about 0.25."""
FEATURES = ("a", "b", "c", "d")
ENTRY = Entry(1, CASE.name, "1", "0" * 64, "promoted", "test", "a test", {}, "", AS_OF, NOW)


def batch(predictions: Mapping[date, Any], missing: int = 0) -> Batch:
    """Return predictions of days, in a batch in which so many of four features are missing."""
    days = [day for day, values in predictions.items() for _ in values]
    values = np.concatenate([np.asarray(it, dtype=float) for it in predictions.values()])
    columns = {
        name: pa.array([None if place < missing else 1.0] * len(days), pa.float64())
        for place, name in enumerate(FEATURES)
    }
    rows = pd.DataFrame({"data_day": days, "prediction": values})
    return Batch(ENTRY, rows, pa.table(columns), FEATURES)


def figures(*batches: Batch) -> Figures:
    found = Figures()
    for it in batches:
        found.add(it)
    return found


def publish(connection: sa.Connection, predictions: Mapping[date, Any]) -> None:
    rows = [
        {
            "data_day": day,
            "target_date": day + timedelta(days=1),
            "time_hour": NOW,
            "carrier": "UA",
            "flight": flight,
            "prediction": float(value),
            "model_version": "1",
            "scored_at": NOW,
            "valid_from": NOW,
            "run_id": "a run",
        }
        for day, values in predictions.items()
        for flight, value in enumerate(values)
    ]
    connection.execute(sa.insert(TABLES.scores), rows)


def before(nights: int, values: Any = USUAL) -> dict[date, Any]:
    return {DAY - timedelta(days=age): values for age in range(nights, 0, -1)}


@pytest.fixture
def connection(workspace: Workspace) -> Any:
    prepare(workspace)
    with workspace.warehouse.transaction() as opened:
        yield opened


def found(
    connection: sa.Connection, values: Any, case: UseCase = CASE, missing: int = 0
) -> tuple[str, ...]:
    """Return what is found of a night."""
    night = figures(batch({DAY: values}, missing))
    return judge(connection, case, night, [DAY]).get(DAY, ())


def bounded(**bounds: Any) -> UseCase:
    return replace(CASE, scoring=replace(CASE.scoring, sanity=Sanity(**bounds)))


def test_a_usual_night_passes(connection: sa.Connection) -> None:
    publish(connection, before(10))
    assert found(connection, RNG.beta(2, 6, 180)) == ()


def test_a_night_of_equal_predictions_is_found(connection: sa.Connection) -> None:
    assert found(connection, [0.25] * 200) == ("all 200 predictions are the same (0.25)",)
    assert found(connection, [0.25]) == (), "one prediction is always equal to itself"
    assert found(connection, [0.25] * 200, bounded(constant=False)) == ()


def test_predictions_far_from_the_nights_before_are_found(connection: sa.Connection) -> None:
    publish(connection, before(28))
    high = np.linspace(0.85, 0.99, 200)
    (sentence,) = found(connection, high)
    shift = (high.mean() - USUAL.mean()) / USUAL.std()
    assert sentence == (
        f"the mean prediction is {high.mean():.3g}, {shift:.1f} standard deviations above that of "
        f"the 28 nights before ({USUAL.mean():.3g}); at most 3.5 are expected"
    )
    assert found(connection, high, bounded(mean_shift=shift + 0.01)) == ()
    assert "below" in found(connection, USUAL - 1)[0]


def test_predictions_that_draw_together_are_found(connection: sa.Connection) -> None:
    publish(connection, before(10))
    close = USUAL.mean() + (USUAL - USUAL.mean()) * 0.2
    assert found(connection, close) == (
        f"the predictions hardly differ: their standard deviation is {close.std():.2g}, 20% of the "
        f"usual {USUAL.std():.2g} (median of the 10 nights before), which is below 25%",
    )
    assert found(connection, close, bounded(least_spread=0.19)) == ()
    few = bounded(volume=(0, inf))
    assert found(connection, close[:29], few) == (), "too few say nothing of their spread"


def test_a_thin_and_a_swollen_night_are_found(connection: sa.Connection) -> None:
    publish(connection, before(10))
    assert found(connection, USUAL[:80]) == ()
    assert found(connection, USUAL[:66]) == (
        "there are 66 predictions, 33% of the usual 200 (median of the 10 nights before), which "
        "is below 40%",
    )
    (sentence,) = found(connection, np.concatenate([USUAL] * 3))
    assert "600 predictions, 300% of the usual 200" in sentence and "above 250%" in sentence


def test_a_night_without_a_prediction_is_a_matter_of_volume(connection: sa.Connection) -> None:
    publish(connection, before(10))
    assert "there are 0 predictions" in judge(connection, CASE, Figures(), [DAY])[DAY][0]
    assert judge(connection, bounded(volume=(0, inf)), Figures(), [DAY]) == {}


def test_missing_features_are_found(connection: sa.Connection) -> None:
    assert found(connection, USUAL, bounded(missing_share=0.5), missing=2) == ()
    assert found(connection, USUAL, bounded(missing_share=0.5), missing=3) == (
        "75% of the feature values are missing, which is above 50%",
    )


def test_too_few_nights_judge_neither_volume_nor_mean(connection: sa.Connection) -> None:
    publish(connection, before(6))
    assert found(connection, [0.98, 0.99]) == ()
    publish(connection, {DAY - timedelta(days=7): USUAL})
    assert len(found(connection, [0.98, 0.99])) == 2


def test_only_the_newest_nights_before_count(connection: sa.Connection) -> None:
    old = {DAY - timedelta(days=40 + age): USUAL + 5 for age in range(10)}
    later = {DAY + timedelta(days=age): USUAL + 5 for age in range(1, 10)}
    publish(connection, before(28) | old | later)
    assert found(connection, USUAL) == ()
    assert found(connection, USUAL + 5)


def test_bounds_may_be_left_out(connection: sa.Connection) -> None:
    case = replace(CASE, scoring=replace(CASE.scoring, sanity=None))
    assert found(connection, [0.5] * 200, case, missing=4) == ()


def test_a_small_variance_far_from_zero_is_not_lost(connection: sa.Connection) -> None:
    """Unix seconds with a spread of one: squares of them have no digits left for it."""
    publish(connection, before(10, 1.7e9 + USUAL))
    assert found(connection, 1.7e9 + USUAL + 0.1) == ()
    assert "standard deviations above" in found(connection, 1.7e9 + USUAL + 1)[0]


def test_nights_of_one_value_bound_the_mean_by_it(connection: sa.Connection) -> None:
    publish(connection, before(10, [0.1] * 50))
    assert found(connection, [0.1] * 50, bounded(constant=False)) == ()
    assert "the mean prediction is 0.2, above" in found(connection, [0.2] * 50)[0]


def moving() -> dict[date, Any]:
    """Return twenty nights that get used to a new level, with a broken one and a short one."""
    nights = {DAY + timedelta(days=ahead): USUAL + 0.12 * ahead for ahead in range(20)}
    nights[DAY + timedelta(days=8)] = USUAL + 9
    nights[DAY + timedelta(days=12)] = USUAL[:20] + 1.4
    return nights


@pytest.mark.parametrize("let_through", [(), (DAY + timedelta(days=8),)])
def test_a_window_decides_like_its_nights(
    connection: sa.Connection, let_through: tuple[date, ...]
) -> None:
    nights, days = moving(), sorted(moving())
    case = bounded(nights=9, mean_shift=1.0)
    released = let_through.__contains__
    # What was published of some days before is replaced, and stands where they are held.
    published = before(10) | {day: USUAL - 3 for day in (days[3], days[8])}
    publish(connection, published)
    window = judge(connection, case, figures(batch(nights)), days, released)

    one_by_one = {}
    for day in days:
        night = figures(batch({day: nights[day]}))
        if said := judge(connection, case, night, [day], released):
            one_by_one |= said
            continue
        connection.execute(sa.delete(TABLES.scores).where(TABLES.scores.c.data_day == day))
        publish(connection, {day: nights[day]})
    assert window == one_by_one
    assert 2 <= len(window) < len(days)
    assert (days[8] in window) is not bool(let_through)


def test_figures_are_the_same_in_batches_of_any_size() -> None:
    days = [DAY, DAY + timedelta(days=1)]
    values = np.concatenate([USUAL, 1 - USUAL])
    whole = figures(batch({days[0]: USUAL, days[1]: 1 - USUAL}, missing=1))
    at = [days[0]] * len(USUAL) + [days[1]] * len(USUAL)
    parts = figures(
        *(
            batch({day: [v for v, d in zip(values[s], at[s], strict=True) if d == day]}, missing=1)
            for s in (slice(n, n + 70) for n in range(0, len(values), 70))
            for day in dict.fromkeys(at[s])
        )
    )
    assert list(parts.days) == list(whole.days) == days
    for day, expected in zip(days, (USUAL, 1 - USUAL), strict=True):
        for night in (parts.days[day], whole.days[day]):
            assert night.rows == len(USUAL)
            assert night.mean == pytest.approx(expected.mean(), abs=1e-12)
            assert night.variance == pytest.approx(expected.var(), abs=1e-12)
            assert (night.smallest, night.largest) == (expected.min(), expected.max())
            assert night.missing_share == 0.25


def test_pooled_moments_are_those_of_all_rows() -> None:
    parts = [USUAL[:10], USUAL[10:90] * 2, USUAL[90:] - 1]
    together = np.concatenate(parts)
    got = pooled(Moments(len(it), float(it.mean()), float(it.var())) for it in parts)
    assert got.rows == len(together)
    assert got.mean == pytest.approx(together.mean())
    assert got.variance == pytest.approx(together.var())


def test_missing_features_are_counted_as_the_model_saw_them() -> None:
    """Real flights: a category the model never saw is no missing value, an empty one is."""
    due = frames()[frames()["data_day"] == DAY.replace(month=4, day=22)].reset_index(drop=True)
    model = fitted().model
    emptied = list(model.facts.features[: len(model.facts.features) // 2])
    wide = due.astype(dict.fromkeys(emptied, object))
    full = figures(score_batch(CASE, ENTRY, model, due))
    half = figures(score_batch(CASE, ENTRY, model, wide.assign(**dict.fromkeys(emptied))))
    (night,), (gappy,) = full.days.values(), half.days.values()
    given = due[list(model.facts.features)].isna().mean().mean()
    assert night.missing_share == pytest.approx(given)
    assert gappy.missing_share > 0.45
    assert night.rows == len(due) and night.smallest < night.mean < night.largest


def test_the_default_bounds_let_real_nights_pass_and_hold_broken_ones(
    connection: sa.Connection,
) -> None:
    model, case = fitted().model, replace(CASE, scoring=Scoring(exact_reasons=0))
    nights = [it.reset_index(drop=True) for _, it in frames().groupby("data_day")]
    numeric = [it for it in model.facts.features if it not in model.facts.categories]

    def judged(*due: pd.DataFrame) -> Mapping[date, tuple[str, ...]]:
        scored = figures(*(score_batch(case, ENTRY, model, it) for it in due))
        return judge(connection, case, scored, [it["data_day"].iloc[0] for it in due])

    recent = nights[-50:]
    assert judged(*recent) == {}

    usual, last = recent[-29:-1], recent[-1]
    day = last["data_day"].iloc[0]
    publish(connection, {it["data_day"].iloc[0]: model.predict(it) for it in usual})
    half = dict.fromkeys(model.facts.features[1::2])
    broken = {
        "predictions hardly differ": last.assign(**{it: last[it] * -60.0 for it in numeric}),
        "feature values are missing": last.astype(dict.fromkeys(half, object)).assign(**half),
        "which is below 40%": last[::3].reset_index(drop=True),
        "predictions are the same": pd.concat([last.iloc[:1]] * len(last), ignore_index=True),
    }
    assert judged(last) == {}
    for sentence, rows in broken.items():
        assert sentence in " ".join(judged(rows).get(day, ())), sentence
