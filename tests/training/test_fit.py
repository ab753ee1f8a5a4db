"""Fitting: the same rows give the same bytes, and rows no model can learn from are refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from include.errors import ConfigurationError, DataError
from include.training import candidate
from include.training.encoding import Floats
from include.training.fit import Fitted, arrange, fit, refit
from include.training.parameters import levels
from tests.model_nights import AS_OF, CASE, fitted, training_frame
from tests.real_frames import CATEGORICAL, LABEL, SCHEDULE

QUANTILES = (0.9, 0.1, 0.25)
MINUTES = "minutes"
REGRESSION = replace(
    CASE.training,
    parameters={"max_depth": 4, "learning_rate": 0.1, "min_child_weight": 20, "subsample": 0.8},
)


def _fit(train: pd.DataFrame, validation: pd.DataFrame) -> Fitted:
    return fit(
        train,
        validation,
        features=SCHEDULE,
        categorical=CATEGORICAL,
        label=LABEL,
        training=CASE.training,
    )


def _parts() -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = training_frame().frame
    return frame.iloc[:5000], frame.iloc[5000:7000]


def _bytes(model: Fitted) -> str:
    return hashlib.sha256(model.booster.save_raw("ubj")).hexdigest()


def _minutes(frame: pd.DataFrame) -> pd.DataFrame:
    """Add a label whose spread grows with the distance."""
    random = np.random.default_rng(len(frame))
    noise = random.normal(size=len(frame)) * frame["distance"].to_numpy() / 50
    return frame.assign(**{MINUTES: frame["distance"] / 10 + noise})


def _regression(
    quantiles: tuple[float, ...] = (), train: pd.DataFrame | None = None, **values: object
) -> Fitted:
    given, validation = (_minutes(part) for part in _parts())
    return fit(
        given if train is None else train,
        validation.assign(**values),
        features=SCHEDULE,
        categorical=CATEGORICAL,
        label=MINUTES,
        training=replace(REGRESSION, quantiles=quantiles),
        task="regression",
    )


def _refit(rows: pd.DataFrame, rounds: int = 7) -> Fitted:
    return refit(
        rows,
        features=SCHEDULE,
        categorical=CATEGORICAL,
        label=LABEL,
        training=CASE.training,
        task="binary",
        rounds=rounds,
    )


def test_the_same_rows_give_the_same_bytes_and_other_rows_others() -> None:
    train, validation = _parts()
    first, second = _fit(train, validation), _fit(train.copy(), validation.copy())
    other = _fit(train.iloc[:-1], validation)

    assert _bytes(first) == _bytes(second) != _bytes(other)


def test_a_candidate_built_twice_is_the_same_model() -> None:
    again = candidate.build(CASE, training_frame(), AS_OF)
    assert again.model.sha256 == fitted().model.sha256
    assert again.reference.id == fitted().reference.id
    assert again.evidence == fitted().evidence


def test_boosting_stops_early_and_keeps_the_best_round() -> None:
    train, validation = _parts()
    model = _fit(train, validation)
    losses = [_log_loss(model, validation, rounds) for rounds in range(1, model.rounds + 1)]

    assert 1 <= model.rounds < CASE.training.rounds
    assert np.argmin(losses) == model.rounds - 1
    assert model.booster.attr("best_iteration") is None


def test_a_row_s_prediction_does_not_depend_on_the_rows_beside_it() -> None:
    model, frame = fitted().model, training_frame().frame.iloc[:300]
    together = model.predict(frame)
    alone = np.concatenate([model.predict(frame.iloc[[place]]) for place in range(0, 300, 30)])

    np.testing.assert_array_equal(together[::30], alone)
    assert together.dtype == np.float64
    np.testing.assert_array_equal(together, together.astype(np.float32))


def test_an_unseen_category_predicts_like_a_missing_one() -> None:
    model, frame = fitted().model, training_frame().frame.iloc[:50]
    unseen, missing = frame.assign(carrier="ZZ"), frame.assign(carrier=None)
    np.testing.assert_array_equal(model.predict(unseen), model.predict(missing))
    assert (model.predict(unseen) != model.predict(frame)).any()


@pytest.mark.parametrize("part", ["training", "validation"])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_one_class_is_refused_with_the_part_and_count(part: str, value: float) -> None:
    train, validation = _parts()
    if part == "training":
        train = train.assign(**{LABEL: value})
    else:
        validation = validation.assign(**{LABEL: value})
    rows = 5000 if part == "training" else 2000
    with pytest.raises(DataError, match=rf"the {part} rows hold 1 class.* in {rows} rows"):
        _fit(train, validation)


def test_a_feature_that_is_all_missing_does_no_harm_but_all_of_them_are_refused() -> None:
    train, validation = _parts()
    _fit(train.assign(distance=np.nan), validation)
    with pytest.raises(DataError, match="every feature is missing"):
        _fit(train.assign(**dict.fromkeys(SCHEDULE, np.nan)), validation)


@pytest.mark.parametrize("part", ["training", "validation"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.nan, r"missing or infinite in 1 of \d+ {part} rows"),
        (2.0, "late is 2 in the {part} rows; a binary model needs 0 and 1"),
    ],
)
def test_labels_that_are_not_0_or_1_are_refused(part: str, value: float, words: str) -> None:
    parts = dict(zip(("training", "validation"), (p.copy() for p in _parts()), strict=True))
    parts[part].loc[parts[part].index[3], LABEL] = value
    with pytest.raises(DataError, match=words.format(part=part)):
        _fit(parts["training"], parts["validation"])


def test_predictions_carry_the_threshold_they_are_decided_by() -> None:
    train, validation = _parts()
    model = _fit(train, validation)
    found = model.predictions(validation, 0.25)
    assert (found.threshold, found.quantiles) == (0.25, {})
    np.testing.assert_array_equal(found.values, model.predict(validation))
    assert model.predictions(validation).threshold is None


def test_a_refit_grows_the_rounds_it_is_told_and_is_reproducible() -> None:
    train, validation = _parts()
    rows = pd.concat([train, validation], ignore_index=True)
    first, second, fewer = _refit(rows), _refit(rows.copy()), _refit(rows, rounds=6)

    assert first.rounds == first.booster.num_boosted_rounds() == 7
    assert _bytes(first) == _bytes(second) != _bytes(fewer)
    assert _bytes(first) != _bytes(_refit(train))
    np.testing.assert_array_equal(_cut(first, 6).predict(rows), fewer.predict(rows))


def test_a_refit_refuses_rows_no_model_can_learn_from() -> None:
    train, _ = _parts()
    with pytest.raises(DataError, match="the training rows hold 1 class"):
        _refit(train.assign(**{LABEL: 1.0}))
    with pytest.raises(DataError, match="every feature is missing"):
        _refit(train.assign(**dict.fromkeys(SCHEDULE, np.nan)))


def test_a_regression_without_quantiles_predicts_the_mean() -> None:
    train, validation = (_minutes(part) for part in _parts())
    model = _regression()
    found = model.predictions(validation)

    assert (found.threshold, found.quantiles, model.quantiles) == (None, {}, ())
    assert model.predict(train).mean() == pytest.approx(train[MINUTES].mean(), rel=0.01)
    guess = np.abs(validation[MINUTES] - train[MINUTES].mean()).mean()
    assert np.abs(validation[MINUTES] - found.values).mean() < guess / 3


def test_quantiles_hold_their_share_and_never_cross_the_median() -> None:
    from sklearn.metrics import mean_pinball_loss

    train, validation = (_minutes(part) for part in _parts())
    model = _regression(QUANTILES)
    found = model.predictions(validation)

    assert model.quantiles == tuple(found.quantiles) == (0.1, 0.25, 0.9)
    ordered = [found.quantiles[0.1], found.quantiles[0.25], found.values, found.quantiles[0.9]]
    assert (np.diff(np.stack(ordered), axis=0) >= 0).all()
    for quantile, values in (*found.quantiles.items(), (0.5, found.values)):
        labels = validation[MINUTES]
        constant = np.full(len(labels), np.quantile(train[MINUTES], quantile))
        loss, guess = (mean_pinball_loss(labels, it, alpha=quantile) for it in (values, constant))
        assert loss < guess / 2
        assert (labels <= values).mean() == pytest.approx(quantile, abs=0.08)


def test_the_point_prediction_is_the_output_that_the_median_was_fitted_to() -> None:
    from include.training.encoding import dmatrix

    _, validation = (_minutes(part) for part in _parts())
    model = _regression(QUANTILES)
    matrix = dmatrix(validation, SCHEDULE, model.categories)
    place = levels(model.quantiles).index(0.5)
    np.testing.assert_array_equal(
        model.predict(validation), model.booster.predict(matrix)[:, place]
    )


@pytest.mark.parametrize("quantiles", [(), QUANTILES, (0.5,)])
def test_a_regression_gives_the_same_bytes_twice_and_needs_no_rows(
    quantiles: tuple[float, ...],
) -> None:
    first, second = _regression(quantiles), _regression(quantiles)
    assert _bytes(first) == _bytes(second)
    none = first.predictions(_parts()[0].iloc[:0])
    assert len(none.values) == 0
    assert {q: len(v) for q, v in none.quantiles.items()} == dict.fromkeys(sorted(quantiles), 0)


def test_boosting_of_quantiles_stops_early_at_the_lowest_pinball_loss() -> None:
    from sklearn.metrics import mean_pinball_loss

    model = _regression(QUANTILES)
    _, validation = (_minutes(part) for part in _parts())

    def loss(rounds: int) -> float:
        found = _cut(model, rounds).predictions(validation)
        outputs = {**found.quantiles, 0.5: found.values}
        labels = validation[MINUTES]
        return float(np.mean([mean_pinball_loss(labels, v, alpha=q) for q, v in outputs.items()]))

    assert loss(model.rounds) == min(loss(rounds) for rounds in range(1, model.rounds + 1))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.inf, "minutes is missing or infinite in {rows} of {rows} {part} rows"),
        (
            3.5,
            r"the {part} rows hold 1 value\(s\) of minutes in {rows} rows .* needs at least two",
        ),
    ],
)
def test_a_regression_needs_finite_labels_that_differ(value: float, words: str) -> None:
    with pytest.raises(DataError, match=words.format(rows=2000, part="validation")):
        _regression(minutes=value)
    with pytest.raises(DataError, match=words.format(rows=5000, part="training")):
        _regression(train=_parts()[0].assign(minutes=value))


def test_crossing_outputs_are_ordered_around_the_median() -> None:
    #                    0.1  0.25  0.5  0.9
    outputs = np.array([[3.0, 2.0, 4.0, 5.0], [9.0, 1.0, 4.0, 3.0], [1.0, 2.0, 3.0, 4.0]])
    found = arrange(outputs, QUANTILES)
    np.testing.assert_array_equal(found.values, [4, 4, 3])
    assert {q: v.tolist() for q, v in found.quantiles.items()} == {
        0.1: [2, 1, 1],
        0.25: [3, 4, 2],
        0.9: [5, 4, 4],
    }


def test_a_value_that_xgboost_refuses_is_a_configuration_error() -> None:
    training = replace(REGRESSION, parameters={"subsample": 1.5})
    train, validation = _parts()
    with pytest.raises(ConfigurationError, match=r"XGBoost refuses .*subsample"):
        fit(
            train,
            validation,
            features=SCHEDULE,
            categorical=CATEGORICAL,
            label=LABEL,
            training=training,
        )


def _cut(model: Fitted, rounds: int) -> Fitted:
    return replace(model, booster=model.booster[:rounds], rounds=rounds)


def _log_loss(model: Fitted, rows: pd.DataFrame, rounds: int) -> float:
    from sklearn.metrics import log_loss

    scores: Floats = _cut(model, rounds).predict(rows)
    return float(log_loss(rows[LABEL], scores))
