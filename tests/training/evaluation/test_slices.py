"""Groups of rows: nothing lost, each on its own, differences and fairness by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from include.declare import UseCase
from include.declare_model import Slice
from include.errors import SchemaBreak
from include.training.evaluation.evaluate import evaluate
from include.training.evaluation.predictions import Predictions
from include.training.evaluation.slices import (
    Fairness,
    by_slice,
    fairness,
    slice_differences,
)
from tests.model_nights import CASE
from tests.training.evaluation.samples import REGRESSION, binary, days_of, regression

ROWS = 600
TIMES = 30


def _case(*slices: Slice, base: UseCase = CASE) -> UseCase:
    return replace(base, gate=replace(base.gate, slices=slices))


def _frame(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    origin = random.choice(["EWR", "JFK", "LGA"], ROWS, p=[0.5, 0.4, 0.1]).astype(object)
    origin[:30] = None
    return pd.DataFrame({"origin": origin, "hour": random.integers(6, 8, ROWS)})


def test_groups_hold_every_row_once_and_missing_values_are_a_group() -> None:
    rows, frame = binary(1, count=ROWS), _frame()
    case = _case(Slice("origin", least_rows=100), Slice("hour"))
    found = by_slice(case, frame, rows.labels, rows.predictions, days_of(ROWS, 14))

    assert [(it.column, it.value) for it in found] == [
        *(("origin", name) for name in ("EWR", "JFK", "LGA", "missing")),
        *(("hour", name) for name in ("6", "7")),
    ]
    for column in ("origin", "hour"):
        mine = [it for it in found if it.column == column]
        assert sum(it.rows for it in mine) == ROWS
        assert sum(it.positives or 0 for it in mine) == rows.labels.sum()
    assert [it.rows for it in found if it.value == "missing"] == [30]
    assert [it.judged for it in found] == [True, True, False, False, False, False]


def test_a_group_has_the_metrics_of_its_rows_alone() -> None:
    """With all rows in it, and with days that no row of the group belongs to."""
    rows, days, frame = binary(2, count=ROWS), days_of(ROWS, 14), _frame()
    case = _case(Slice("origin"))
    found = {it.value: it for it in by_slice(case, frame, rows.labels, rows.predictions, days)}
    for name in ("EWR", "LGA"):
        mask = (frame["origin"] == name).to_numpy()
        alone = evaluate(case, rows.labels[mask], rows.predictions.take(mask), days[mask])
        assert tuple(found[name].metrics) == ("auc", "brier", "ece")
        for metric, it in found[name].metrics.items():
            assert it.value == pytest.approx(alone.metrics[metric].value), metric

    whole = _case(Slice("all"))
    (only,) = by_slice(whole, frame.assign(all=1), rows.labels, rows.predictions, days)
    everything = evaluate(case, rows.labels, rows.predictions, days).metrics
    assert only.metrics == {name: everything[name] for name in only.metrics}


def test_groups_are_plain_values() -> None:
    rows, days = binary(2, count=ROWS), days_of(ROWS, 14)
    case = _case(Slice("origin", protected=True))
    found = by_slice(case, _frame(), rows.labels, rows.predictions, days)
    plain = [it.plain() for it in found]

    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    keys = {"column", "value", "rows", "positives", "protected", "judged", "metrics"}
    assert set(plain[0]) == keys
    assert set(plain[0]["metrics"]) == {"auc", "brier", "ece", "flagged", "recall"}
    assert set(plain[0]["metrics"]["auc"]) == {"value", "lower", "upper"}


def test_a_group_of_one_class_is_reported_and_not_judged() -> None:
    rows, frame = binary(3, count=ROWS), _frame()
    punctual = (frame["origin"] == "EWR").to_numpy()
    labels = np.where(punctual, 0.0, rows.labels)
    case = _case(Slice("origin", least_rows=1))
    found = by_slice(case, frame, labels, rows.predictions, days_of(ROWS, 14))

    assert [it.judged for it in found] == [False, True, True, True]
    assert found[0].positives == 0 and "auc" not in found[0].metrics
    assert "brier" in found[0].metrics


def test_a_group_of_one_row_does_not_break_anything() -> None:
    rows = binary(3, count=ROWS)
    frame = pd.DataFrame({"origin": ["SWF", *["JFK"] * (ROWS - 1)]})
    case = _case(Slice("origin", protected=True, least_rows=1))
    days = days_of(ROWS, 14)
    found = by_slice(case, frame, rows.labels, rows.predictions, days)
    assert [(it.value, it.rows, it.judged) for it in found] == [
        ("JFK", ROWS - 1, True),
        ("SWF", 1, False),
    ]
    assert fairness(case, frame, rows.labels, rows.predictions, days)[0].groups == 1
    assert by_slice(case, frame.iloc[:0], rows.labels[:0], Predictions(np.empty(0)), days[:0]) == []


def test_groups_of_a_regression_have_errors_and_no_positives() -> None:
    rows = regression(3, count=ROWS)
    case = _case(Slice("origin", protected=True, least_rows=1), base=REGRESSION)
    found = by_slice(case, _frame(), rows.labels, rows.predictions, days_of(ROWS, 14))
    assert {it.positives for it in found} == {None}
    assert {tuple(it.metrics) for it in found} == {("mae", "rmse")}
    assert all(it.judged for it in found)
    assert fairness(case, _frame(), rows.labels, rows.predictions, days_of(ROWS, 14)) == []


def test_a_column_that_is_not_there_is_named() -> None:
    rows = binary(3, count=ROWS)
    case = _case(Slice("origin"), Slice("gender", protected=True))
    with pytest.raises(SchemaBreak, match="lack gender, declared as Gate"):
        by_slice(case, _frame(), rows.labels, rows.predictions, days_of(ROWS, 14))


def test_no_slices_give_no_groups() -> None:
    rows, days = binary(3, count=ROWS), days_of(ROWS, 14)
    assert by_slice(_case(), _frame(), rows.labels, rows.predictions, days) == []
    assert fairness(_case(), _frame(), rows.labels, rows.predictions, days) == []


def test_a_loss_in_one_group_is_found_there_and_signed() -> None:
    """At JFK the challenger says the reverse; elsewhere both say the same."""
    rows, frame, days = binary(5, count=ROWS), _frame(), days_of(ROWS, 14)
    champion, jfk = rows.predictions, (frame["origin"] == "JFK").to_numpy()
    values = np.where(jfk, 1 - champion.values, champion.values)
    challenger = Predictions(values, champion.threshold)
    for metric in ("auc", "brier"):
        case = _case(Slice("origin", least_rows=100))
        case = replace(case, gate=replace(case.gate, metric=metric))
        found = slice_differences(case, frame, rows.labels, challenger, champion, days)

        assert [(it.column, it.value) for it in found] == [("origin", "EWR"), ("origin", "JFK")]
        assert found[1].rows == jfk.sum()
        same, lost = (it.difference for it in found)
        assert (same.value, same.lower, same.upper) == (0, 0, 0)
        assert lost.upper < 0, metric
        own = [
            evaluate(case, rows.labels[jfk], it.take(jfk), days[jfk]).metrics[metric].value
            for it in (challenger, champion)
        ]
        sign = 1 if metric == "auc" else -1
        assert lost.value == pytest.approx(sign * (own[0] - own[1]))


def test_a_group_in_which_the_metric_is_undefined_has_no_difference() -> None:
    rows, frame, days = binary(5, count=ROWS), _frame(), days_of(ROWS, 14)
    labels = np.where(frame["origin"] == "EWR", 1.0, rows.labels)
    case = _case(Slice("origin", least_rows=100))
    found = slice_differences(case, frame, labels, rows.predictions, rows.predictions, days)
    assert [it.value for it in found] == ["JFK"]


def _decided(
    groups: Sequence[tuple[str, int, int, int, int]],
) -> tuple[pd.DataFrame, np.ndarray, Predictions]:
    """Return `TIMES` the rows of (name, found, missed, false alarms, rightly let go) per group."""
    names, labels, scores = [], [], []
    for name, *counts in groups:
        found, missed, alarms, rest = (TIMES * count for count in counts)
        names += [name] * (found + missed + alarms + rest)
        labels += [1.0] * (found + missed) + [0.0] * (alarms + rest)
        scores += [0.9] * found + [0.1] * missed + [0.9] * alarms + [0.1] * rest
    predictions = Predictions(np.array(scores), 0.5)
    return pd.DataFrame({"group": names}), np.array(labels), predictions


def test_fairness_by_hand() -> None:
    """A is decided positive in 5 of 10 and found in 4 of 5, B 3 of 20 and 2 of 4, C is small."""
    frame, labels, predictions = _decided(
        [("A", 4, 1, 1, 4), ("B", 2, 2, 1, 15), ("C", 0, 1, 0, 1)]
    )
    case = _case(Slice("group", protected=True, least_rows=10 * TIMES))
    (found,) = fairness(case, frame, labels, predictions, days_of(len(labels), 14))

    assert found.disparate_impact == pytest.approx((3 / 20) / (5 / 10))
    assert (found.lowest, found.highest) == ("B", "A")
    assert found.equal_opportunity == pytest.approx(4 / 5 - 2 / 4)
    assert (found.least_found, found.most_found) == ("B", "A")
    assert (found.column, found.groups) == ("group", 2)


def test_fairness_is_the_same_whatever_the_primary_metric() -> None:
    frame, labels, predictions = _decided([("A", 4, 1, 1, 4), ("B", 2, 2, 1, 15)])
    case = _case(Slice("group", protected=True, least_rows=10 * TIMES))
    expected = fairness(case, frame, labels, predictions, days_of(len(labels), 14))
    for metric in ("f1", "average_precision", "cost"):
        other = replace(case, gate=replace(case.gate, metric=metric))
        assert fairness(other, frame, labels, predictions, days_of(len(labels), 14)) == expected


def test_only_protected_slices_and_decisions_are_about_fairness() -> None:
    frame, labels, predictions = _decided([("A", 4, 1, 1, 4), ("B", 2, 2, 1, 15)])
    assert (
        fairness(
            _case(Slice("group", least_rows=1)),
            frame,
            labels,
            predictions,
            days_of(len(labels), 14),
        )
        == []
    )
    protected = _case(Slice("group", protected=True, least_rows=1))
    assert (
        fairness(
            protected, frame, labels, Predictions(predictions.values), days_of(len(labels), 14)
        )
        == []
    )


def test_one_group_cannot_be_treated_otherwise() -> None:
    frame, labels, predictions = _decided([("A", 4, 1, 1, 4), ("B", 2, 2, 1, 15)])
    case = _case(Slice("group", protected=True, least_rows=15 * TIMES))
    nothing = Fairness("group", None, None, None, None, None, None, 1)
    assert fairness(case, frame, labels, predictions, days_of(len(labels), 14)) == [nothing]


def test_where_nobody_is_decided_positive_there_is_no_ratio() -> None:
    frame, labels, predictions = _decided([("A", 0, 5, 0, 5), ("B", 0, 4, 0, 16)])
    case = _case(Slice("group", protected=True, least_rows=1))
    (found,) = fairness(case, frame, labels, predictions, days_of(len(labels), 14))
    assert found.disparate_impact is None
    assert found.equal_opportunity == 0


def test_a_group_never_decided_positive_has_no_share_of_the_other() -> None:
    frame, labels, predictions = _decided([("A", 4, 1, 1, 4), ("B", 0, 4, 0, 16)])
    case = _case(Slice("group", protected=True, least_rows=1))
    (found,) = fairness(case, frame, labels, predictions, days_of(len(labels), 14))
    assert (found.disparate_impact, found.equal_opportunity) == (0, pytest.approx(4 / 5))


def test_too_few_positives_say_nothing_about_the_share_that_is_found() -> None:
    frame, labels, predictions = _decided([("A", 4, 1, 1, 4), ("B", 1, 0, 2, 17)])
    case = _case(Slice("group", protected=True, least_rows=10 * TIMES))
    (found,) = fairness(case, frame, labels, predictions, days_of(len(labels), 14))
    assert found.disparate_impact is not None
    assert found.equal_opportunity is None, f"B has {TIMES} positives"


def test_a_group_that_lives_on_few_days_is_not_judged() -> None:
    """However many rows: days are what is drawn, and of one day every draw is the same."""
    rows, days = binary(5, count=ROWS), days_of(ROWS, 14)
    some = np.unique(days)[:3]
    frame = pd.DataFrame({"season": np.where(np.isin(days, some), "holiday", "other")})
    case = _case(Slice("season", least_rows=50))
    found = by_slice(case, frame, rows.labels, rows.predictions, days)
    assert [(it.value, it.judged) for it in found] == [("holiday", False), ("other", True)]
    differences = slice_differences(
        case, frame, rows.labels, rows.predictions, rows.predictions, days
    )
    assert [it.value for it in differences] == ["other"]
