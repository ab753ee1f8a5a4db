"""Tuning: the same search twice, never past its span, and a limit that is owned up to."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as peers

from include.declare import UseCase
from include.declare_model import Range, Tuning
from include.errors import ConfigurationError, DataError
from include.training import split
from include.training.fit import fit
from include.training.folds import windows
from include.training.frame import TrainingFrame
from include.training.tuning import Tuned, tune
from include.window import Window
from tests.model_nights import CASE, training_frame

TUNING = Tuning(
    space={
        "max_depth": Range(2, 8, whole=True),
        "learning_rate": Range(0.01, 0.5, log=True),
        "gamma": Range(0, 5),
    },
    trials=8,
    folds=3,
    fold_days=7,
    max_rows=1500,
)
TUNED_CASE = replace(CASE, training=replace(CASE.training, tuning=TUNING))


def _span(data: TrainingFrame) -> Window:
    first = split.as_days(data.frame["target_date"]).min().item()
    return split.split_by_date(CASE, first, data.span.end).train


def _case(**settings: object) -> UseCase:
    tuning = replace(TUNING, **settings)  # type: ignore[arg-type]
    return replace(TUNED_CASE, training=replace(TUNED_CASE.training, tuning=tuning))


@lru_cache(maxsize=1)
def _tuned() -> Tuned:
    data = training_frame()
    return tune(TUNED_CASE, data, _span(data))


def _ticking(seconds: float) -> Callable[[], float]:
    """Return a clock on which that much time passes between two looks."""
    looks = iter(range(1_000_000))
    return lambda: seconds * next(looks)


def test_the_same_frame_and_declaration_give_the_same_trials() -> None:
    data = training_frame()
    again = tune(TUNED_CASE, replace(data, frame=data.frame.copy()), _span(data))
    assert again == _tuned()


def test_another_seed_tries_other_parameters() -> None:
    data, case = training_frame(), _case(trials=2)
    other = tune(replace(case, training=replace(case.training, seed=1)), data, _span(data))
    first, second = _tuned().trials[:2]
    assert other.trials[0].parameters == first.parameters
    assert other.trials[1].parameters != second.parameters


def test_trial_0_is_the_declared_model() -> None:
    first, declared = _tuned().trials[0], CASE.training.parameters
    assert first.state == "complete"
    assert first.parameters == {
        "max_depth": declared["max_depth"],
        "learning_rate": declared["learning_rate"],
        "gamma": 0,
    }


def test_the_best_is_the_lowest_loss_of_the_complete_trials() -> None:
    found = _tuned()
    values = {trial.number: trial.value for trial in found.trials if trial.value is not None}
    assert [trial.number for trial in found.trials] == list(range(8))
    assert found.best == min(values, key=lambda number: values[number])
    assert found.parameters == {**CASE.training.parameters, **found.trials[found.best].parameters}
    assert (found.budget, found.reproducible, found.ended) == (8, True, "all 8 trials ran")
    assert all((trial.value is None) == (trial.state != "complete") for trial in found.trials)


def test_hopeless_trials_are_pruned() -> None:
    trials, declared = _tuned().trials, np.array(_tuned().trials[0].losses)
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert pruned
    for trial in pruned:
        folds = len(trial.losses)
        assert 2 <= folds < TUNING.folds
        before = [it for it in trials[: trial.number] if it.state == "complete"]
        worse = [(np.array(it.losses) - declared)[:folds].mean() for it in before]
        assert (np.array(trial.losses) - declared[:folds]).mean() > np.median(worse)


def test_a_trial_s_value_is_the_mean_loss_of_models_fitted_fold_by_fold() -> None:
    data, complete = training_frame(), [t for t in _tuned().trials if t.value is not None]
    dates = data.frame["target_date"]
    for trial in (complete[0], complete[-1]):
        training = replace(
            CASE.training, parameters={**CASE.training.parameters, **trial.parameters}
        )
        losses: list[float] = []
        for earlier, later in windows(CASE, TUNING, _span(data)):
            known = data.frame[[day in earlier for day in dates]].iloc[-TUNING.max_rows :]
            due = data.frame[[day in later for day in dates]]
            model = fit(
                known,
                due,
                features=data.features,
                categorical=data.categorical,
                label=data.label,
                training=training,
            )
            losses.append(peers.log_loss(due[data.label], model.predict(due)))
        assert trial.losses == pytest.approx(losses, rel=1e-9)
        assert trial.value == pytest.approx(np.mean(losses), rel=1e-9)


def test_rows_outside_of_the_span_change_nothing() -> None:
    data = training_frame()
    span, random = _span(data), np.random.default_rng(3)
    outside = ~split.within(data.frame["target_date"], span)
    frame = data.frame.copy()
    frame.loc[outside, data.label] = random.permutation(frame.loc[outside, data.label])
    frame.loc[outside, "distance"] = 1e6
    assert outside.sum() > 1000
    found = tune(_case(trials=2), replace(data, frame=frame), span)
    assert found.trials == _tuned().trials[:2]


def test_no_time_at_all_still_completes_the_declared_parameters() -> None:
    data = training_frame()
    found = tune(_case(minutes=0.5), data, _span(data), clock=_ticking(60))
    assert [trial.state for trial in found.trials] == ["complete"]
    assert found.best == 0
    assert found.trials[0] == _tuned().trials[0]
    assert not found.reproducible
    assert found.ended == "the limit of 0.5 minutes ended it after 1 of 8 trials"


def test_a_trial_in_progress_is_cut_short_and_the_best_so_far_counts() -> None:
    data = training_frame()
    # Looked at on the start, before trial 1, before its second and third fold, before trial 2,
    # before its second fold: five minutes are over.
    found = tune(_case(minutes=5), data, _span(data), clock=_ticking(60))
    assert [trial.state for trial in found.trials] == ["complete", "complete", "stopped"]
    assert found.trials[:2] == _tuned().trials[:2]
    assert found.trials[2].value is None
    assert found.best == min((0, 1), key=lambda n: found.trials[n].value or np.inf)
    assert not found.reproducible
    assert found.ended == "the limit of 5 minutes ended it after 2 of 8 trials"


def test_a_limit_that_is_not_reached_leaves_the_search_reproducible() -> None:
    data = training_frame()
    found = tune(_case(minutes=5, trials=2), data, _span(data), clock=_ticking(0.1))
    assert found.trials == _tuned().trials[:2]
    assert (found.reproducible, found.ended) == (True, "all 2 trials ran")


def test_the_search_is_told_as_plain_json() -> None:
    plain = _tuned().plain()
    assert json.loads(json.dumps(plain)) == plain
    assert set(plain) == {"trials", "best", "budget", "reproducible", "ended"}
    assert set(plain["trials"][0]) == {"number", "parameters", "value", "state"}


def test_progress_is_reported_trial_by_trial(caplog: pytest.LogCaptureFixture) -> None:
    data = training_frame()
    with caplog.at_level(logging.INFO, logger="include.training.tuning"):
        found = tune(_case(trials=2), data, _span(data))
    lines = [r.getMessage() for r in caplog.records if r.name == "include.training.tuning"]
    best = found.trials[found.best].value
    assert best is not None and len(lines) == 2
    assert lines[1] == (
        f"tuning flight_delay: trial 1 (2 of 2), log loss {found.trials[1].value:.4f}, "
        f"best {best:.4f} (trial {found.best})"
    )


@pytest.mark.parametrize("quantiles", [(), (0.9, 0.1)])
def test_a_regression_is_tuned_by_its_own_error(quantiles: tuple[float, ...]) -> None:
    data = training_frame()
    random = np.random.default_rng(7)
    minutes = data.frame["distance"] / 10 + random.normal(0, 20, len(data.frame))
    frame = data.frame.assign(minutes=minutes)
    case = _regression(quantiles)
    regression = replace(data, frame=frame, label="minutes")
    found = tune(case, regression, _span(data))

    assert found == tune(case, regression, _span(data))
    dates = frame["target_date"]
    ((earlier, later),) = windows(case, replace(TUNING, folds=1), _span(data))
    known = frame[[day in earlier for day in dates]].iloc[-TUNING.max_rows :]
    due = frame[[day in later for day in dates]]
    model = fit(
        known,
        due,
        features=data.features,
        categorical=data.categorical,
        label="minutes",
        training=case.training,
        task="regression",
    )
    assert found.trials[0].value == pytest.approx(_error(model.predictions(due), due["minutes"]))


def _regression(quantiles: tuple[float, ...]) -> UseCase:
    training = replace(
        CASE.training,
        parameters={"max_depth": 3, "learning_rate": 0.2},
        quantiles=quantiles,
        tuning=replace(TUNING, space={"max_depth": TUNING.space["max_depth"]}, folds=1, trials=2),
    )
    return replace(CASE, task="regression", training=training)


def _error(predictions: object, labels: pd.Series) -> float:
    from include.training.evaluation.predictions import Predictions

    assert isinstance(predictions, Predictions)
    if not predictions.quantiles:
        return float(peers.mean_absolute_error(labels, predictions.values))
    outputs = {**predictions.quantiles, 0.5: predictions.values}
    losses = [peers.mean_pinball_loss(labels, v, alpha=q) for q, v in outputs.items()]
    return float(np.mean(losses))


def test_too_few_days_are_refused_before_anything_is_fitted() -> None:
    data = training_frame()
    with pytest.raises(DataError, match=r"flight_delay: labels from .* too few days to tune on"):
        tune(_case(fold_days=14), data, _span(data))


def test_a_space_that_cannot_be_searched_is_refused() -> None:
    data = training_frame()
    with pytest.raises(ConfigurationError, match="has seed, which cannot be tuned"):
        tune(_case(space={"seed": Range(1, 2, whole=True)}), data, _span(data))
    with pytest.raises(ConfigurationError, match=r"XGBoost refuses .*subsample"):
        case = _case(space={"subsample": Range(0, 5)})
        declared = replace(case.training, parameters={"subsample": 4.0})
        tune(replace(case, training=declared), data, _span(data))
