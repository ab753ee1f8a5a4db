"""Thresholds hold the rate they promise on nights nobody has seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from include.training import thresholds
from include.training.distance import distances_of
from include.training.thresholds import LEAST, UNKNOWN, choose

ROWS = 60


def _nights(count: int, seed: int) -> tuple[pd.Series[float], np.ndarray]:
    """Return rows of nights that have something in common, as the weather, and their blocks."""
    random = np.random.default_rng(seed)
    shared = np.repeat(random.normal(size=count), ROWS)
    return pd.Series(shared + random.normal(size=count * ROWS)), np.repeat(np.arange(count), ROWS)


def _held_out(values: pd.Series[float], blocks: np.ndarray, count: int) -> np.ndarray:
    weeks = np.arange(count) // 7
    chosen = np.sort(np.random.default_rng(1).choice(len(values), 1000, replace=False))
    return thresholds.distances(
        values.iloc[chosen],
        weeks[blocks[chosen]],
        values,
        blocks,
        weeks,
        "wasserstein",
        numeric=True,
    )


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
def test_new_nights_lie_above_as_often_as_declared(rate: float) -> None:
    values, blocks = _nights(273, seed=2)
    threshold, count = choose(_held_out(values, blocks, 273), rate)
    fresh, places = _nights(2000, seed=3)
    found = distances_of(values, fresh, places, 2000, "wasserstein", numeric=True)

    spread = np.sqrt(rate * (1 - rate) / 273)
    assert count == 273
    assert abs(np.mean(found > threshold) - rate) < 2.5 * spread


def test_rows_drawn_one_by_one_would_promise_too_much() -> None:
    values, blocks = _nights(273, seed=2)
    threshold, _ = choose(_held_out(values, blocks, 273), 0.02)
    shuffled = values.sample(frac=1, random_state=0).reset_index(drop=True)
    alone, _ = choose(_held_out(shuffled, blocks, 273), 0.02)
    assert threshold > 3 * alone


def test_a_night_is_measured_without_its_week() -> None:
    values, blocks = _nights(21, seed=4)
    odd = values + np.where(blocks // 7 == 1, 50.0, 0.0)
    found = _held_out(odd, blocks, 21)
    assert found[7:14].min() > 10, "the others never saw such a week"


def test_the_rank_promises_the_rate_and_few_nights_promise_less() -> None:
    hundred = np.arange(1.0, 100.0)
    assert choose(hundred, 0.02) == (98.0, 99)
    assert choose(hundred, 0.1) == (90.0, 99)
    assert choose(np.array([3.0, 1.0, 2.0]), 0.02) == (3.0, 3)
    assert choose(np.array([np.nan, np.inf]), 0.02) == (UNKNOWN, 0)
    assert choose(np.zeros(50), 0.02) == (LEAST, 50)


def test_a_category_of_one_week_is_unseen_in_it() -> None:
    codes = np.array([0, 1, 0, 2, 0, -1, 1, 0])
    blocks = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    weeks = np.array([5, 5, 6, 6, 6])
    found = thresholds.unseen_shares(codes, blocks, weeks)
    np.testing.assert_allclose(found, [0, 0.5, 0, 0, np.nan])


def test_volumes_are_compared_with_the_same_weekday_of_other_weeks() -> None:
    rows = np.array([100, 10, 50, 10, 100, 40])
    weekdays, weeks = np.array([0, 5, 0, 5, 0, 6]), np.array([1, 1, 2, 2, 3, 3])
    found = thresholds.volume_distances(rows, weekdays, weeks)
    expected = [np.log(100 / 75), 0, np.log(2), 0, np.log(100 / 75), np.nan]
    np.testing.assert_allclose(found, expected)


def test_weeks_begin_on_monday() -> None:
    days = np.arange(np.datetime64("2013-09-29"), np.datetime64("2013-10-08"))
    assert thresholds.weekdays_of(days).tolist() == [6, 0, 1, 2, 3, 4, 5, 6, 0]
    assert len(np.unique(thresholds.weeks_of(days)[1:8])) == 1
