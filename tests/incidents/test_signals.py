"""What monitoring found: drift that lasts, unusual data, a model worse than its gate allows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from include.incidents import signals
from include.incidents.look import Look
from include.warehouse.monitoring_tables import data_quality, drift_verdicts, model_performance
from include.workspace import Workspace
from tests.incidents.troubles import (
    DATASET,
    NOON,
    TODAY,
    USE_CASE,
    days,
    found,
    insert,
    kinds,
)

DRIFT = (USE_CASE.name, "drift", "")


def verdicts(workspace: Workspace, drifted: str, newest: date = TODAY) -> None:
    """Write one verdict per letter, oldest first: d for drifted."""
    rows = [
        {
            "use_case": USE_CASE.name,
            "data_day": day,
            "model_version": "1",
            "drifted": letter == "d",
            "notable": False,
            "moved": 3,
            "watched": 39,
            "weight": 0.5,
            "words": f"three columns moved on {day}",
        }
        for day, letter in zip(days(len(drifted), newest), drifted, strict=True)
    ]
    insert(workspace, drift_verdicts, rows)


@pytest.mark.parametrize(("nights", "lasts"), [("..d", False), (".dd", True), ("d.d", True)])
def test_drift_is_told_when_it_lasts(workspace: Workspace, nights: str, lasts: bool) -> None:
    verdicts(workspace, nights)
    assert kinds(found(workspace)) == [DRIFT] * lasts


def test_drift_says_what_moved(workspace: Workspace) -> None:
    verdicts(workspace, "d.d")
    (incident,) = found(workspace)
    assert incident.detail == (
        "2 of the last 3 monitored nights drifted (2014-05-29, 2014-05-31); "
        "2014-05-31: three columns moved on 2014-05-31"
    )


def test_drift_of_nights_long_ago_is_history(workspace: Workspace) -> None:
    verdicts(workspace, "ddd", TODAY - timedelta(days=60))
    assert found(workspace) == []


def quality(day: date, unusual: bool | None, column: str = "", metric: str = "rows") -> dict:
    return {
        "dataset": DATASET.name,
        "table_name": "flights",
        "data_day": day,
        "column_name": column,
        "metric": metric,
        "value": 120.0 if metric == "rows" else 0.25,
        "usual": 900.0,
        "lower": 800.0 if metric == "rows" else 0.0,
        "upper": 1012.0 if metric == "rows" else 0.01,
        "unusual": unusual,
    }


def test_the_newest_day_of_a_table_is_judged(workspace: Workspace) -> None:
    yesterday = TODAY - timedelta(days=1)
    insert(workspace, data_quality, [quality(yesterday, True)])
    (incident,) = found(workspace)
    assert incident.key == (DATASET.name, "data_quality", "flights")
    insert(workspace, data_quality, [quality(TODAY, None)])
    assert found(workspace) == [], "a day that cannot be judged is not unusual"


def test_what_is_unusual_is_spelt_out(workspace: Workspace) -> None:
    names = [f"column_{place}" for place in range(6)]
    shares = [quality(TODAY, True, name, "null_share") for name in names]
    insert(workspace, data_quality, [quality(TODAY, True), *shares])
    (incident,) = found(workspace)
    assert incident.detail.startswith(
        "flights of 2014-05-31 is unusual: rows 120, usual 800 to 1,012; "
        "null_share of column_0 0.25, usual 0 to 0.01; "
    )
    assert incident.detail.endswith("; and 2 more")


def test_a_landing_that_is_unusual_is_named(workspace: Workspace) -> None:
    late = {**quality(TODAY, True, metric="hours_to_land"), "table_name": "", "value": 9.5}
    insert(workspace, data_quality, [late, quality(TODAY, True)])
    landing, flights = sorted(found(workspace), key=lambda it: it.cause, reverse=True)
    assert (landing.cause, flights.cause) == ("the landing", "flights")
    assert landing.detail.startswith("the landing of 2014-05-31 is unusual: hours_to_land 9.5")


def performance(target: date, value: float, half: float, **more: object) -> dict:
    return {
        "use_case": USE_CASE.name,
        "target_date": target,
        "model_version": "3",
        "slice": "all",
        "metric": USE_CASE.gate.metric,
        "value": value,
        "lower": value - half,
        "upper": value + half,
        "n": 900,
        "label_coverage": 0.98,
        **more,
    }


def test_a_model_whose_whole_interval_is_below_the_gate_on_n_of_m_dates_is_told(
    workspace: Workspace,
) -> None:
    worst = USE_CASE.gate.worst
    old, middle, new = days(3)
    insert(workspace, model_performance, [performance(old, worst - 0.1, 0.05)])
    insert(workspace, model_performance, [performance(middle, worst - 0.1, 0.2)])
    assert found(workspace) == [], "an interval that reaches the gate says nothing"
    insert(workspace, model_performance, [performance(new, worst - 0.1, 0.05)])
    (incident,) = found(workspace)
    assert incident.key == (USE_CASE.name, "performance", "")
    assert incident.detail == (
        "auc is below 0.55 with its whole interval on 2 of the last 3 matured dates "
        "(2014-05-29, 2014-05-31); 2014-05-31: 0.45 [0.4, 0.5] on 900 rows of version 3"
    )


def test_other_metrics_slices_and_models_of_few_rows_are_not_judged(workspace: Workspace) -> None:
    for day in days(3):
        bad = performance(day, 0.2, 0.01, n=10, model_version="2")
        insert(workspace, model_performance, [performance(day, 0.7, 0.01), bad])
        others = [{"slice": "origin=JFK"}, {"metric": "log_loss"}]
        insert(workspace, model_performance, [performance(day, 0.2, 0.01, **it) for it in others])
        unknown = performance(day, 0.2, 0.01, model_version="9", lower=None, upper=None)
        insert(workspace, model_performance, [unknown])
    assert found(workspace) == []


def test_of_errors_more_is_worse(workspace: Workspace) -> None:
    case = replace(
        USE_CASE, task="regression", gate=replace(USE_CASE.gate, metric="mae", worst=20.0)
    )
    for day in days(2):
        insert(workspace, model_performance, [performance(day, 30.0, 1.0, metric="mae")])
    with workspace.warehouse.reading() as connection:
        (cause,) = signals.of_use_case(connection, case, Look(NOON))
    assert "mae is above 20 with its whole interval on 2 of the last 2" in cause.detail
