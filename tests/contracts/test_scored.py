"""What must hold for every use case once a small model of it has scored a few nights.

Each failure says what to change where. Days and model are small; see `tests.contracts.sample`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from include.declare import UseCase
from include.errors import DataError
from include.features.baseline import baseline_rows
from include.features.landed import lake_views, run_sql
from include.features.retrieval import add_features, entity_frame, labels
from include.features.store import open_store
from include.lake import delta
from include.training.train import train
from include.warehouse.monitoring_tables import model_performance
from include.warehouse.use_cases import use_case_tables
from include.window import Window
from include.workspace import Workspace
from tests.contracts import sample as samples
from tests.contracts.sample import Sample, days_done
from tests.contracts.truncation import truncated
from tests.copied import copy_of
from tests.night.stages import (
    count_runs,
    everything,
    landing_stages,
    scoring_stages,
    visible,
    without_pages,
)


@dataclass(frozen=True)
class Scored:
    """A sample's nights, scored one by one and as one window, by a small model."""

    sample: Sample
    use_case: UseCase
    one_by_one: Workspace
    at_once: Workspace

    @property
    def days(self) -> list[date]:
        """The nights whose features are there."""
        built = days_done(self.one_by_one, "features", self.sample.name)
        return [day for day in built if day in self.sample.nights]

    @property
    def frame(self) -> pd.DataFrame:
        return entity_frame(self.one_by_one, self.use_case, self.days)

    @property
    def files(self) -> str:
        return f"include/use_cases/{self.use_case.name}"


@pytest.fixture(scope="module")
def scored(
    use_case: UseCase, shared_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scored]:
    sample = samples.choose(use_case.dataset)
    small = samples.small(use_case, sample)
    base = samples.folder_of(use_case.dataset, shared_folder)
    folder = tmp_path_factory.mktemp(use_case.name)
    home = copy_of(samples.land(sample, base), folder / "at_once")
    with sample.opened(home) as workspace:
        samples.run(landing_stages(small.dataset), workspace, sample.nights)
        try:
            samples.train_small(workspace, small, sample.history.end)
        except DataError as error:
            samples.give_up(
                sample.dataset, f"no model of {use_case.name} can be trained on it: {error}"
            )
    copied = copy_of(home, folder / "one_by_one")
    stages = scoring_stages(small)
    with without_pages(), sample.opened(copied) as one_by_one, sample.opened(home) as at_once:
        for day in sample.nights:
            samples.run(stages, one_by_one, Window.night(day), small.dataset.heal_days)
        samples.run(stages, at_once, sample.nights)
        yield Scored(sample, small, one_by_one, at_once)


def test_there_is_something_to_score(scored: Scored) -> None:
    due = set(scored.frame["data_day"])
    lacking = [day for day in scored.days if day not in due]
    assert scored.days and not lacking, (
        f"{scored.files}/entities.sql gives nothing for {lacking}, though "
        f"{scored.use_case.plan_table} has landed: look at its joins and its WHERE"
    )


def test_the_entity_frame_has_what_is_declared(scored: Scored) -> None:
    case, frame = scored.use_case, scored.frame
    store = open_store(scored.one_by_one.settings)
    views = store.get_feature_service(case.feature_service).feature_view_projections
    joined = {key for it in views for key in store.get_feature_view(it.name).join_keys}
    wanted = {
        "entity_keys": case.key_names,
        "score_columns": [it.name for it in case.score_columns],
        "training.schedule_features": case.training.schedule_features,
        "the join keys of the feature service": sorted(joined),
    }
    for part, columns in wanted.items():
        missing = [name for name in columns if name not in frame]
        assert not missing, (
            f"{scored.files}/entities.sql does not select {', '.join(missing)}, which "
            f"{part} needs; select it there, or correct the declaration"
        )


def test_the_entity_frame_is_free_of_the_label(scored: Scored) -> None:
    case = scored.use_case
    featured = add_features(scored.one_by_one, case, scored.frame)
    with delta.connect() as duck:
        lake_views(scored.one_by_one, case, duck, scored.days)
        truth = set(run_sql(case, duck, "labels.sql").columns)
    told = truth - {"target_date", *case.key_names}
    known = sorted(told.intersection(featured.columns))
    assert case.label.column in truth, (
        f"{scored.files}/labels.sql does not return {case.label.column}, the label's column"
    )
    assert not known, (
        f"{', '.join(known)} of {scored.files}/labels.sql is among the columns a model sees: take "
        "it out of entities.sql and of the feature service"
    )


