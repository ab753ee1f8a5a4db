"""How the nights of the sample dataset and use case hang together."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import CronPartitionTimetable, CronTriggerTimetable, PartitionedAssetTimetable
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from include import catalog
from include.datasets.nyc_flights.declaration import DATASET
from include.declare_model import ModelPolicy, Retraining
from include.orchestration import policy
from include.orchestration.assets import dataset_asset
from include.orchestration.dags import training_dag, use_case_dags
from include.settings import REPOSITORY
from include.use_cases.flight_delay.declaration import USE_CASE


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

    assert outlets == {
        (f"{name}_nightly", "build_features"): [dataset_asset(catalog.dataset(name))]
        for name in catalog.dataset_names()
    }


def test_a_use_case_night_starts_from_the_announcement(bag: DagBag) -> None:
    night = bag.dags["flight_delay_nightly"]

    assert edges(night) == {("score", "monitor"), ("monitor", "retrain")}
    assert isinstance(night.timetable, PartitionedAssetTimetable)
    assert night.timetable.asset_condition == dataset_asset(DATASET)


def test_only_a_drifted_night_starts_a_training_and_never_a_backfill(bag: DagBag) -> None:
    starts = {
        (dag.dag_id, task.task_id): (task.trigger_dag_id, task.skip_when_already_exists)
        for dag in bag.dags.values()
        for task in dag.tasks
        if isinstance(task, TriggerDagRunOperator)
    }
    assert starts == {
        (f"{name}_nightly", "retrain"): (f"{name}_train", True)
        for name in catalog.use_case_names()
        if catalog.use_case(name).retraining.on_drift
    }


def test_a_use_case_may_declare_that_drift_starts_nothing() -> None:
    night, *_ = use_case_dags(replace(USE_CASE, retraining=Retraining(on_drift=False)), "doc")
    assert edges(night) == {("score", "monitor")}


def test_training_runs_as_declared_and_by_form(bag: DagBag) -> None:
    train = bag.dags["flight_delay_train"]

    assert isinstance(train.timetable, CronTriggerTimetable)
    assert train.timetable.expression == USE_CASE.retraining.cron
    assert train.task_ids == ["train"], "nobody has to approve the sample's models"
    assert str(train.timetable.timezone) == DATASET.timezone
    assert {name: train.params[name] for name in train.params} == {"as_of": None, "promote": True}


def test_readiness_is_watched_every_ten_minutes_whatever_the_nights_do(bag: DagBag) -> None:
    watch = bag.dags["nightshift_watch"]

    assert isinstance(watch.timetable, CronTriggerTimetable)
    assert watch.timetable.expression == "*/10 * * * *"
    assert watch.task_ids == ["keep_watch"]
    assert watch.tags == {"nightshift", "operations"}


def test_a_cron_of_none_means_by_hand_alone() -> None:
    train = training_dag(replace(USE_CASE, retraining=Retraining(cron=None)), "doc")
    assert type(train.timetable).__name__ == "NullTimetable"


def test_a_declared_approval_waits_between_training_and_promotion() -> None:
    gate = replace(USE_CASE.gate, approval="required", approval_hours=6)

    train = training_dag(replace(USE_CASE, gate=gate), "doc")

    assert edges(train) == {("train", "approve"), ("train", "promote"), ("approve", "promote")}
    approve = train.get_task("approve")
    assert isinstance(approve, ApprovalOperator)
    assert approve.response_timeout == timedelta(hours=6)
    assert approve.execution_timeout == policy.NIGHTLY_TIMEOUT, "of the process, not of the wait"
    assert (approve.defaults, approve.retries) == (["Reject"], 5)
    assert list(approve.params) == ["reason"]
    assert train.get_task("promote").trigger_rule == "all_success"
    text = DagSerialization.to_dict(train)
    assert DagSerialization.from_dict(text).get_task("approve").task_id == "approve"


def test_a_rollback_asks_for_version_and_reason(bag: DagBag) -> None:
    rollback = bag.dags["flight_delay_rollback"]

    assert edges(rollback) == {("roll_back", "rescore")}
    good = {"version": "3", "reason": "4 cries wolf", "rescore_from": "2013-10-01"}
    # Resolving a field stores the value in it, and other tests share these DAGs.
    form = {name: deepcopy(rollback.params.get_param(name)) for name in rollback.params}
    assert {name: form[name].resolve(value) for name, value in good.items()} == good
    assert form["rescore_from"].resolve(None) is None
    for name, value in {"version": "", "reason": " ", "rescore_from": "soon"}.items():
        with pytest.raises(ParamValidationError):
            form[name].resolve(value)


def test_a_use_cases_backfill_asks_which_model_scores(bag: DagBag) -> None:
    form = bag.dags["flight_delay_backfill"].params
    assert form["model_policy"] == USE_CASE.scoring.model_policy
    assert form["pinned_version"] is None
    assert form.get_param("model_policy").schema["enum"] == list(get_args(ModelPolicy))
    with pytest.raises(ParamValidationError):
        form.get_param("model_policy").resolve("the best")


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
    assert {"first_day", "last_day"} <= set(dag.params)


def test_schedules_off_keeps_cron_quiet_and_the_form_field(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NIGHTSHIFT_SCHEDULES", "off")

    dags = DagBag(REPOSITORY / "dags").dags

    night = dags["nyc_flights_nightly"]
    assert isinstance(night.timetable, CronPartitionTimetable), "the key's form field goes with it"
    assert night.end_date.year == 1970, "cron would fire"
    for dag_id in ("flight_delay_train", "nightshift_watch"):
        assert type(dags[dag_id].timetable).__name__ == "NullTimetable"
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
