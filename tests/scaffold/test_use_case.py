"""Use cases posed on the sample data: what is scored, what is true, and how a training is sized."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from include.connections import Connections
from include.datasets.nyc_flights.declaration import DATASET
from include.errors import UsageError
from include.scaffold import posing, sizing, use_case, writing
from include.scaffold.history import look
from include.scaffold.problem import Evidence, examine, pose
from include.settings import REPOSITORY
from tests.scaffold.style import require_style

NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
"""The source has 59 days."""


def planned(**wanted: object) -> use_case.Plan:
    request = posing.Request(dataset="nyc_flights", plan_table="schedule", **wanted)  # type: ignore[arg-type]
    return posing.plan(request, Connections(), NOW)


@pytest.fixture(scope="module")
def plans() -> dict[str, use_case.Plan]:
    return {
        "one_row": planned(name="cancellations", label="cancelled"),
        "several": planned(
            name="hourly_delay", label="departure_delay", keys=("origin", "departure_hour")
        ),
    }


def test_a_plan_and_what_came_of_it_make_a_classification(
    plans: dict[str, use_case.Plan],
) -> None:
    plan = plans["one_row"]
    assert plan.task == "binary" and plan.problem.truth.name == "flights"
    assert plan.problem.key_names == ("time_hour", "carrier", "flight")
    assert plan.evidence.days == 59 and plan.evidence.labelled > 0.99
    assert {"origin", "dest", "distance"} <= {it.name for it in plan.schedule_features}
    assert "flight" not in {it.name for it in plan.schedule_features}, "a name and no measure"
    assert len(plan.problem.views) == len(DATASET.feature_views)
    assert "cancelled" not in plan.problem.entities_sql()
    assert (plan.sizes.test_days, plan.sizes.validation_days) == (11, 11)


def test_several_rows_of_a_day_make_one_label(plans: dict[str, use_case.Plan]) -> None:
    plan = plans["several"]
    assert plan.task == "regression" and plan.problem.label == "mean_departure_delay"
    assert plan.problem.entities_sql().startswith("-- What is to be scored")
    assert "SELECT DISTINCT" in plan.problem.entities_sql()
    assert [it.name for it in plan.problem.views] == [
        "origin_delays",
        "origin_hour_delays",
        "origin_weather",
    ]
    assert 5 < plan.evidence.constant_loss < 30
    told = list(posing.told(plan))
    assert any("always saying the median" in line for line in told)


def test_the_code_is_formatted_and_passes_lint_and_types(
    plans: dict[str, use_case.Plan], tmp_path: Path
) -> None:
    modules = []
    for name, plan in plans.items():
        files = use_case.files(plan)
        writing.write(files, tmp_path / name)
        shutil.copy(REPOSITORY / "pyproject.toml", tmp_path / name)
        declaration = tmp_path / name / "include" / "use_cases" / plan.name / "declaration.py"
        modules.append(shutil.copy(declaration, tmp_path / f"declared_{name}.py"))
    require_style([tmp_path], modules)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"label": "cancelled", "keys": ("time_hour",)}, "no feature view of nyc_flights"),
        (
            {"label": "departure_hour", "label_table": "flights", "keys": ("departure_hour",)},
            "departure_hour cannot be a key",
        ),
        ({"label": "cancelled", "aggregate": "mode"}, "--aggregate: 'mode' is none of mean"),
        ({"label": "arrival_delay", "task": "binary"}, "--task binary: the labels are not 0 and 1"),
        ({"label": "arrival_delay", "task": "ranking"}, "--task: 'ranking' is none of"),
        ({"label": "cancelled", "label_table": "weather"}, "weather has no column 'cancelled'"),
    ],
)
def test_what_cannot_be_told_names_the_option(wanted: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        use_case.files(planned(name="levels", **wanted))


def test_keys_that_never_come_again_are_no_use_case() -> None:
    problem = pose(DATASET, "cancelled", "flights", keys=("time_hour", "carrier", "flight"))
    with pytest.raises(UsageError, match="Name keys that come again"):
        examine(problem, look(DATASET, ("flights",), Connections(), NOW))


def test_a_source_without_days_is_told() -> None:
    with pytest.raises(UsageError, match="no rows of flights since 2013-01-01"):
        look(DATASET, ("flights",), Connections(), datetime(2013, 1, 1, 12, tzinfo=UTC))


def test_the_newest_days_are_looked_at_and_no_more_than_a_replay_has() -> None:
    found = look(DATASET, ("schedule", "weather"), Connections(), datetime(2016, 5, 1, tzinfo=UTC))
    assert found.days[-1] == date(2016, 4, 29) and len(found.days) == DATASET.repeats_after
    assert len(found.read) == 60 and set(found.rows) == {"schedule", "weather"}


@pytest.mark.parametrize("days", [10, 25, 60, 150, 400])
@pytest.mark.parametrize("daily", [1, 40, 900])
def test_a_training_fits_the_days_there_are(days: int, daily: int) -> None:
    sizes = sizing.size(Evidence(days, daily, 1.0, True, 1.0, {}), mature_after=1)
    assert 7 <= sizes.test_days <= 28 and 5 <= sizes.validation_days <= 28
    assert sizes.min_rows <= 1000 and sizes.least_labels <= 500
    assert (sizes.needed_days <= days) == (days >= 25)
    if days >= 25 and daily >= 40:
        assert sizes.min_rows <= daily * days and sizes.least_labels <= daily * sizes.test_days