def test_features_come_in_their_place(scored: Scored) -> None:
    """Whatever the order of the entities; those of a row do not depend on the rows beside it."""
    frame = scored.frame
    shuffled = frame.sample(frac=1.0, random_state=1).reset_index(drop=True)
    featured = add_features(scored.one_by_one, scored.use_case, shuffled)
    assert featured[frame.columns].equals(shuffled)
    served = [name for name in featured.columns if name not in frame]
    found = {name.partition("__")[0] for name in served if featured[name].notna().any()}
    empty = sorted({name.partition("__")[0] for name in served} - found)
    assert not empty, (
        f"{', '.join(empty)} has no features for any entity on {scored.sample.nights}: the join "
        f"keys of {scored.files}/entities.sql and of the feature SQL must have the same values"
    )
    texts = featured.select_dtypes(exclude=["number", "bool", "datetime", "datetimetz"]).columns
    used = [*scored.use_case.training.schedule_features, *served]
    lacking = [it for it in texts if it in used and it not in scored.use_case.training.categorical]
    assert not lacking, (
        f"{', '.join(lacking)} is text: name it in Training.categorical of "
        f"{scored.files}/declaration.py, or leave it out"
    )


def test_nothing_of_the_future_is_in_entities_or_labels(scored: Scored, tmp_path: Path) -> None:
    case, workspace = scored.use_case, scored.one_by_one
    history = days_done(workspace, "features", scored.sample.name)
    day = history[len(history) // 2]
    with truncated(workspace, case.dataset, day, tmp_path) as past:
        found, truth = entity_frame(past, case, [day]), labels(past, case, day)
        baseline = baseline_rows(past, case, [day]) if case.baseline else None
    differs = (
        f"of {day} is another when what became known after its cut-off is left out of the lake"
    )
    assert found.equals(entity_frame(workspace, case, [day])), (
        f"{scored.files}/entities.sql looks ahead: what is to be scored {differs}. Join cutoffs "
        "USING (data_day), and keep rows WHERE known_at <= cutoff"
    )
    assert truth.equals(labels(workspace, case, day)), (
        f"{scored.files}/labels.sql gives labels an early known_at: the truth {differs}. Return "
        "the known_at of the newest row the label is computed from"
    )

    assert baseline is None or baseline.equals(baseline_rows(workspace, case, [day])), (
        f"{scored.files}/baseline.sql looks ahead: what it says {differs}. Keep rows WHERE "
        "known_at <= cutoff, as of each data day"
    )


def test_everything_due_is_scored_and_explained(scored: Scored) -> None:
    scores = use_case_tables(scored.use_case).scores
    with scored.one_by_one.warehouse.reading() as connection:
        found = pd.read_sql(sa.select(scores), connection)
    keys = ["data_day", "target_date", *scored.use_case.key_names]
    assert len(found) == len(scored.frame) == len(found.drop_duplicates(keys))
    assert found["prediction"].notna().all()
    assert found["reason_1"].notna().any() or found["prediction"].nunique() == 1


def test_drift_is_judged_on_every_night(scored: Scored) -> None:
    assert days_done(scored.one_by_one, "monitor", scored.use_case.name) == scored.days


def test_what_is_mature_has_outcomes_and_is_measured(scored: Scored) -> None:
    case, nights = scored.use_case, scored.sample.nights
    if case.label.mature_after + min(case.horizons) >= len(nights):
        pytest.skip(f"no label of {nights} is mature within it")
    counts = []
    for table in (use_case_tables(case).outcomes, model_performance):
        with scored.one_by_one.warehouse.reading() as connection:
            counts.append(connection.scalar(sa.select(sa.func.count()).select_from(table)))
    assert all(counts), (
        f"{counts[0]} outcomes and {counts[1]} measures are there: {scored.files}/labels.sql must "
        "return the target_date and the entity keys as entities.sql does, and known_at"
    )


def test_the_window_equals_its_nights(scored: Scored) -> None:
    dataset, cases = scored.sample.dataset, [scored.use_case]
    nights = visible(scored.one_by_one, dataset, cases)
    window = visible(scored.at_once, dataset, cases)
    differing = [name for name in nights if nights[name] != window[name]]
    assert differing == [], (
        f"{', '.join(differing)} of {scored.use_case.name} depend(s) on how many days run at "
        f"once: {scored.files}/entities.sql must give each data day by itself"
    )


def test_running_again_changes_nothing(scored: Scored) -> None:
    workspace, case, dataset = scored.one_by_one, scored.use_case, scored.sample.dataset
    before = everything(workspace, dataset, [case])
    assert not train(workspace, case, scored.sample.history.end, False, "test").stage.changed
    runs = count_runs(workspace)
    for window, heal_days in (
        (Window.night(scored.sample.nights.end), dataset.heal_days),
        (scored.sample.nights, 0),
    ):
        samples.run(scoring_stages(case), workspace, window, heal_days)
    assert count_runs(workspace) == runs + 2 * len(scoring_stages(case))
    after = everything(workspace, dataset, [case])
    differing = [name for name in before if after[name] != before[name]]
    assert differing == [], (
        f"running {case.name} again changes {', '.join(differing)}: {scored.files}/*.sql gives "
        "something else each time; look for now(), random(), LIMIT without ORDER BY"
    )
