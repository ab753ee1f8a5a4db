"""Draws of days and the intervals they give."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from include.training.evaluation.bootstrap import RESAMPLES, Draws, Estimate, interval, tail
from tests.training.evaluation.samples import days_of

DAYS = np.array(["2013-03-02", "2013-03-01", "2013-03-02", "2013-03-09"], dtype="datetime64[D]")


def test_the_first_weighting_is_the_data_and_the_others_draw_as_many_days() -> None:
    draws = Draws.of(DAYS, seed=1)

    assert draws.counts.shape == (RESAMPLES + 1, 3)
    assert (draws.counts[0] == 1).all()
    assert (draws.counts.sum(axis=1) == 3).all()
    assert len(np.unique(draws.counts[1:], axis=0)) > 5, "resamples differ"
    assert list(draws.blocks) == [1, 0, 1, 2]


def test_every_day_is_drawn_once_on_average() -> None:
    counts = Draws.of(np.arange(28), seed=5).counts[1:]
    deviation = 1 / np.sqrt(RESAMPLES)
    assert (np.abs(counts.mean(axis=0) - 1) < 4 * deviation).all()


def test_the_same_seed_gives_the_same_draws_and_another_others() -> None:
    first, again, other = (Draws.of(DAYS, seed).counts for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_totals_equal_sums_over_repeated_rows() -> None:
    random = np.random.default_rng(3)
    days, values = days_of(200, 12), random.normal(size=200)
    draws = Draws.of(days, seed=4)
    totals = draws.total(values)
    for place in range(0, RESAMPLES, 40):
        repeats = draws.counts[place][draws.blocks].astype(int)
        np.testing.assert_allclose(totals[place], np.repeat(values, repeats).sum())


def test_some_rows_keep_the_draws_of_all() -> None:
    draws = Draws.of(DAYS, seed=1)
    own = draws.take(np.array([True, False, True, False]))
    values = np.array([2.0, 5.0])

    np.testing.assert_array_equal(own.total(values), draws.counts[:, 1] * 7)


def test_no_rows_give_draws_of_no_days() -> None:
    draws = Draws.of(DAYS[:0], seed=1)
    assert draws.days == 0
    assert (draws.total(np.empty(0)) == 0).all()


def test_an_undefined_resample_is_left_out() -> None:
    assert interval(np.array([np.nan, 0.4, 0.6]), 0.5, 1) == (0.405, 0.595)
    assert interval(np.array([np.nan]), 0.5, 1) == (0.5, 0.5)


def test_an_undefined_value_has_no_estimate_whatever_the_resamples() -> None:
    assert Estimate.of(np.array([np.nan, 0.4, 0.6]), 1) is None
    assert Estimate.of(np.array([np.inf, 0.4, 0.6]), 1) is None
    assert Estimate.of(np.array([0.5, np.nan, np.nan]), 1) == Estimate(0.5, 0.5, 0.5)


def test_an_estimate_holds_its_value_though_every_resample_is_above() -> None:
    assert Estimate.of(np.array([0.1, 0.2, 0.3]), 1) == Estimate(0.1, 0.1, 0.2975)
    assert Estimate.of(np.array([0.4, 0.2, 0.3]), 1) == Estimate(0.4, 0.2025, 0.4)


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Sixty samples of 40 days with a shared effect of the day; the truth is 0."""
    random = np.random.default_rng(11)
    days, held = np.repeat(np.arange(40), 5), 0
    for seed in range(60):
        values = np.repeat(random.normal(0, 1, 40), 5) + random.normal(0, 0.5, 200)
        draws = Draws.of(days, seed)
        found = Estimate.of(draws.total(values) / draws.total(np.ones(200)), draws.days)
        assert found is not None
        held += found.lower <= 0 <= found.upper
    assert 51 <= held <= 60


def test_intervals_of_few_days_are_wider_than_plain_percentiles() -> None:
    """As wide as Student's interval of a mean, which plain percentiles fall short of."""
    days = 8
    values = np.arange(days, dtype=float)
    draws = Draws.of(np.arange(days), seed=3)
    means = draws.total(values) / draws.total(np.ones(days))
    found = Estimate.of(means, days)
    assert found is not None
    half = stats.t.ppf(0.975, days - 1) * values.std(ddof=1) / np.sqrt(days)
    plain = np.quantile(means[1:], [0.025, 0.975])

    assert found.upper - found.lower == pytest.approx(2 * half, rel=0.12)
    assert plain[1] - plain[0] < 0.9 * (found.upper - found.lower)
    assert tail(28) == pytest.approx(0.0183, abs=1e-4)
    assert tail(10_000) == pytest.approx(0.025, abs=1e-4)


def test_an_estimate_reads_as_value_and_interval() -> None:
    assert str(Estimate(0.65432, 0.6, 0.7)) == "0.6543 [0.6000, 0.7000]"
