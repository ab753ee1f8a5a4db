"""Fitting: the same rows give the same bytes, and rows no model can learn from are refused."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest

from include.errors import DataError
from include.training import candidate
from include.training.encoding import Floats
from include.training.fit import Fitted, fit
from tests.model_nights import AS_OF, CASE, fitted, training_frame
from tests.real_frames import CATEGORICAL, LABEL, SCHEDULE


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


def test_the_same_rows_give_the_same_bytes_and_other_rows_others() -> None:
    train, validation = _parts()
    first, second = _fit(train, validation), _fit(train.copy(), validation.copy())
    other = _fit(train.iloc[:-1], validation)

    assert _bytes(first) == _bytes(second) != _bytes(other)


def test_a_candidate_built_twice_is_the_same_model() -> None:
    again = candidate.build(CASE, training_frame(), AS_OF)
    assert again.model.sha256 == fitted().model.sha256
    assert again.reference.id == fitted().reference.id
    assert again.evaluation == fitted().evaluation


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


def _log_loss(model: Fitted, rows: pd.DataFrame, rounds: int) -> float:
    from sklearn.metrics import log_loss

    cut = Fitted(model.booster[:rounds], model.features, model.categories, rounds)
    scores: Floats = cut.predict(rows)
    return float(log_loss(rows[LABEL], scores))
