"""The verdict of a night: weighed by what the model goes by, in words."""

from __future__ import annotations

from datetime import date

import pytest

from include.declare_model import Monitoring
from include.monitoring.drift import Drift
from include.monitoring.verdict import Verdict, judge

DAY = date(2013, 10, 1)


def _drift(
    column: str,
    *,
    drifted: bool,
    importance: float | None = 0.1,
    kind: str = "feature",
    value: float = 0.4,
    words: str = "41 on average instead of 63",
) -> Drift:
    found = value if drifted else 0.1
    told = words if drifted else None
    return Drift(DAY, column, kind, "wasserstein", found, 0.2, drifted, importance, told)


def _judge(*drifts: Drift, share: float = 0.5, **words: str) -> Verdict:
    (verdict,) = judge(drifts, Monitoring(drifted_share=share), words)
    return verdict


@pytest.mark.parametrize(("moved", "drifted"), [(1, False), (2, True), (3, True)])
def test_the_declared_share_decides(moved: int, drifted: bool) -> None:
    verdict = _judge(*(_drift(f"c{n}", drifted=n < moved) for n in range(4)))
    assert (verdict.drifted, verdict.moved, verdict.columns) == (drifted, moved, 4)
    assert verdict.weight == pytest.approx(moved / 4)


def test_a_column_counts_for_what_the_model_goes_by_it() -> None:
    heavy = _judge(_drift("a", drifted=True, importance=0.6), _drift("b", drifted=False))
    assert heavy.drifted and heavy.weight == pytest.approx(0.6 / 0.7)
    many = [_drift(f"c{n}", drifted=True, importance=0.01) for n in range(9)]
    light = _judge(*many, _drift("a", drifted=False, importance=0.6))
    assert not light.drifted and light.moved == 9


def test_columns_count_alike_where_none_has_importance() -> None:
    columns = [_drift("a", drifted=True, importance=0.0), _drift("b", drifted=False, importance=0)]
    assert _judge(*columns).weight == 0.5


def test_a_column_that_moved_in_two_ways_counts_once_and_is_told_by_the_larger() -> None:
    verdict = _judge(
        _drift("a", drifted=True),
        _drift("a", drifted=True, kind="missing", value=0.9, words="90% missing instead of 2%"),
        _drift("b", drifted=False, importance=0.9),
    )
    assert (verdict.moved, verdict.columns, verdict.weight) == (1, 2, pytest.approx(0.1))
    assert "first a (90% missing instead of 2%, 4.5 × its limit)" in verdict.words


def test_what_matters_most_to_the_model_is_named_first() -> None:
    verdict = _judge(
        _drift("a", drifted=True, importance=0.1),
        _drift("b", drifted=True, importance=0.3),
        _drift("c", drifted=False, importance=0.9),
        b="how far it flies",
    )
    assert verdict.words == (
        "no drift: 2 of 3 columns moved, 31% of what the model goes by (drift from 50%), first "
        "how far it flies (41 on average instead of 63, 2.0 × its limit), "
        "a (41 on average instead of 63, 2.0 × its limit)"
    )


def test_rows_labels_decisions_and_predictions_are_told_after_the_columns() -> None:
    def other(kind: str, words: str, *, drifted: bool = True) -> Drift:
        return _drift(kind, drifted=drifted, kind=kind, importance=None, words=words)

    verdict = _judge(
        _drift("a", drifted=False),
        other("decision", "45% instead of 20% decided positive"),
        other("label", "30% instead of 21% positive"),
        other("prediction", "0.4 on average instead of 0.2"),
        other("volume", "310 rows instead of about 930"),
    )
    assert verdict.words == (
        "no drift: 0 of 1 columns moved, 0% of what the model goes by (drift from 50%); "
        "310 rows instead of about 930; labels 30% instead of 21% positive; 45% instead of 20% "
        "decided positive; predictions 0.4 on average instead of 0.2, 2.0 × its limit"
    )
    assert verdict.notable and not verdict.drifted
    steady = _judge(_drift("a", drifted=False), other("prediction", "", drifted=False))
    assert steady.words.endswith("; predictions steady") and not steady.notable
    assert not _judge(other("label", "30% instead of 21% positive")).notable, "no page shows it"


def test_days_are_judged_one_by_one() -> None:
    second = date(2013, 10, 2)
    moved = Drift(second, "a", "feature", "psi", None, 0.2, True, 0.1, "all missing")
    first, last = judge([_drift("a", drifted=False), moved], Monitoring(), {})
    assert (first.data_day, first.drifted) == (DAY, False)
    assert (last.data_day, last.drifted) == (second, True)
    assert "first a (all missing)" in last.words
