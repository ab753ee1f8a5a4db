"""Reasons: the three strongest contributions, in order, whatever is scored beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from include.scoring import reasons
from include.scoring.reasons import explain, rank
from include.training.contributions import contribute
from tests.model_nights import NIGHTS, fitted, frames
from tests.real_frames import KEYS

MODEL = "model"


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    found = frames()
    found = found[found["data_day"].isin(NIGHTS.days)]
    return found.sort_values(["data_day", "target_date", *KEYS], ignore_index=True)


def _explain(frame: pd.DataFrame, exact_rows: int) -> pd.DataFrame:
    model = fitted().model
    return explain(model, frame, model.predict(frame), KEYS, exact_rows)


def test_reasons_are_the_three_strongest_contributions_in_order(rows: pd.DataFrame) -> None:
    model = fitted().model
    found = _explain(rows, exact_rows=len(rows))
    contributions = contribute(model, rows, approximate=False)
    for place in range(0, len(rows), 25):
        strongest = np.argsort(-np.abs(contributions[place]), kind="stable")[:3]
        names = [model.facts.features[feature] for feature in strongest]
        assert [found.loc[place, f"reason_{n}_feature"] for n in (1, 2, 3)] == names
        values = [found.loc[place, f"reason_{n}_contribution"] for n in (1, 2, 3)]
        np.testing.assert_array_equal(values, contributions[place][strongest])


def test_reasons_do_not_depend_on_the_window(rows: pd.DataFrame) -> None:
    together = _explain(rows, exact_rows=20)
    nights = [_explain(night, exact_rows=20) for _, night in rows.groupby("data_day")]
    pd.testing.assert_frame_equal(together, pd.concat(nights).sort_index())
    assert set(together["reason_method"]) == {"exact", "approximate"}


def test_reasons_do_not_depend_on_the_order_of_rows(rows: pd.DataFrame) -> None:
    shuffled = rows.sample(frac=1, random_state=3)
    again = _explain(shuffled, exact_rows=20).sort_index()
    pd.testing.assert_frame_equal(_explain(rows, exact_rows=20), again)


def test_the_highest_predictions_of_each_night_get_exact_reasons(rows: pd.DataFrame) -> None:
    found = _explain(rows, exact_rows=20).assign(
        prediction=fitted().model.predict(rows), data_day=rows["data_day"]
    )
    for _, night in found.groupby("data_day"):
        exact = night[night["reason_method"] == "exact"]
        rest = night[night["reason_method"] == "approximate"]
        assert len(exact) == min(20, len(night))
        assert exact["prediction"].min() >= rest["prediction"].max()


def test_equal_predictions_are_ranked_by_key(rows: pd.DataFrame) -> None:
    night = rows[rows["data_day"] == NIGHTS.start].sample(frac=1, random_state=1)
    places = rank(night, np.full(len(night), 0.3), KEYS)
    by_key = night.sort_values(list(KEYS)).index
    assert list(night.index[np.argsort(places)]) == list(by_key)


def test_equal_contributions_go_to_the_feature_named_first(
    rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = fitted().model.facts.features

    def level(_model: object, frame: pd.DataFrame, *_how: object) -> np.ndarray:
        found = np.zeros((len(frame), len(features)))
        found[:, [9, 4]] = [0.5, -0.5]
        return found

    monkeypatch.setattr(reasons, "contribute", level)
    found = _explain(rows.iloc[:3], exact_rows=0)
    assert set(found["reason_1_feature"]) == {features[4]}
    assert set(found["reason_2_feature"]) == {features[9]}
    assert found["reason_3"].isna().all(), "what contributes nothing is no reason"
    assert found["reason_3_feature"].isna().all()
    assert found["reason_3_contribution"].isna().all()


def test_words_say_what_how_much_and_which_way(rows: pd.DataFrame) -> None:
    model = fitted().model
    found = _explain(rows, exact_rows=20)
    for place in range(0, len(rows), 25):
        feature, words = found.loc[place, ["reason_1_feature", "reason_1"]]
        way = "raises" if found.loc[place, "reason_1_contribution"] > 0 else "lowers"
        assert words.startswith(f"{model.facts.words[feature]}: ")
        assert words.endswith(f", {way} the risk")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1095.0, "1095"),
        (1012.34, "1012"),
        (0.30512, "0.305"),
        (7.0, "7"),
        (-0.0, "0"),
        (999.9, "1000"),
    ],
)
def test_numbers_are_written_as_people_read_them(value: float, words: str) -> None:
    assert reasons._number(value) == words


def test_missing_and_new_values_are_called_so() -> None:
    told = reasons._told(pd.Series(["UA", "ZZ", None]), ("AA", "UA"))
    assert told == ["UA", "ZZ (new to the model)", "missing"]
    assert reasons._told(pd.Series([np.nan, 0.25]), None) == ["missing", "0.25"]


def test_no_rows_give_no_reasons(rows: pd.DataFrame) -> None:
    found = _explain(rows.iloc[:0], exact_rows=20)
    assert len(found) == 0
    assert "reason_method" in found
