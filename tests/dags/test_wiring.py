"""How the nights of the sample dataset and use case hang together."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import CronPartitionTimetable, CronTriggerTimetable, PartitionedAssetTimetable

from include.datasets.nyc_flights.declaration import DATASET
from include.orchestration.assets import dataset_asset
from include.settings import REPOSITORY


def edges(dag: Any) -> set[tuple[str, str]]:
    return {(task.task_id, below) for task in dag.tasks for below in task.downstream_task_ids}


def test_a_dataset_night_lands_builds_and_materialises(bag: DagBag) -> None:
    night = bag.dags["nyc_flights_nightly"]

    assert edges(night) == {("ingest", "build_features"), ("build_features", "materialise_online")}
    assert isinstance(night.timetable, CronPartitionTimetable)
    assert night.timetable.expression == "0 0 * * *"
    assert str(night.timetable.timezone) == DATASET.timezone
    assert night.timetable.run_offset == -1
    assert night.timetable.key_format == "%Y-%m-%d"


def test_features_announce_the_dataset_and_nothing_else_does(bag: DagBag) -> None:
    outlets = {
        (dag.dag_id, task.task_id): list(task.outlets)
        for dag in bag.dags.values()
        for task in dag.tasks
        if task.outlets
    }

    assert outlets == {("nyc_flights_nightly", "build_features"): [dataset_asset(DATASET)]}


def test_a_use_case_night_starts_from_the_announcement(bag: DagBag) -> None:
    night = bag.dags["flight_delay_nightly"]

    assert edges(night) == {("score", "monitor")}
    assert isinstance(night.timetable, PartitionedAssetTimetable)
    assert night.timetable.asset_condition == dataset_asset(DATASET)


def test_training_runs_weekly_and_by_form(bag: DagBag) -> None:
    train = bag.dags["flight_delay_train"]

    assert isinstance(train.timetable, CronTriggerTimetable)
    assert str(train.timetable.timezone) == DATASET.timezone
    assert {name: train.params[name] for name in train.params} == {"as_of": None, "promote": True}


@pytest.mark.parametrize(
    ("dag_id", "steps"),
    [
        ("nyc_flights_backfill", ["ingest", "build_features"]),
        ("flight_delay_backfill", ["ingest", "build_features", "score", "monitor"]),
    ],
)
def test_a_backfill_goes_on_with_good_days_and_still_fails(
    bag: DagBag, dag_id: str, steps: list[str]
) -> None:
    dag = bag.dags[dag_id]

    chained = set(pairwise(steps))
    assert edges(dag) == chained | {(step, "fail_incomplete") for step in steps}
    assert {dag.get_task(step).trigger_rule for step in steps} == {"all_done"}
    assert dag.get_task("fail_incomplete").trigger_rule == "one_failed"
    assert set(dag.params) == {"first_day", "last_day"}


def test_schedules_off_keeps_cron_quiet_and_the_form_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_SCHEDULES", "off")

    dags = DagBag(REPOSITORY / "dags").dags

    night = dags["nyc_flights_nightly"]
    assert isinstance(night.timetable, CronPartitionTimetable), "the key's form field goes with it"
    assert night.end_date.year == 1970, "cron would fire"
    assert type(dags["flight_delay_train"].timetable).__name__ == "NullTimetable"
    assert dags["flight_delay_nightly"].end_date is None


def test_an_unknown_schedules_value_is_an_import_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSHIFT_SCHEDULES", "maybe")

    errors = DagBag(REPOSITORY / "dags").import_errors

    assert errors and all("write on or off" in text for text in errors.values())


def test_a_broken_declaration_breaks_only_its_own_file(tmp_path: Path) -> None:
    for file in (REPOSITORY / "dags").glob("*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "broken.py").write_text("from airflow.sdk import DAG\nraise ValueError('typo')\n")

    bag = DagBag(tmp_path)

    assert [Path(name).name for name in bag.import_errors] == ["broken.py"]
    assert "nyc_flights_nightly" in bag.dags
